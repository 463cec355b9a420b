//! Amounts as gateways write them. The ledger counts in minor units as ISO 4217 has them; a face whose gateway has
//! exceptions says so itself.

/// Currencies without a minor unit (ISO 4217).
const WITHOUT_DECIMALS: [&str; 16] =
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Currencies whose minor unit is a thousandth.
const WITH_THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// How many decimals a currency has.
pub fn exponent(currency: &str) -> usize {
    if WITHOUT_DECIMALS.contains(&currency) {
        0
    } else if WITH_THREE.contains(&currency) {
        3
    } else {
        2
    }
}

/// Minor units as a decimal number: 1050 with two decimals is `10.50`.
pub fn decimal(minor: i64, decimals: usize) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", minor.unsigned_abs(), width = decimals + 1);
    match digits.split_at(digits.len() - decimals) {
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

/// A decimal number in minor units; nothing where it is none, or has more decimals than the currency.
pub fn minor(decimal: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || (decimal.contains('.') && !digits(fraction)) || fraction.len() > decimals {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_and_read_with_the_decimals_of_their_currency() {
        for (amount, currency, text) in [
            (1_050, "EUR", "10.50"),
            (5, "EUR", "0.05"),
            (0, "USD", "0.00"),
            (500, "JPY", "500"),
            (12_345, "KWD", "12.345"),
        ] {
            assert_eq!(decimal(amount, exponent(currency)), text);
            assert_eq!(minor(text, exponent(currency)), Some(amount), "{text}");
        }
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!((minor("10", 2), minor("10.5", 2)), (Some(1_000), Some(1_050)));
        for text in ["", ".5", "1.", "1.234", "1,5", "-1", "1e3", "99999999999999999999"] {
            assert_eq!(minor(text, 2), None, "{text}");
        }
    }
}
