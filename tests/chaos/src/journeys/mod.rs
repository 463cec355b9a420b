//! What merchants do, as one table of journeys with their weights. Which journey has which number is decided by the
//! seed alone.

mod misuse;
mod orders;
mod pay;
mod refunds;
mod requests;

use strum::{IntoStaticStr, VariantArray};

use crate::{client::Client, dice::Dice};

/// What one client does from beginning to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Journey {
    /// Create and confirm in one request.
    PayAtOnce,
    /// Create, and confirm later.
    CreateThenConfirm,
    /// A card that is declined, then perhaps another one.
    Decline,
    /// Two confirms at once under different keys.
    RaceConfirms,
    /// The customer must act: approves, declines, or goes away.
    Challenge,
    /// Accepted, decided later.
    Pending,
    /// Hold, then capture: whole, in part, in several parts.
    HoldAndCapture,
    /// Hold, then cancel.
    HoldAndCancel,
    /// Capture and cancel at once.
    RaceCaptureAndCancel,
    /// Refunds, partial and repeated.
    Refunds,
    /// Two refunds that are too much together, at once.
    RaceRefunds,
    /// An order that is paid in parts, and once too often.
    Order,
    /// Two payments at once that are too much for their order together.
    RaceOrder,
    /// The same key with another body.
    MisuseBody,
    /// The same key at another path.
    MisusePath,
    /// Asks the gateway again and again.
    Sync,
}

/// One line of the table.
struct Line {
    journey: Journey,
    /// How often, compared with the others.
    weight: u32,
    /// How many payments it makes.
    payments: u32,
    /// Routes without which it cannot be made.
    needs: &'static [&'static str],
}

const CAPTURE: &str = "/v1/payments/{id}/capture";
const CANCEL: &str = "/v1/payments/{id}/cancel";
const REFUNDS: &str = "/v1/payments/{id}/refunds";
const SYNC: &str = "/v1/payments/{id}/sync";
const ORDERS: &str = "/v1/orders";

const TABLE: &[Line] = &[
    Line { journey: Journey::PayAtOnce, weight: 30, payments: 1, needs: &[] },
    Line { journey: Journey::CreateThenConfirm, weight: 8, payments: 1, needs: &[] },
    Line { journey: Journey::Decline, weight: 8, payments: 1, needs: &[] },
    Line { journey: Journey::RaceConfirms, weight: 3, payments: 1, needs: &[] },
    Line { journey: Journey::Challenge, weight: 8, payments: 1, needs: &[] },
    Line { journey: Journey::Pending, weight: 4, payments: 1, needs: &[] },
    Line { journey: Journey::HoldAndCapture, weight: 12, payments: 1, needs: &[CAPTURE] },
    Line { journey: Journey::HoldAndCancel, weight: 5, payments: 1, needs: &[CANCEL] },
    Line { journey: Journey::RaceCaptureAndCancel, weight: 2, payments: 1, needs: &[CAPTURE, CANCEL] },
    Line { journey: Journey::Refunds, weight: 8, payments: 1, needs: &[REFUNDS] },
    Line { journey: Journey::RaceRefunds, weight: 3, payments: 1, needs: &[REFUNDS] },
    Line { journey: Journey::Order, weight: 4, payments: 3, needs: &[ORDERS] },
    Line { journey: Journey::RaceOrder, weight: 2, payments: 2, needs: &[ORDERS] },
    Line { journey: Journey::MisuseBody, weight: 3, payments: 1, needs: &[] },
    Line { journey: Journey::MisusePath, weight: 2, payments: 1, needs: &[] },
    Line { journey: Journey::Sync, weight: 3, payments: 1, needs: &[SYNC] },
];

/// The journeys of a run: as many as make `payments` payments, `only` one kind where that is said. The second list has
/// those that these hosts lack routes for.
pub fn schedule(
    seed: u64,
    payments: u32,
    only: Option<Journey>,
    has: impl Fn(&str) -> bool,
) -> (Vec<Journey>, Vec<Journey>) {
    let open = |line: &&Line| line.needs.iter().all(|route| has(route));
    let is_meant = |line: &&Line| only.is_none_or(|only| only == line.journey);
    let missing = TABLE.iter().filter(|line| !open(line)).map(|line| line.journey).collect();
    let lines: Vec<(u32, &Line)> = TABLE.iter().filter(open).filter(is_meant).map(|line| (line.weight, line)).collect();
    let mut dice = Dice::of(seed, "schedule", 0);
    let (mut journeys, mut made) = (Vec::new(), 0);
    while made < payments && !lines.is_empty() {
        let line = dice.weighted(&lines);
        journeys.push(line.journey);
        made += line.payments;
    }
    (journeys, missing)
}

impl Journey {
    /// Goes on it. Nothing is asserted here: what happens is written down, and the checker judges it.
    pub async fn go(self, client: &mut Client) {
        // A journey that an answer cuts short ends there; the payment is left as it is, as merchants do.
        let _ended_early = match self {
            Self::PayAtOnce => pay::at_once(client).await,
            Self::CreateThenConfirm => pay::create_then_confirm(client).await,
            Self::Decline => pay::decline(client).await,
            Self::RaceConfirms => pay::race_confirms(client).await,
            Self::Challenge => pay::challenge(client).await,
            Self::Pending => pay::pending(client).await,
            Self::HoldAndCapture => pay::hold_and_capture(client).await,
            Self::HoldAndCancel => pay::hold_and_cancel(client).await,
            Self::RaceCaptureAndCancel => pay::race_capture_and_cancel(client).await,
            Self::Refunds => refunds::some(client).await,
            Self::RaceRefunds => refunds::race(client).await,
            Self::Order => orders::paid_in_parts(client).await,
            Self::RaceOrder => orders::race(client).await,
            Self::MisuseBody => misuse::another_body(client).await,
            Self::MisusePath => misuse::another_path(client).await,
            Self::Sync => pay::sync(client).await,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_journey_stands_in_the_table_once() {
        for journey in Journey::VARIANTS {
            assert_eq!(TABLE.iter().filter(|line| line.journey == *journey).count(), 1, "{journey:?}");
        }
    }

    #[test]
    fn a_schedule_is_its_seeds() {
        let of = |seed| schedule(seed, 200, None, |_| true).0;
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn what_hosts_lack_is_said() {
        let (journeys, missing) = schedule(1, 500, None, |route| route != REFUNDS);
        assert_eq!(missing, [Journey::Refunds, Journey::RaceRefunds]);
        assert!(!journeys.contains(&Journey::Refunds) && journeys.contains(&Journey::Order));
    }
}
