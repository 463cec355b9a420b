//! Minor units and decimal strings, without floats: what gateways write as "12.50" and as 1250.

use crate::types::{Failure, Money, SignedMoney};

/// Currencies whose minor unit is the major one. ISO 4217, as the other lists here.
const NO_DECIMALS: &str = "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF";
const TWO_DECIMALS: &str = "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHW\
CNYCOPCOUCRCCUCCUPCVECZKDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGTQGYDHKDHNLHRKHTGHUFIDRILSINRIRRJMDKESKGSKHRKPW\
KYDKZTLAKLBPLKRLRDLSLMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDPABPENPGKPHPPKRPLNQARRONRSDRUB\
SARSBDSCRSDGSEKSGDSHPSLESLLSOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTOPTRYTTDTWDTZSUAHUSDUSNUYUUZSVEDVESWSTXADXCDXCGYERZARZMWZWGZWL";
const THREE_DECIMALS: &str = "BHDIQDJODKWDLYDOMRTND";
const FOUR_DECIMALS: &str = "CLFUYW";

/// How many decimals the currency's minor unit has: 2 for EUR, 0 for JPY, 3 for KWD. None for what is no currency of
/// ISO 4217. A gateway with its own idea of some currency needs its own exception to this.
#[must_use]
pub fn exponent(currency: &str) -> Option<u32> {
    let code = <[u8; 3]>::try_from(currency.as_bytes()).ok()?;
    [TWO_DECIMALS, NO_DECIMALS, THREE_DECIMALS, FOUR_DECIMALS]
        .iter()
        .position(|list| list.as_bytes().as_chunks::<3>().0.contains(&code))
        .and_then(|list| [2, 0, 3, 4].get(list).copied())
}

/// `minor_units` with `exponent` decimals: 1250 and 2 make "12.50".
#[must_use]
pub fn to_decimal(minor_units: u64, exponent: u32) -> String {
    let mut digits = String::new();
    crate::request::push_decimal(&mut digits, minor_units);
    let decimals = exponent as usize;
    if decimals == 0 {
        return digits;
    }
    let missing = (decimals + 1).saturating_sub(digits.len());
    digits.insert_str(0, &"0".repeat(missing));
    digits.insert(digits.len() - decimals, '.');
    digits
}

/// The minor units of a decimal text: "12.50", "12.5" and "12" with 2 decimals make 1250, 1250 and 1200. None for a
/// sign, an exponent, a comma, a space, more decimals than the currency has (unless they are zeros), and overflow.
#[must_use]
pub fn from_decimal(text: &str, exponent: u32) -> Option<u64> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    if whole.is_empty() {
        return None;
    }
    let places = exponent as usize;
    if decimals.len() > places && decimals.bytes().skip(places).any(|digit| digit != b'0') {
        return None;
    }
    let zeros = std::iter::repeat(b'0');
    whole.bytes().chain(decimals.bytes().chain(zeros).take(places)).try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// As [`from_decimal`], with a minus in front where it is below zero: settlement files have such amounts.
#[must_use]
pub fn from_signed_decimal(text: &str, exponent: u32) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(digits) => 0_i64.checked_sub_unsigned(from_decimal(digits, exponent)?),
        None => from_decimal(text, exponent)?.try_into().ok(),
    }
}

impl Money {
    /// An amount in the currency's minor unit.
    pub fn new(minor_units: u64, currency: impl Into<String>) -> Self {
        Self { minor_units, currency: currency.into() }
    }

    /// The amount as gateways write it that count in major units: "12.50". A failure for an unknown currency.
    pub fn to_decimal(&self) -> Result<String, Failure> {
        Ok(to_decimal(self.minor_units, known_exponent(&self.currency)?))
    }

    /// The amount of a text like "12.50". A failure for an unknown currency and for what [`from_decimal`] refuses.
    pub fn from_decimal(text: &str, currency: impl Into<String>) -> Result<Self, Failure> {
        let currency = currency.into();
        let minor_units = from_decimal(text, known_exponent(&currency)?);
        let minor_units = minor_units.ok_or_else(|| Failure::new(["an amount is no ", &currency].concat()))?;
        Ok(Self { minor_units, currency })
    }
}

impl SignedMoney {
    /// An amount that may be below zero, in the currency's minor unit.
    pub fn new(minor_units: i64, currency: impl Into<String>) -> Self {
        Self { minor_units, currency: currency.into() }
    }
}

fn known_exponent(currency: &str) -> Result<u32, Failure> {
    exponent(currency).ok_or_else(|| Failure::new(["the currency ", currency, " is not known"].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every currency that another list knows has the exponent that it says there.
    #[test]
    fn exponents_are_those_of_iso_4217() {
        use iso_currency::IntoEnumIterator as _;
        let listed =
            iso_currency::Currency::iter().filter_map(|currency| Some((currency.code(), currency.exponent()?)));
        // Metals, funds and the code for tests have no minor unit, and are not known here.
        let others: Vec<_> = listed.filter(|(code, digits)| exponent(code) != Some((*digits).into())).collect();
        assert_eq!(others, []);
        for unknown in ["", "EU", "eur", "EURO", "XXY", "RUS", "ÄU"] {
            assert_eq!(exponent(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_currency_is_listed_twice() {
        let lists = [NO_DECIMALS, TWO_DECIMALS, THREE_DECIMALS, FOUR_DECIMALS].concat();
        let (codes, rest) = lists.as_bytes().as_chunks::<3>();
        assert!(rest.is_empty() && codes.as_flattened().iter().all(u8::is_ascii_uppercase));
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn amounts_go_there_and_back() {
        for exponent in [0, 2, 3, 4] {
            for amount in [0, 1, 9, 10, 99, 100, 999, 1000, 1250, 123_456_789, u64::MAX] {
                assert_eq!(from_decimal(&to_decimal(amount, exponent), exponent), Some(amount));
            }
        }
        assert_eq!(to_decimal(5, 3), "0.005");
        assert_eq!(to_decimal(1250, 2), "12.50");
        assert_eq!(to_decimal(1250, 0), "1250");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let cases = [
            ("12.5", 2, Some(1250)),
            ("12", 2, Some(1200)),
            ("12.500", 2, Some(1250)),
            ("0012.34", 2, Some(1234)),
            ("12.505", 2, None),
            ("12.5", 0, None),
            ("12.0", 0, Some(12)),
            ("", 2, None),
            (".5", 2, None),
            ("5.", 2, None),
            ("-5", 2, None),
            ("+5", 2, None),
            ("1e3", 2, None),
            ("1,50", 2, None),
            (" 1", 2, None),
            ("1.2.3", 4, None),
            ("1.2.000", 1, None),
            ("١", 0, None),
            ("18446744073709551615", 0, Some(u64::MAX)),
            ("18446744073709551616", 0, None),
            ("184467440737095516.16", 2, None),
        ];
        for (text, exponent, amount) in cases {
            assert_eq!(from_decimal(text, exponent), amount, "{text:?} with {exponent}");
        }
        assert_eq!(from_signed_decimal("-9223372036854775808", 0), Some(i64::MIN));
        assert_eq!(from_signed_decimal("9223372036854775808", 0), None);
        assert_eq!(from_signed_decimal("--1", 0), None);
    }

    #[test]
    fn money_knows_its_decimals() {
        assert_eq!(Money::new(1250, "KWD").to_decimal().unwrap(), "1.250");
        assert_eq!(Money::from_decimal("1250", "JPY").unwrap(), Money::new(1250, "JPY"));
        assert_eq!(Money::from_decimal("1", "XTS").unwrap_err().message, "the currency XTS is not known");
        assert_eq!(Money::from_decimal("1.234", "EUR").unwrap_err().message, "an amount is no EUR");
    }
}
