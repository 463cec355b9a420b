//! Amounts as Adyen counts them: in minor units of ISO 4217, but for four currencies.

use interlock_connector::types::{Failure, Money};
use serde::Deserialize;

/// What lies between Adyen's idea of these currencies' minor units and the standard's.
const FACTOR: u64 = 100;

/// Adyen's own decimals, where they are not the standard's: its page of currency codes marks these four.
/// <https://docs.adyen.com/development-resources/currency-codes>
enum Decimals {
    AsStandard,
    /// Two where the standard has none.
    Two,
    /// None where the standard has two.
    None,
}

fn decimals(currency: &str) -> Decimals {
    match currency {
        "CLP" | "ISK" => Decimals::Two,
        "CVE" | "IDR" => Decimals::None,
        _ => Decimals::AsStandard,
    }
}

/// How many decimals Adyen writes the currency with; none for what is no currency.
pub fn exponent(currency: &str) -> Option<u32> {
    match decimals(currency) {
        Decimals::AsStandard => interlock_connector::money::exponent(currency),
        Decimals::Two => Some(2),
        Decimals::None => Some(0),
    }
}

/// An amount as Adyen writes it.
#[derive(Clone, Deserialize)]
pub struct Amount {
    pub value: u64,
    pub currency: String,
}

impl Amount {
    /// None for a fraction that Adyen has no room for: 12.50 IDR.
    pub fn of(money: &Money) -> Option<Self> {
        let value = match decimals(&money.currency) {
            Decimals::AsStandard => Some(money.minor_units),
            Decimals::Two => money.minor_units.checked_mul(FACTOR),
            Decimals::None => divided(money.minor_units),
        };
        Some(Self { value: value?, currency: money.currency.clone() })
    }

    /// The amount as Interlock counts it. A failure for a fraction that the standard has no room for.
    pub fn money(self) -> Result<Money, Failure> {
        let minor_units = match decimals(&self.currency) {
            Decimals::AsStandard => Some(self.value),
            Decimals::Two => divided(self.value),
            Decimals::None => self.value.checked_mul(FACTOR),
        };
        match minor_units {
            Some(minor_units) => Ok(Money::new(minor_units, self.currency)),
            None => Err(Failure::new("an amount of Adyen's cannot be said in the currency's minor units")),
        }
    }
}

fn divided(value: u64) -> Option<u64> {
    value.is_multiple_of(FACTOR).then_some(value / FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each currency with Adyen's own decimals is another number there, and comes back as it went.
    #[test]
    fn amounts_go_there_and_back() {
        let cases = [
            ("EUR", 1250, 1250),
            ("JPY", 1250, 1250),
            ("KWD", 1250, 1250),
            ("CLP", 1250, 125_000),
            ("ISK", 1250, 125_000),
            ("CVE", 125_000, 1250),
            ("IDR", 125_000, 1250),
        ];
        for (currency, ours, theirs) in cases {
            let money = Money::new(ours, currency);
            let amount = Amount::of(&money).unwrap();
            assert_eq!((amount.value, amount.currency.as_str()), (theirs, currency));
            assert_eq!(amount.money().unwrap(), money);
        }
    }

    #[test]
    fn what_has_no_room_is_refused() {
        assert!(Amount::of(&Money::new(1250 + 1, "IDR")).is_none());
        assert!(Amount::of(&Money::new(u64::MAX, "CLP")).is_none());
        assert!(Amount { value: 150, currency: "ISK".to_owned() }.money().is_err());
        assert!(Amount { value: u64::MAX, currency: "CVE".to_owned() }.money().is_err());
    }

    #[test]
    fn decimals_are_adyens() {
        let known = ["EUR", "JPY", "KWD", "CLP", "ISK", "CVE", "IDR", "XXY"].map(exponent);
        assert_eq!(known, [Some(2), Some(0), Some(3), Some(2), Some(2), Some(0), Some(0), None]);
    }
}
