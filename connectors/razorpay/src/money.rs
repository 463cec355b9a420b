//! Razorpay's currencies, and amounts that it cannot take. Minor units are those of ISO 4217 throughout.

use interlock_connector::money::exponent;
use interlock_connector::types::{Decline, DeclineCode, Money, Pairs, RetryAdvice};

/// The currencies of Razorpay's list for international payments, which names an exponent for each: those of ISO 4217.
pub const CURRENCIES: &str = "INR AED ALL AMD AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BZD CAD \
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD GBP GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR \
ILS IQD ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN \
MYR MZN NAD NGN NIO NOK NPR NZD OMR PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SCR SEK SGD SLL SOS SVC SZL THB \
TND TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV XAF XCD XOF XPF YER ZAR ZMW";

/// Decimals of the currencies whose last digit must be 0: KWD 99.991 is sent as 99990.
const EXPONENT_WITH_RULE: u32 = 3;

/// Why Razorpay would not take this amount: one with three decimals must end in 0. It is refused here, because
/// rounding it would charge something else than was asked for.
pub fn unfit(amount: &Money) -> Option<Decline> {
    let ends_wrong = exponent(&amount.currency) == Some(EXPONENT_WITH_RULE) && !amount.minor_units.is_multiple_of(10);
    ends_wrong.then(|| {
        let message = ["Razorpay takes amounts in ", &amount.currency, " only with a last digit of 0."].concat();
        locally(DeclineCode::Misconfigured, RetryAdvice::OtherGateway, "three_decimals", message)
    })
}

/// A decline that comes from here and not from Razorpay: nothing was sent.
pub fn locally(code: DeclineCode, advice: RetryAdvice, word: &str, message: impl Into<String>) -> Decline {
    Decline {
        code,
        gateway_code: word.to_owned(),
        network_code: None,
        message: message.into(),
        advice,
        gateway_reference: None,
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every currency is one of ISO 4217 and is there once. Razorpay's exponents for the odd ones, as its list has them.
    #[test]
    fn currencies_have_the_exponents_of_razorpays_list() {
        let codes: Vec<_> = CURRENCIES.split(' ').collect();
        let unique: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(unique.len(), codes.len());
        let with = |decimals| {
            let mut found: Vec<_> = codes.iter().copied().filter(|code| exponent(code) == Some(decimals)).collect();
            found.sort_unstable();
            found.join(" ")
        };
        assert_eq!(with(0), "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF");
        assert_eq!(with(3), "BHD IQD JOD KWD OMR TND");
        assert!(codes.iter().all(|code| exponent(code).is_some()));
    }

    #[test]
    fn only_three_decimals_must_end_in_nought() {
        for (minor_units, currency, fits) in
            [(12_345, "KWD", false), (12_340, "KWD", true), (12_345, "INR", true), (12_345, "JPY", true)]
        {
            assert_eq!(unfit(&Money::new(minor_units, currency)).is_none(), fits, "{minor_units} {currency}");
        }
    }
}
