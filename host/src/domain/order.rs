//! What an order is worth: how much of it is asked for, paid and given back, and the status that follows.
//!
//! The sums are kept in the order's row, under its lock: a payment reserves its amount when it is confirmed, and what its
//! gateway proves is settled when that is known. The schema has the same bounds, as the CHECK `orders_totals`.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Where an order stands. The names are the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum OrderStatus {
    /// Nothing is paid yet.
    Open,
    /// Some of it is paid.
    PartiallyPaid,
    /// All of it is paid.
    Paid,
    /// Some of what was paid is given back.
    PartiallyRefunded,
    /// All of what was paid is given back.
    Refunded,
    /// The merchant called it off while nothing was paid or under way.
    Cancelled,
}

/// The sums of an order, in minor units of its currency.
///
/// What always holds: `0 ≤ refunded ≤ paid`, `0 ≤ reserved`, `paid + reserved ≤ amount`, `0 ≤ surplus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Totals {
    /// What the order asks for.
    pub amount: i64,
    /// What payments that are under way, or held and not yet taken, ask for.
    pub reserved: i64,
    /// What gateways took, up to `amount`.
    pub paid: i64,
    /// What gateways gave back of what is paid.
    pub refunded: i64,
    /// What gateways took beyond that, and have not given back.
    pub surplus: i64,
}

/// What an operation does to an order's sums, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    /// More is asked for, or (negative) it is not any more.
    pub reserved: i64,
    /// A gateway took so much, or (negative) says later that it did not.
    pub paid: i64,
    /// A gateway gave so much back, or (negative) says later that it did not.
    pub refunded: i64,
}

impl Totals {
    /// The status that these sums make. Never `Cancelled`, which is the merchant's word and not a sum: see
    /// [`Totals::status_from`].
    #[must_use]
    pub fn status(&self) -> OrderStatus {
        match *self {
            Self { refunded, paid, .. } if refunded > 0 && refunded >= paid => OrderStatus::Refunded,
            Self { refunded, .. } if refunded > 0 => OrderStatus::PartiallyRefunded,
            Self { paid, amount, .. } if paid >= amount => OrderStatus::Paid,
            Self { paid, .. } if paid > 0 => OrderStatus::PartiallyPaid,
            _ => OrderStatus::Open,
        }
    }

    /// The status of an order that was `before`: a cancelled one stays cancelled until a gateway proves that it took
    /// money for it all the same (a success that came after a decline). Money is never hidden behind a word.
    #[must_use]
    pub fn status_from(&self, before: OrderStatus) -> OrderStatus {
        match (before, self.status()) {
            (OrderStatus::Cancelled, OrderStatus::Open) => OrderStatus::Cancelled,
            (_, status) => status,
        }
    }

    /// Whether a payment may ask for `amount` of it. What was given back is not asked for again: an order is paid once.
    #[must_use]
    pub fn can_reserve(&self, amount: i64) -> bool {
        amount > 0 && self.paid.saturating_add(self.reserved).saturating_add(amount) <= self.amount
    }

    /// The sums after `change`. What this promises is what always holds of [`Totals`], whatever the change is; what a
    /// gateway proves is never dropped for it:
    ///
    /// - what is paid beyond the amount, or beyond what other payments leave of it, is surplus;
    /// - surplus becomes paid as soon as others let go of their share;
    /// - what is given back beyond what is paid was given back of the surplus.
    ///
    /// So `paid + surplus - refunded`, what the merchant holds, moves by exactly what gateways say, but not below
    /// nothing. A reservation beyond what is left is cut: ask [`Totals::can_reserve`] first.
    #[must_use]
    pub fn after(self, change: Change) -> Self {
        let free = self.amount.saturating_sub(self.paid).max(0);
        let reserved = self.reserved.saturating_add(change.reserved).clamp(0, free);
        let returned = self.refunded.saturating_add(change.refunded);
        // A refund that failed late, and had been taken from the surplus: the money is there again.
        let restored = returned.min(0).saturating_neg();
        let taken = self.paid.saturating_add(self.surplus).saturating_add(change.paid).saturating_add(restored).max(0);
        let returned = returned.clamp(0, taken);
        let paid = taken.min(self.amount.saturating_sub(reserved));
        let refunded = returned.min(paid);
        // Both parts of what is beyond: taken beyond what is paid, less what was given back beyond that.
        let surplus = taken.saturating_sub(paid).saturating_sub(returned.saturating_sub(refunded));
        Self { amount: self.amount, reserved, paid, refunded, surplus }
    }
}

/// The event that tells merchants of a change from `was` to `now`, where there is one.
///
/// Every payment that adds to an order is told of: `order.paid` by the one that completes it, `order.partially_paid` by
/// each one before, not the first alone, because each changes `amount_paid`. `order.refunded` is told once all of what
/// was paid is given back; of partial refunds the payment's own events tell. A correction downwards is told by
/// `payment.corrected`.
#[must_use]
pub fn event(before: OrderStatus, after: OrderStatus, was: &Totals, now: &Totals) -> Option<&'static str> {
    use OrderStatus::{Cancelled, Refunded};
    if now.paid > was.paid {
        return Some(if now.paid >= now.amount { "order.paid" } else { "order.partially_paid" });
    }
    match (before, after) {
        (Refunded, Refunded) | (Cancelled, Cancelled) => None,
        (_, Refunded) => Some("order.refunded"),
        (_, Cancelled) => Some("order.cancelled"),
        (_, OrderStatus::Open | OrderStatus::PartiallyPaid | OrderStatus::Paid | OrderStatus::PartiallyRefunded) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use OrderStatus::{Cancelled, Open, Paid, PartiallyPaid, PartiallyRefunded, Refunded};

    use super::*;

    const NEW: Totals = Totals { amount: 100, reserved: 0, paid: 0, refunded: 0, surplus: 0 };

    fn reserved(reserved: i64) -> Change {
        Change { reserved, ..Change::default() }
    }

    fn paid(paid: i64) -> Change {
        Change { reserved: -paid, paid, refunded: 0 }
    }

    /// A success that nobody had reserved for any more.
    fn late(paid: i64) -> Change {
        Change { paid, ..Change::default() }
    }

    fn refunded(refunded: i64) -> Change {
        Change { refunded, ..Change::default() }
    }

    fn holds(totals: &Totals) -> bool {
        let Totals { amount, reserved, paid, refunded, surplus } = *totals;
        0 <= refunded && refunded <= paid && 0 <= reserved && paid + reserved <= amount && 0 <= surplus
    }

    /// Two halves, and both given back: every status once, every event once.
    #[test]
    fn an_order_is_paid_and_refunded_in_parts() {
        let mut totals = NEW;
        let mut story = Vec::new();
        for change in [reserved(50), paid(50), reserved(50), paid(50), refunded(30), refunded(70)] {
            let next = totals.after(change);
            story.push((next.status(), event(totals.status(), next.status(), &totals, &next)));
            totals = next;
        }
        assert_eq!(
            story,
            [
                (Open, None),
                (PartiallyPaid, Some("order.partially_paid")),
                (PartiallyPaid, None),
                (Paid, Some("order.paid")),
                (PartiallyRefunded, None),
                (Refunded, Some("order.refunded")),
            ]
        );
        assert_eq!(totals, Totals { paid: 100, refunded: 100, ..NEW });
    }

    /// A third of it, and another: the merchant is told of both.
    #[test]
    fn each_partial_payment_is_told_of() {
        let once = NEW.after(late(30));
        let twice = once.after(late(30));
        assert_eq!(event(PartiallyPaid, PartiallyPaid, &once, &twice), Some("order.partially_paid"));
    }

    #[test]
    fn no_more_can_be_reserved_than_is_left() {
        let totals = NEW.after(late(30)).after(reserved(50));
        assert!(totals.can_reserve(20) && !totals.can_reserve(21));
        assert!(!NEW.can_reserve(0) && !NEW.can_reserve(-1) && !NEW.can_reserve(i64::MAX));
        // What was given back is not left: the order was paid once.
        assert!(!NEW.after(late(100)).after(refunded(100)).can_reserve(1));
    }

    /// The first payment was declined, its share went to a second one, and then the first one was paid after all.
    #[test]
    fn what_is_paid_beyond_the_amount_is_surplus() {
        let second_under_way = NEW.after(reserved(100)).after(late(100));
        assert_eq!(second_under_way, Totals { reserved: 100, surplus: 100, ..NEW });
        let both_paid = second_under_way.after(paid(100));
        assert_eq!(both_paid, Totals { paid: 100, surplus: 100, ..NEW });
        // Where the second one is declined, the first one has paid the order.
        let second_declined = second_under_way.after(reserved(-100));
        assert_eq!(second_declined, Totals { paid: 100, ..NEW });
        assert_eq!(event(Open, Paid, &second_under_way, &second_declined), Some("order.paid"));
    }

    /// More is given back than the order was worth, because more was taken; and then one of the refunds fails late.
    #[test]
    fn what_is_given_back_beyond_is_given_back_of_the_surplus() {
        let totals = NEW.after(late(150)).after(refunded(150));
        assert_eq!(totals, Totals { paid: 100, refunded: 100, ..NEW });
        assert_eq!(totals.after(refunded(-50)), Totals { paid: 100, refunded: 50, ..NEW });
    }

    /// The merchant called it off, and the gateway proves a success late: money is not hidden behind a word.
    #[test]
    fn a_cancelled_order_that_is_paid_says_so() {
        assert_eq!(NEW.status_from(Cancelled), Cancelled);
        assert_eq!(event(Open, Cancelled, &NEW, &NEW), Some("order.cancelled"));
        assert_eq!(event(Cancelled, Cancelled, &NEW, &NEW), None);
        let late = NEW.after(late(100));
        assert_eq!(late.status_from(Cancelled), Paid);
        assert_eq!(event(Cancelled, Paid, &NEW, &late), Some("order.paid"));
    }

    /// A capture that failed after it was reported, and a refund of it that had gone through already.
    #[test]
    fn corrections_never_break_the_sums() {
        let totals = NEW.after(late(60)).after(refunded(20));
        assert_eq!(totals.after(late(-60)), NEW);
        assert_eq!(totals.after(late(-20)), Totals { paid: 40, refunded: 20, ..NEW });
        assert_eq!(event(Paid, PartiallyPaid, &NEW.after(late(100)), &NEW.after(late(40))), None);
    }

    /// Every state of a small order that can be reached, under every small change: the bounds hold, and what the
    /// merchant holds moves by what the gateways say.
    #[test]
    fn sums_hold_whatever_comes() {
        let mut reached = vec![Totals { amount: 3, ..NEW }];
        let mut next = 0;
        while let Some(totals) = reached.get(next).copied() {
            next += 1;
            for (reserved, paid, refunded) in
                (-2..=2).flat_map(|r| (-2..=2).flat_map(move |p| (-2..=2).map(move |b| (r, p, b))))
            {
                let after = totals.after(Change { reserved, paid, refunded });
                assert!(holds(&after), "{totals:?} and {reserved}, {paid}, {refunded} make {after:?}");
                let held = |totals: &Totals| totals.paid + totals.surplus - totals.refunded;
                assert_eq!(held(&after), (held(&totals) + paid - refunded).max(0), "{totals:?} {after:?}");
                if after.surplus <= 4 && !reached.contains(&after) {
                    reached.push(after);
                }
            }
        }
        assert!(reached.len() > 50, "{} states", reached.len());
    }

    #[test]
    fn nothing_overflows() {
        let full = Totals { amount: i64::MAX, reserved: 0, paid: i64::MAX, refunded: 0, surplus: i64::MAX };
        let most = Change { reserved: i64::MAX, paid: i64::MAX, refunded: i64::MIN };
        let least = Change { reserved: i64::MIN, paid: i64::MIN, refunded: i64::MAX };
        assert_eq!(full.after(most).paid, i64::MAX);
        assert_eq!(full.after(least).reserved, 0);
    }
}
