//! Amounts: whole minor units of one currency, never negative, never beyond what card networks can carry.

use std::{cmp::Ordering, fmt, str::FromStr};

/// The largest amount: field 4 of ISO 8583, which carries it through card networks, has twelve digits.
pub const AMOUNT_MAX_MINOR: i64 = 999_999_999_999;

/// A currency that money can be paid in: of the ISO 4217 list, without what is only counted in.
///
/// Left out are metals, units of account, funds codes (`CHE`, `CLF`, `USN` …), `XTS`, `XXX`, and what another currency
/// has replaced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(iso_currency::Currency);

/// The text is not the code of a currency that can be paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyFault {
    #[error("must be three capital letters, as in `EUR`")]
    CodeIsNotThreeCapitals,
    #[error("is not a currency of ISO 4217 that money is paid in")]
    CurrencyIsUnknown,
}

impl Currency {
    /// The three capitals.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many digits of an amount stand behind the decimal point: 2 for `EUR`, 0 for `JPY`, 3 for `KWD`.
    #[must_use]
    pub fn exponent(self) -> u8 {
        // The list knows none only for what parsing refuses: metals and units of account.
        self.0.exponent().and_then(|digits| u8::try_from(digits).ok()).unwrap_or(0)
    }
}

impl FromStr for Currency {
    type Err = CurrencyFault;

    fn from_str(code: &str) -> Result<Self, CurrencyFault> {
        use iso_currency::Currency as Iso;
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(CurrencyFault::CodeIsNotThreeCapitals);
        }
        match Iso::from_code(code) {
            // The list of the crate calls it replaced by VED; ISO 4217 keeps both, and cards are billed in VES.
            Some(Iso::VES) => Ok(Self(Iso::VES)),
            Some(known) if known.flags().is_empty() && known.exponent().is_some() => Ok(Self(known)),
            Some(_) | None => Err(CurrencyFault::CurrencyIsUnknown),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount of one currency, from 0 to [`AMOUNT_MAX_MINOR`] minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a sum of money cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyFault {
    #[error("must not be negative")]
    AmountIsNegative,
    #[error("must be at least 1")]
    AmountIsZero,
    #[error("must be at most {AMOUNT_MAX_MINOR}")]
    AmountIsAboveMaximum,
    #[error("more is taken away than is there")]
    WouldGoBelowZero,
    #[error("{left} and {right} cannot be reckoned together")]
    CurrenciesDiffer { left: Currency, right: Currency },
}

impl Money {
    /// `minor` units of `currency`; nothing at all is allowed, as in a total that has not begun.
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyFault> {
        match minor {
            ..=-1 => Err(MoneyFault::AmountIsNegative),
            0..=AMOUNT_MAX_MINOR => Ok(Self { minor, currency }),
            _ => Err(MoneyFault::AmountIsAboveMaximum),
        }
    }

    /// As [`Money::new`], and not nothing: an amount that somebody wants moved.
    pub fn to_move(minor: i64, currency: Currency) -> Result<Self, MoneyFault> {
        if minor == 0 {
            return Err(MoneyFault::AmountIsZero);
        }
        Self::new(minor, currency)
    }

    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// In minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyFault> {
        self.same_currency(other)?;
        // Both are far below half of an i64.
        Self::new(self.minor + other.minor, self.currency)
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyFault> {
        self.same_currency(other)?;
        Self::new(self.minor - other.minor, self.currency).map_err(|_| MoneyFault::WouldGoBelowZero)
    }

    /// Which is more. Not `PartialOrd`: amounts of two currencies have no order, and `<` could not say so aloud.
    pub fn compare(self, other: Self) -> Result<Ordering, MoneyFault> {
        self.same_currency(other)?;
        Ok(self.minor.cmp(&other.minor))
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyFault> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyFault::CurrenciesDiffer { left: self.currency, right: other.currency })
    }
}

/// With its decimal point, for people: `12.50 EUR`, `1250 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent());
        if digits == 0 {
            return write!(f, "{} {}", self.minor, self.currency);
        }
        let unit = 10_i64.pow(u32::from(self.currency.exponent()));
        write!(f, "{}.{:0digits$} {}", self.minor / unit, self.minor % unit, self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().unwrap()).unwrap()
    }

    /// All currencies of ISO 4217 whose exponent is not 2, and some of those whose exponent is.
    #[test]
    fn exponents_are_those_of_the_list() {
        let zero = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
        let three = "BHD IQD JOD KWD LYD OMR TND";
        let two = "EUR USD GBP INR HUF MGA MRU TWD CZK XCD XCG SLE ZWG VES VED";
        for (codes, exponent) in [(zero, 0), (three, 3), (two, 2)] {
            for code in codes.split(' ') {
                assert_eq!(code.parse::<Currency>().unwrap().exponent(), exponent, "{code}");
            }
        }
    }

    /// Every three capitals are tried: what passes has a code that reads the same, and an exponent of 0, 2 or 3.
    #[test]
    fn only_what_can_be_paid_in_is_a_currency() {
        let letters = || b'A'..=b'Z';
        let mut known = 0;
        for (a, b, c) in letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| (a, b, c)))) {
            let code = String::from_utf8(vec![a, b, c]).unwrap();
            let Ok(currency) = code.parse::<Currency>() else { continue };
            assert_eq!(currency.code(), code);
            assert!([0, 2, 3].contains(&currency.exponent()), "{code}");
            known += 1;
        }
        assert!((150..165).contains(&known), "{known} currencies");
        for refused in
            "XXX XTS XAU XAG XPT XPD XDR XUA XSU XBA XAD USN CHE CHW CLF COU MXV BOV UYI UYW HRK SLL".split(' ')
        {
            assert_eq!(refused.parse::<Currency>(), Err(CurrencyFault::CurrencyIsUnknown), "{refused}");
        }
        for refused in ["usd", "Usd", "US", "USDT", "", "U D", "840", "€€€", "\u{ff35}"] {
            assert_eq!(refused.parse::<Currency>(), Err(CurrencyFault::CodeIsNotThreeCapitals), "{refused}");
        }
    }

    #[test]
    fn amounts_have_bounds() {
        let eur = "EUR".parse().unwrap();
        assert_eq!(Money::new(-1, eur), Err(MoneyFault::AmountIsNegative));
        assert_eq!(Money::new(i64::MIN, eur), Err(MoneyFault::AmountIsNegative));
        assert_eq!(Money::new(AMOUNT_MAX_MINOR + 1, eur), Err(MoneyFault::AmountIsAboveMaximum));
        assert_eq!(Money::new(i64::MAX, eur), Err(MoneyFault::AmountIsAboveMaximum));
        assert_eq!(Money::new(AMOUNT_MAX_MINOR, eur).map(Money::minor), Ok(AMOUNT_MAX_MINOR));
        assert_eq!(Money::new(0, eur), Ok(Money::zero(eur)));
        assert_eq!(Money::to_move(0, eur), Err(MoneyFault::AmountIsZero));
        assert_eq!(Money::to_move(-5, eur), Err(MoneyFault::AmountIsNegative));
        assert_eq!(Money::to_move(1, eur).map(Money::minor), Ok(1));
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(money(1, "EUR").checked_add(money(2, "EUR")), Ok(money(3, "EUR")));
        assert_eq!(money(3, "EUR").checked_sub(money(3, "EUR")), Ok(money(0, "EUR")));
        assert_eq!(money(3, "EUR").checked_sub(money(4, "EUR")), Err(MoneyFault::WouldGoBelowZero));
        let full = money(AMOUNT_MAX_MINOR, "EUR");
        assert_eq!(full.checked_add(money(1, "EUR")), Err(MoneyFault::AmountIsAboveMaximum));
        assert_eq!(full.checked_add(full), Err(MoneyFault::AmountIsAboveMaximum));
        let (left, right) = ("EUR".parse().unwrap(), "USD".parse().unwrap());
        let differ = MoneyFault::CurrenciesDiffer { left, right };
        assert_eq!(money(1, "EUR").checked_add(money(1, "USD")), Err(differ));
        assert_eq!(money(1, "EUR").checked_sub(money(0, "USD")), Err(differ));
        assert_eq!(money(1, "EUR").compare(money(1, "USD")), Err(differ));
        assert_eq!(money(1, "EUR").compare(money(2, "EUR")), Ok(Ordering::Less));
        assert_eq!(differ.to_string(), "EUR and USD cannot be reckoned together");
    }

    #[test]
    fn people_read_decimal_points() {
        let read =
            [(1250, "EUR", "12.50 EUR"), (5, "EUR", "0.05 EUR"), (1250, "JPY", "1250 JPY"), (7, "KWD", "0.007 KWD")];
        for (minor, code, text) in read {
            assert_eq!(money(minor, code).to_string(), text);
        }
    }
}
