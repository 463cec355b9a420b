//! Amounts as Stripe counts them, where that is not ISO 4217's minor unit.

/// How many units of Stripe's are one of ISO's, or the other way round.
const CENTS: i64 = 100;
/// Card networks take two of three decimals.
const LAST_DIGIT: i64 = 10;

/// The amount in ISO's minor unit; nothing where Stripe would not take it.
pub fn from_stripe(amount: i64, currency: &str) -> Option<i64> {
    match currency {
        "ISK" | "UGX" => (amount % CENTS == 0).then_some(amount / CENTS),
        "MGA" => amount.checked_mul(CENTS),
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => (amount % LAST_DIGIT == 0).then_some(amount),
        _ => Some(amount),
    }
}

/// The other way round.
pub fn to_stripe(amount: i64, currency: &str) -> i64 {
    match currency {
        "ISK" | "UGX" => amount * CENTS,
        "MGA" => amount / CENTS,
        _ => amount,
    }
}

#[cfg(test)]
mod tests {
    use super::{from_stripe, to_stripe};

    #[test]
    fn special_currencies_go_there_and_back() {
        for (currency, theirs, ours) in
            [("EUR", 1_250, 1_250), ("ISK", 500, 5), ("UGX", 100, 1), ("MGA", 5, 500), ("KWD", 5_120, 5_120)]
        {
            assert_eq!(from_stripe(theirs, currency), Some(ours), "{currency}");
            assert_eq!(to_stripe(ours, currency), theirs, "{currency}");
        }
        assert_eq!(from_stripe(501, "ISK"), None);
        assert_eq!(from_stripe(5_124, "KWD"), None);
    }
}
