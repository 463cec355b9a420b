//! Amounts as PayPal writes them: decimal strings in the major unit.
//!
//! PayPal has its own idea of two currencies: ISO 4217 gives the forint and the Taiwan dollar two decimals, PayPal takes
//! them whole and refuses a fraction. The yen has none in both.

use interlock_connector::money::{exponent, to_decimal};
use interlock_connector::types::{Failure, Money};
use serde::Deserialize;

/// What PayPal takes in whole units alone, and ISO 4217 counts in hundredths.
const WHOLE_AT_PAYPAL: [&str; 2] = ["HUF", "TWD"];

/// How many of ISO 4217's minor units one of those is.
const HUNDREDTHS: u64 = 100;

/// `{"currency_code": "EUR", "value": "12.50"}`
#[derive(Clone, Deserialize)]
pub struct Amount {
    pub currency_code: String,
    pub value: String,
}

impl Amount {
    /// In the currency's minor unit: both ways of writing forints make the same.
    pub fn money(&self) -> Result<Money, Failure> {
        Money::from_decimal(&self.value, self.currency_code.as_str())
    }
}

/// How many decimals PayPal gives the currency. None for one that nobody knows.
pub fn decimals(currency: &str) -> Option<u32> {
    if WHOLE_AT_PAYPAL.contains(&currency) { Some(0) } else { exponent(currency) }
}

/// The amount as PayPal wants it. None where it has a fraction that PayPal does not take: 12.50 forints.
pub fn written(money: &Money) -> Result<Option<String>, Failure> {
    if !WHOLE_AT_PAYPAL.contains(&money.currency.as_str()) {
        return money.to_decimal().map(Some);
    }
    let is_whole = money.minor_units.is_multiple_of(HUNDREDTHS);
    Ok(is_whole.then(|| to_decimal(money.minor_units / HUNDREDTHS, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forints_and_taiwan_dollars_are_whole() {
        let cases = [
            (1250, "EUR", Some("12.50")),
            (5, "USD", Some("0.05")),
            (1250, "JPY", Some("1250")),
            (125_000, "HUF", Some("1250")),
            (125_050, "HUF", None),
            (100, "TWD", Some("1")),
            (1, "TWD", None),
        ];
        for (minor_units, currency, expected) in cases {
            let money = Money::new(minor_units, currency);
            assert_eq!(written(&money).unwrap().as_deref(), expected, "{minor_units} {currency}");
            if let Some(value) = expected {
                let amount = Amount { currency_code: currency.to_owned(), value: value.to_owned() };
                assert_eq!(amount.money().unwrap(), money);
            }
        }
        assert_eq!(decimals("HUF"), Some(0));
        assert_eq!(decimals("EUR"), Some(2));
    }
}
