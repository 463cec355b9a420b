//! The life of a connector's version: which states there are, what may be asked of it in each, and which payments a canary
//! takes.

use strum::{EnumString, IntoStaticStr, VariantArray};

use super::{id::PaymentId, routing::shuffle};

/// All of the payments, in the unit of shares.
pub const WHOLE_SHARE_PERCENT: u8 = 100;

/// Keeps the lot that decides about canaries apart from the one that puts accounts into an order.
const CANARY_LOT: u128 = 0x6361_6e61_7279;

/// Where a version stands. The names are those of the API and of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Installed, and nothing more.
    Staged,
    /// Recorded operations were replayed on it, or are being replayed.
    Shadow,
    /// A share of the new operations begins with it.
    Canary,
    /// All other new operations begin with it.
    Active,
    /// Only what it has begun goes on.
    Draining,
    /// Nothing of it is under way, and nobody wants it back.
    Retired,
    /// It trapped or diverged too often, and was taken out.
    Quarantined,
}

impl State {
    /// Whether hosts forget it, but for operations that it has begun.
    #[must_use]
    pub fn is_withdrawn(self) -> bool {
        matches!(self, Self::Retired | Self::Quarantined)
    }

    /// Whether a version in this state can be taken out for what it did wrong.
    #[must_use]
    pub fn can_be_quarantined(self) -> bool {
        matches!(self, Self::Shadow | Self::Canary | Self::Active | Self::Draining)
    }
}

/// What is known of a connector's versions when one of them is to become something else.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Of the version that is spoken of.
    pub state: State,
    /// Another version is active.
    pub has_active: bool,
    /// Another version is the canary.
    pub has_canary: bool,
    /// Operations that began with this version and are not final.
    pub under_way: i64,
}

/// Why something cannot be asked of a version now. Each text says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    #[error("it is active: a canary is a version beside the active one; activate another version as the canary")]
    ActiveIsNoCanary,
    #[error("no version is active that a canary could be compared with; activate this one with a share of 100")]
    NothingToCompareWith,
    #[error("another version is the canary; roll that one back, or activate it with a share of 100")]
    AnotherCanary,
    #[error("it is {}: new operations begin with it; activate another version, or roll back, first", <&str>::from(.0))]
    InUse(State),
    #[error("it is {}: new operations do not begin with it, and there is nothing to take back", <&str>::from(.0))]
    NotInUse(State),
    #[error("{0} operations that it began are not final; retire it when they are (GET /admin/operations lists them)")]
    UnderWay(i64),
    #[error("it is {}: activate it, or install another one", <&str>::from(.0))]
    Withdrawn(State),
    #[error("there is no version to go back to; activate one by its number")]
    NothingToGoBackTo,
}

impl Standing {
    /// Whether it may take a share of the new operations.
    pub fn may_be_canary(&self) -> Result<(), NotNow> {
        match self.state {
            State::Active => Err(NotNow::ActiveIsNoCanary),
            _ if !self.has_active => Err(NotNow::NothingToCompareWith),
            _ if self.has_canary => Err(NotNow::AnotherCanary),
            _ => Ok(()),
        }
    }

    /// Whether it may go for good.
    pub fn may_retire(&self) -> Result<(), NotNow> {
        match self.state {
            State::Canary | State::Active => Err(NotNow::InUse(self.state)),
            _ if self.under_way > 0 => Err(NotNow::UnderWay(self.under_way)),
            _ => Ok(()),
        }
    }

    /// Whether recorded operations may be replayed on it.
    pub fn may_be_shadow(&self) -> Result<(), NotNow> {
        if self.state.is_withdrawn() { Err(NotNow::Withdrawn(self.state)) } else { Ok(()) }
    }
}

/// Whether the payment is one of the share that a canary takes: the same on every host and at every time, so that a
/// payment is a canary's or is not, and a share that grows keeps those that it had.
#[must_use]
pub fn is_canarys(payment: PaymentId, share_percent: u8) -> bool {
    shuffle::hash(payment.uuid().as_u128(), CANARY_LOT) % u64::from(WHOLE_SHARE_PERCENT) < u64::from(share_percent)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn payments() -> impl Iterator<Item = PaymentId> {
        // As close together as ids of one millisecond are.
        (0..20_000_u128).map(|number| PaymentId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000 << 48 | number)))
    }

    #[test]
    fn a_canary_takes_its_share() {
        for share in [1, 5, 50, 99] {
            let taken = payments().filter(|payment| is_canarys(*payment, share)).count();
            let wanted = usize::from(share) * 200;
            assert!(taken.abs_diff(wanted) < 300, "{taken} of 20000 at {share} %");
        }
        assert!(payments().all(|payment| !is_canarys(payment, 0)));
        assert!(payments().all(|payment| is_canarys(payment, WHOLE_SHARE_PERCENT)));
    }

    #[test]
    fn a_share_that_grows_keeps_what_it_had() {
        for payment in payments().filter(|payment| is_canarys(*payment, 5)) {
            assert!(is_canarys(payment, 6) && is_canarys(payment, 60));
        }
    }

    /// What may be asked in which state, on one screen.
    #[test]
    fn each_state_allows_what_it_allows() {
        let may = |allowed: bool, word: &'static str| allowed.then_some(word);
        let lines = State::VARIANTS.iter().map(|&state| {
            let standing = Standing { state, has_active: true, has_canary: false, under_way: 0 };
            let allowed = [
                may(standing.may_be_canary().is_ok(), "canary"),
                may(standing.may_retire().is_ok(), "retire"),
                may(standing.may_be_shadow().is_ok(), "shadow"),
                may(state.can_be_quarantined(), "quarantine"),
            ];
            let words: Vec<&str> = allowed.into_iter().flatten().collect();
            format!("{}: {}", <&str>::from(state), words.join(" "))
        });
        let table = lines.collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table, @r"
        staged: canary retire shadow
        shadow: canary retire shadow quarantine
        canary: canary shadow quarantine
        active: shadow quarantine
        draining: canary retire shadow quarantine
        retired: canary retire
        quarantined: canary retire
        ");
    }

    #[test]
    fn what_cannot_be_says_why() {
        let standing = Standing { state: State::Draining, has_active: true, has_canary: true, under_way: 3 };
        assert_eq!(standing.may_be_canary(), Err(NotNow::AnotherCanary));
        assert_eq!(standing.may_retire(), Err(NotNow::UnderWay(3)));
        let first = Standing { state: State::Staged, has_active: false, has_canary: false, under_way: 0 };
        assert_eq!(first.may_be_canary(), Err(NotNow::NothingToCompareWith));
        assert!(NotNow::InUse(State::Canary).to_string().starts_with("it is canary"));
    }
}
