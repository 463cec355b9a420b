//! What Adyen cannot be asked for, and is declined before anybody is: another gateway may well take it.

use interlock_connector::types::{DeclineCode, Outcome, RetryAdvice};
use interlock_connector::{DeclineTable, Host};

/// Why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// A fraction that Adyen's minor units have no room for: 12.50 IDR.
    Amount,
    /// A stored method is used under its customer's reference, and there is none, or none that Adyen takes.
    Customer,
    /// A wallet without its token, or another method than was declared.
    Method,
}

/// The first is Adyen's own word for it, the others are what it would say in many.
const REASONS: DeclineTable = DeclineTable(&[
    ("137", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("shopper_reference", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("method", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
]);

impl Unfit {
    pub fn declined(self, host: &mut dyn Host) -> Outcome {
        let (word, message) = match self {
            Self::Amount => ("137", "The amount has a fraction that Adyen does not count in this currency."),
            Self::Customer => (
                "shopper_reference",
                "A stored method is used under its customer's reference, which has 3 to 256 characters at Adyen.",
            ),
            Self::Method => ("method", "Adyen takes wallets by their tokens alone, and no other methods of that kind."),
        };
        Outcome::Declined(REASONS.decline(word, message.to_owned(), host))
    }
}
