//! Amounts as Stripe counts them. For most currencies that is ISO 4217's minor unit; the others are here.
//!
//! Source: <https://docs.stripe.com/currencies#special-cases>.

use interlock_connector::types::{Decline, DeclineCode, Failure, Money, Pairs, RetryAdvice};

/// By how much Stripe's unit of some currencies is finer than ours, or ours than Stripe's.
const CENTS: u64 = 100;
/// Three decimals are sent, and the last one has to be a zero.
const LAST_DIGIT: u64 = 10;

/// How an amount of ours becomes one of Stripe's.
enum Scale {
    Same,
    /// ISO 4217 has no decimals, and Stripe counts hundredths for old times' sake: 5 ISK are 500.
    Finer,
    /// ISO 4217 has two decimals, and Stripe none: 5.00 MGA are 5.
    Coarser,
    /// Three decimals, of which card networks take two.
    LastDigitZero,
}

fn scale(currency: &str) -> Scale {
    match currency {
        "ISK" | "UGX" => Scale::Finer,
        "MGA" => Scale::Coarser,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => Scale::LastDigitZero,
        _ => Scale::Same,
    }
}

/// The amount in Stripe's unit; none where Stripe cannot say it.
pub fn to_stripe(money: &Money) -> Option<u64> {
    let amount = money.minor_units;
    match scale(&money.currency) {
        Scale::Same => Some(amount),
        Scale::Finer => amount.checked_mul(CENTS),
        Scale::Coarser => amount.is_multiple_of(CENTS).then_some(amount / CENTS),
        Scale::LastDigitZero => amount.is_multiple_of(LAST_DIGIT).then_some(amount),
    }
}

/// What Stripe means by an amount in a currency, which it writes in lower case.
pub fn from_stripe(amount: u64, currency: &str) -> Result<Money, Failure> {
    let currency = currency.to_ascii_uppercase();
    let minor_units = match scale(&currency) {
        Scale::Same | Scale::LastDigitZero => Some(amount),
        Scale::Finer => amount.is_multiple_of(CENTS).then_some(amount / CENTS),
        Scale::Coarser => amount.checked_mul(CENTS),
    };
    let minor_units = minor_units.ok_or_else(|| Failure::new(["the gateway's amount is no ", &currency].concat()))?;
    Ok(Money { minor_units, currency })
}

/// What is said of an amount that Stripe has no number for, before anything is sent.
pub fn unsayable(money: &Money, advice: RetryAdvice) -> Decline {
    Decline {
        code: DeclineCode::CurrencyUnsupported,
        gateway_code: "amount_not_representable".to_owned(),
        network_code: None,
        message: ["Stripe takes no such fraction of ", &money.currency, "."].concat(),
        advice,
        gateway_reference: None,
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_there_and_back() {
        let cases = [
            ("EUR", 1250, Some(1250)),
            ("JPY", 500, Some(500)),
            ("ISK", 5, Some(500)),
            ("UGX", 60_000, Some(6_000_000)),
            ("MGA", 500, Some(5)),
            ("MGA", 501, None),
            ("KWD", 5120, Some(5120)),
            ("KWD", 5124, None),
            ("ISK", u64::MAX, None),
        ];
        for (currency, ours, theirs) in cases {
            let money = Money::new(ours, currency);
            assert_eq!(to_stripe(&money), theirs, "{currency} {ours}");
            if let Some(theirs) = theirs {
                assert_eq!(from_stripe(theirs, &currency.to_ascii_lowercase()).unwrap(), money);
            }
        }
    }

    #[test]
    fn what_is_no_amount_of_a_currency_is_a_failure() {
        assert_eq!(from_stripe(501, "isk").unwrap_err().message, "the gateway's amount is no ISK");
        assert!(from_stripe(u64::MAX, "mga").is_err());
    }
}
