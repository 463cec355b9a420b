//! Card brands: which numbers are whose, how long they are, and how long their codes are.

/// A card network.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum Brand {
    Visa,
    Mastercard,
    Amex,
    Discover,
    Diners,
    Jcb,
    UnionPay,
    Maestro,
    RuPay,
    /// None of the ranges below: it may be paid with all the same, the gateway knows better.
    Unknown,
}

/// The shortest and the longest card number (ISO/IEC 7812).
pub const NUMBER_DIGITS_MIN: usize = 12;
pub const NUMBER_DIGITS_MAX: usize = 19;

/// First and last value of a number's first six digits, and whose they are. The first row that fits counts: ranges
/// inside of wider ones stand before them. As the networks publish them; a range that two networks share (622126 to
/// 622925: `UnionPay`, accepted by Discover too) is given to the one that issues the cards.
const RANGES: &[(u32, u32, Brand)] = &[
    (222_100, 272_099, Brand::Mastercard),
    (300_000, 305_999, Brand::Diners),
    (309_500, 309_599, Brand::Diners),
    (340_000, 349_999, Brand::Amex),
    (352_800, 358_999, Brand::Jcb),
    (360_000, 369_999, Brand::Diners),
    (370_000, 379_999, Brand::Amex),
    (380_000, 399_999, Brand::Diners),
    (400_000, 499_999, Brand::Visa),
    (501_800, 501_899, Brand::Maestro),
    (502_000, 502_099, Brand::Maestro),
    (503_800, 503_899, Brand::Maestro),
    (508_500, 508_999, Brand::RuPay),
    (510_000, 559_999, Brand::Mastercard),
    (589_300, 589_399, Brand::Maestro),
    (601_100, 601_199, Brand::Discover),
    (606_985, 607_984, Brand::RuPay),
    (608_001, 608_500, Brand::RuPay),
    (620_000, 629_999, Brand::UnionPay),
    (630_400, 630_499, Brand::Maestro),
    (644_000, 649_999, Brand::Discover),
    (652_150, 653_149, Brand::RuPay),
    (650_000, 659_999, Brand::Discover),
    (675_900, 675_999, Brand::Maestro),
    (676_100, 676_399, Brand::Maestro),
    (810_000, 817_199, Brand::UnionPay),
    (817_200, 820_199, Brand::RuPay),
];

impl Brand {
    /// Whose number begins with these six digits.
    #[must_use]
    pub fn of_bin(bin: u32) -> Self {
        let range = RANGES.iter().find(|(first, last, _)| (*first..=*last).contains(&bin));
        range.map_or(Self::Unknown, |(_, _, brand)| *brand)
    }

    /// As it stands in answers and in what connectors see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How many digits its numbers have.
    #[must_use]
    pub fn number_digits(self) -> &'static [usize] {
        match self {
            Self::Visa => &[13, 16, 19],
            Self::Mastercard | Self::RuPay => &[16],
            Self::Amex => &[15],
            Self::Diners => &[14, 15, 16, 17, 18, 19],
            Self::Discover | Self::Jcb | Self::UnionPay => &[16, 17, 18, 19],
            Self::Maestro | Self::Unknown => &[12, 13, 14, 15, 16, 17, 18, 19],
        }
    }

    /// How many digits its codes (CVC) have.
    #[must_use]
    pub fn code_digits(self) -> &'static [usize] {
        match self {
            Self::Amex => &[4],
            Self::Unknown => &[3, 4],
            Self::Visa
            | Self::Mastercard
            | Self::Discover
            | Self::Diners
            | Self::Jcb
            | Self::UnionPay
            | Self::Maestro
            | Self::RuPay => &[3],
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    /// The edges of each range, and their neighbours outside.
    #[test]
    fn brands_begin_and_end_where_the_networks_say() {
        let table = [
            ("visa", "400000 499999"),
            ("mastercard", "222100 272099 510000 559999"),
            ("amex", "340000 349999 370000 379999"),
            ("diners", "300000 305999 309500 309599 360000 369999 380000 399999"),
            ("discover", "601100 601199 644000 649999 650000 652149 653150 659999"),
            ("jcb", "352800 358999"),
            ("unionpay", "620000 622126 622925 629999 810000 817199"),
            ("maestro", "501800 501899 502000 503800 589300 630400 675900 676100 676399"),
            ("rupay", "508500 508999 606985 607984 608001 608500 652150 653149 817200 820199"),
            (
                "unknown",
                "0 199999 222099 272100 306000 352799 359000 509000 560000 601200 606984 608000 643999 660000 820200 999999",
            ),
        ];
        for (brand, bins) in table {
            for bin in bins.split(' ') {
                assert_eq!(Brand::of_bin(bin.parse().unwrap()).as_str(), brand, "{bin}");
            }
        }
    }

    #[test]
    fn every_brand_has_lengths_within_the_standard() {
        for brand in Brand::VARIANTS {
            assert!(brand.number_digits().iter().all(|n| (NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(n)));
            assert!(brand.number_digits().is_sorted() && !brand.number_digits().is_empty());
            assert_eq!(brand.as_str().parse::<Brand>().unwrap(), *brand);
        }
    }
}
