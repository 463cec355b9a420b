//! How an unknown outcome may be found out: which of the ways that a connector declares are open just now.
//!
//! A resend is the sharpest of them: it may charge. It is open only while the gateway is certain to know the key, only
//! where the very same bytes can be sent, and never without a card code that the first one had.

use std::time::Duration;

use super::payment::State;

/// Head-room between a resend and the end of the gateway's memory for keys: clocks differ, requests queue.
pub const RESEND_MARGIN: Duration = Duration::from_mins(5);

/// One way to learn what became of an operation, in the order that the connector declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The same bytes under the same key; the gateway remembers keys this long.
    Resend { window: Duration },
    /// Ask, by the gateway's own reference.
    GetByReference,
    /// Ask, by our operation id. "Never received" counts only this long after the operation can no longer be under way.
    FindByOperationId { settle: Duration },
    /// The gateway tells by itself; nothing to do but wait.
    AwaitWebhook,
    /// Call it off under our id: the last of all, and no way to learn what became of it. See [`may_call_off`].
    CancelByOperationId,
}

/// How an operation of unknown outcome stands when nothing else has found out about it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition by itself")]
pub struct Standing {
    /// The payment's.
    pub state: State,
    /// It belongs to the attempt that is under way.
    pub is_under_way: bool,
    /// A capture or cancel of the payment is under way, or unknown itself.
    pub is_settling: bool,
    /// The gateway has a cancel, says the connector.
    pub gateway_cancels: bool,
    /// That was done before.
    pub called_off: bool,
    /// A secret that it was sent with was replaced: who answers now may be another account, which has nothing to call off.
    pub secrets_changed: bool,
}

/// Whether it may be called off, when the other ways are used up and a person would be asked next. Only where a cancelled
/// payment is as good an end as any: nobody was told that it is paid, and nothing was taken of it. Once: that the gateway has
/// done it is learned like everything else.
#[must_use]
pub fn may_call_off(ways: &[Way], standing: &Standing) -> bool {
    ways.contains(&Way::CancelByOperationId)
        && standing.state == State::PendingVerification
        && standing.is_under_way
        && !standing.is_settling
        && standing.gateway_cancels
        && !standing.called_off
        && !standing.secrets_changed
}

/// What is known about the operation when a way is chosen.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct Situation {
    /// Since commit 1, by the database's clock.
    pub age: Duration,
    /// Deadline of one gateway exchange.
    pub gateway_timeout: Duration,
    /// The exchange without a reply may be sent again, says the connector; false where there is no such exchange.
    pub resendable: bool,
    /// What it needs to fill its holes is still there (a card code may have been deleted).
    pub holes_complete: bool,
    /// An earlier outcome brought a reference of the gateway's.
    pub has_reference: bool,
    /// It was called off: sent again, it might come to be after its cancel.
    pub called_off: bool,
}

/// Whether `way` is open in `situation`.
#[must_use]
pub fn is_open(way: Way, situation: &Situation) -> bool {
    match way {
        Way::Resend { window } => {
            situation.resendable
                && !situation.called_off
                && situation.holes_complete
                && situation.age.saturating_add(situation.gateway_timeout).saturating_add(RESEND_MARGIN) < window
        }
        Way::GetByReference => situation.has_reference,
        Way::FindByOperationId { .. } => true,
        Way::AwaitWebhook | Way::CancelByOperationId => false,
    }
}

/// The way to try at check number `checks`: those that are open take turns, in the order declared, so that a gateway
/// whose write path is down is asked by its read path the next time.
#[must_use]
pub fn choose(ways: &[Way], situation: &Situation, checks: usize) -> Option<Way> {
    let open: Vec<Way> = ways.iter().copied().filter(|way| is_open(*way, situation)).collect();
    if open.is_empty() { None } else { open.get(checks % open.len()).copied() }
}

/// Whether "never received" counts as proof: said twice, the second time at least `settle` after the operation could
/// no longer be under way.
#[must_use]
pub fn never_received_counts(times: usize, since_unknown: Duration, settle: Duration) -> bool {
    times >= 2 && since_unknown >= settle
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    fn situation() -> Situation {
        Situation {
            age: HOUR,
            gateway_timeout: Duration::from_secs(30),
            resendable: true,
            holes_complete: true,
            has_reference: false,
            called_off: false,
        }
    }

    fn standing() -> Standing {
        Standing {
            state: State::PendingVerification,
            is_under_way: true,
            is_settling: false,
            gateway_cancels: true,
            called_off: false,
            secrets_changed: false,
        }
    }

    /// Calling off is what is left when a person would be asked next, and does not take turns with the others.
    #[test]
    fn calling_off_is_no_way_among_others() {
        let ways = [Way::CancelByOperationId, Way::AwaitWebhook];
        assert_eq!((0..3).map(|check| choose(&ways, &situation(), check)).collect::<Vec<_>>(), [None; 3]);
        assert!(may_call_off(&ways, &standing()));
        assert!(!may_call_off(&[Way::AwaitWebhook, Way::Resend { window: DAY }], &standing()));
    }

    /// Nobody's success is taken away, nothing is called off twice, and no other account is asked to.
    #[test]
    fn only_what_nobody_was_told_of_is_called_off() {
        use strum::VariantArray as _;
        let ways = [Way::CancelByOperationId];
        for state in State::VARIANTS {
            let may = may_call_off(&ways, &Standing { state: *state, ..standing() });
            assert_eq!(may, *state == State::PendingVerification, "{state:?}");
        }
        for refused in [
            Standing { is_under_way: false, ..standing() },
            Standing { is_settling: true, ..standing() },
            Standing { gateway_cancels: false, ..standing() },
            Standing { called_off: true, ..standing() },
            Standing { secrets_changed: true, ..standing() },
        ] {
            assert!(!may_call_off(&ways, &refused), "{refused:?}");
        }
    }

    /// What was called off is only asked about from then on.
    #[test]
    fn what_was_called_off_is_not_sent_again() {
        let find = Way::FindByOperationId { settle: Duration::ZERO };
        let ways = [Way::Resend { window: DAY }, find];
        let called_off = Situation { called_off: true, ..situation() };
        assert_eq!([0, 1].map(|check| choose(&ways, &called_off, check)), [Some(find); 2]);
    }

    /// A resend must arrive while the gateway still knows the key: its window less time-out and margin.
    #[test]
    fn a_resend_ends_before_the_keys_window() {
        let resend = Way::Resend { window: DAY };
        assert!(is_open(resend, &situation()));
        let late =
            Situation { age: DAY.checked_sub(Duration::from_secs(330)).expect("a day is longer"), ..situation() };
        assert!(!is_open(resend, &late));
        assert!(is_open(
            resend,
            &Situation { age: late.age.checked_sub(Duration::from_secs(1)).expect("longer"), ..late }
        ));
    }

    #[test]
    fn nothing_is_resent_without_its_code_or_against_the_connector() {
        let resend = Way::Resend { window: DAY };
        assert!(!is_open(resend, &Situation { holes_complete: false, ..situation() }));
        assert!(!is_open(resend, &Situation { resendable: false, ..situation() }));
    }

    #[test]
    fn open_ways_take_turns() {
        let find = Way::FindByOperationId { settle: Duration::ZERO };
        let ways = [Way::Resend { window: DAY }, Way::AwaitWebhook, find];
        assert_eq!(choose(&ways, &situation(), 0), Some(Way::Resend { window: DAY }));
        assert_eq!(choose(&ways, &situation(), 1), Some(find));
        assert_eq!(choose(&ways, &situation(), 2), Some(Way::Resend { window: DAY }));
        assert_eq!(choose(&[Way::AwaitWebhook], &situation(), 0), None);
    }

    #[test]
    fn one_never_received_is_no_proof() {
        let settle = Duration::from_mins(1);
        assert!(!never_received_counts(1, HOUR, settle));
        assert!(!never_received_counts(2, Duration::from_secs(59), settle));
        assert!(never_received_counts(2, settle, settle));
    }
}
