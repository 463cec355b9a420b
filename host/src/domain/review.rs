//! What a person may decide about a payment that waits for one.

use strum::{EnumString, IntoStaticStr, VariantArray};

use super::payment::State;

/// How a person says that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    Succeeded,
    Failed,
    Cancelled,
}

/// Something that waits for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting<O> {
    /// The payment itself, by its attempt.
    Payment,
    /// A capture, a cancel or a refund of a payment that goes on without it.
    Operation(O),
}

/// One verdict that is possible now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possible<O> {
    pub about: Waiting<O>,
    pub verdict: Verdict,
}

/// All that are possible: of a payment in `manual_review` each of the three; of an operation in review, each of
/// `operations`, that it was done or that it was not. Where there is none the person can only close the review.
pub fn possible<O: Copy>(payment: State, operations: &[O]) -> Vec<Possible<O>> {
    let of_payment: &[Verdict] = if payment == State::ManualReview { Verdict::VARIANTS } else { &[] };
    let of_payment = of_payment.iter().map(|verdict| Possible { about: Waiting::Payment, verdict: *verdict });
    let of_operations = operations.iter().flat_map(|operation| {
        [Verdict::Succeeded, Verdict::Failed].map(|verdict| Possible { about: Waiting::Operation(*operation), verdict })
    });
    of_payment.chain(of_operations).collect()
}

/// What a verdict says, in a sentence: it is asserted, not checked, and cannot be taken back.
#[must_use]
pub fn meaning<O>(possible: &Possible<O>) -> &'static str {
    match (&possible.about, possible.verdict) {
        (Waiting::Payment, Verdict::Succeeded) => {
            "The money was taken, once. Where nothing is booked as captured yet, the whole amount is booked."
        }
        (Waiting::Payment, Verdict::Failed) => {
            "The gateway took nothing beyond what is booked as captured, holds nothing, and will not: the merchant may try again."
        }
        (Waiting::Payment, Verdict::Cancelled) => {
            "The payment is called off: what the gateway held was released, what it took was given back."
        }
        (Waiting::Operation(_), Verdict::Succeeded) => "The gateway did what this operation asked for.",
        (Waiting::Operation(_), Verdict::Failed | Verdict::Cancelled) => {
            "The gateway did not do what this operation asked for, and will not: the amount it reserved is free again."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what waits for a person can be decided by one.
    #[test]
    fn what_does_not_wait_cannot_be_decided() {
        for state in State::VARIANTS {
            let verdicts: Vec<_> = possible::<u8>(*state, &[]).iter().map(|possible| possible.verdict).collect();
            let wanted: &[Verdict] = if *state == State::ManualReview { Verdict::VARIANTS } else { &[] };
            assert_eq!(verdicts, wanted, "{state:?}");
        }
    }

    #[test]
    fn each_operation_was_done_or_was_not() {
        let of = |operation, verdict| Possible { about: Waiting::Operation(operation), verdict };
        let wanted =
            [of(1, Verdict::Succeeded), of(1, Verdict::Failed), of(2, Verdict::Succeeded), of(2, Verdict::Failed)];
        assert_eq!(possible(State::Succeeded, &[1, 2]), wanted);
        assert_eq!(possible(State::ManualReview, &[1]).len(), 5);
    }
}
