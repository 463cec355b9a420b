//! Countries, as ISO 3166-1 names them with two letters.

use std::{fmt, str::FromStr};

/// The officially assigned codes of ISO 3166-1 alpha-2, in their order. What is reserved or left to users (`EU`, `UK`,
/// `XK`, `ZZ`) is not among them.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
                     BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
                     EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
                     HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
                     LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
                     NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
                     SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
                     TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A country of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

/// The text is not the code of a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountryFault {
    #[error("must be two capital letters, as in `DE`")]
    CodeIsNotTwoCapitals,
    #[error("is not a country of ISO 3166-1")]
    CountryIsUnknown,
}

impl Country {
    /// The two capitals.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.0
    }
}

impl FromStr for Country {
    type Err = CountryFault;

    fn from_str(code: &str) -> Result<Self, CountryFault> {
        if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(CountryFault::CodeIsNotTwoCapitals);
        }
        CODES.split(' ').find(|known| *known == code).map(Self).ok_or(CountryFault::CountryIsUnknown)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_standards() {
        let codes: Vec<_> = CODES.split(' ').collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted_by(|left, right| left < right));
        for code in codes {
            assert_eq!(code.parse::<Country>().map(Country::code), Ok(code));
        }
    }

    #[test]
    fn only_countries_are_countries() {
        for refused in ["UK", "EU", "XK", "ZZ", "AA"] {
            assert_eq!(refused.parse::<Country>(), Err(CountryFault::CountryIsUnknown), "{refused}");
        }
        for refused in ["de", "De", "DEU", "D", "", "D ", "49", "ÄÖ"] {
            assert_eq!(refused.parse::<Country>(), Err(CountryFault::CodeIsNotTwoCapitals), "{refused}");
        }
    }
}
