//! What a single value may be: texts, whole numbers, ids, words and addresses, each with its bounds.
//!
//! Each function gives a reader for [`super::Fields`]; its error completes the sentence that begins with the field's
//! name, and never quotes a value, which may be a card number that strayed.

use std::{ops::RangeInclusive, str::FromStr};

use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use crate::domain::{country::Country, event_types, money::Currency};

/// Characters of a URL that we hand on.
pub const URL_MAX_CHARACTERS: usize = 2048;

/// What a value is, for people.
pub fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A string as it stands.
pub fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("must be a string, not {}", name_of(value)))
}

/// A string with so many characters, none of them NUL (which Postgres cannot keep).
pub fn text(characters: RangeInclusive<usize>) -> impl Fn(&Value) -> Result<String, String> {
    move |value| {
        let text = string(value)?;
        check_text(text, &characters)?;
        Ok(text.to_owned())
    }
}

/// As [`text`], of a string that is not in a value.
pub fn check_text(text: &str, characters: &RangeInclusive<usize>) -> Result<(), String> {
    let count = text.chars().count();
    if count < *characters.start() {
        return Err(if count == 0 {
            "must not be empty".to_owned()
        } else {
            format!("must have at least {} characters, not {count}", characters.start())
        });
    }
    if count > *characters.end() {
        return Err(format!("must have at most {} characters, not {count}", characters.end()));
    }
    if text.contains('\0') {
        return Err("must not contain the character U+0000".to_owned());
    }
    Ok(())
}

/// A whole number in `range`.
pub fn whole(range: RangeInclusive<i64>) -> impl Fn(&Value) -> Result<i64, String> {
    move |value| {
        let Value::Number(number) = value else {
            return Err(format!("must be a whole number, not {}", name_of(value)));
        };
        let too_large = || format!("must be at most {}", range.end());
        let Some(whole) = number.as_i64() else {
            let beyond = number.is_u64() || number.as_f64().is_some_and(|float| float.abs() >= BEYOND_EXACT);
            return Err(if beyond { too_large() } else { "must be a whole number, without a fraction".to_owned() });
        };
        if whole < *range.start() {
            return Err(format!("must be at least {}", range.start()));
        }
        if whole > *range.end() {
            return Err(too_large());
        }
        Ok(whole)
    }
}

/// From here on a double has no fraction: such a number is not fractional but too large.
const BEYOND_EXACT: f64 = 9_007_199_254_740_992.0;

/// `true` or `false`.
pub fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("must be true or false, not {}", name_of(value)))
}

/// An id of one of our objects.
pub fn id<T>(value: &Value) -> Result<T, String>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    string(value)?.parse().map_err(|fault: T::Err| format!("is not an id: {fault}"))
}

/// One of `words`, as the type has them.
pub fn word<T: FromStr>(words: &'static [&'static str]) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let text = string(value)?;
        let known = words.contains(&text).then(|| text.parse().ok()).flatten();
        known.ok_or_else(|| {
            let hint = match super::nearest(text, words.iter().copied()) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None => String::new(),
            };
            format!("must be one of: {}{hint}", words.join(", "))
        })
    }
}

/// A type of event, or a pattern of them (`payment.*`, `*`).
pub fn event_types(value: &Value) -> Result<&str, String> {
    let text = string(value)?;
    if event_types::is_pattern(text) {
        return Ok(text);
    }
    let known: Vec<_> = event_types::patterns().collect();
    Err(match super::nearest(text, known.iter().map(String::as_str)) {
        Some(meant) => format!("is no type of event; did you mean `{meant}`?"),
        None => "is no type of event; there are `*`, `payment.*` and the like, and those of the contract's webhooks"
            .to_owned(),
    })
}

/// A currency that money is paid in.
pub fn currency(value: &Value) -> Result<Currency, String> {
    string(value)?.parse().map_err(|fault: crate::domain::money::CurrencyFault| fault.to_string())
}

/// A country of ISO 3166-1, by its two letters.
pub fn country(value: &Value) -> Result<Country, String> {
    string(value)?.parse().map_err(|fault: crate::domain::country::CountryFault| fault.to_string())
}

/// An absolute http or https URL, without a user or a password in it, as it was written.
pub fn web_url(value: &Value) -> Result<String, String> {
    let text = text(1..=URL_MAX_CHARACTERS)(value)?;
    check_web_url(&text)?;
    Ok(text)
}

/// As [`web_url`], of a string that is not in a value.
pub fn check_web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|fault| format!("is not an absolute URL: {fault}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must be an http or https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or a password".to_owned());
    }
    // The parser drops them silently; what we hand on must be what was checked.
    if text.chars().any(|character| character.is_control() || character == ' ') {
        return Err("must not contain spaces or control characters".to_owned());
    }
    Ok(url)
}

/// A whole number written as text: what a query parameter is.
pub fn whole_text(range: RangeInclusive<i64>) -> impl Fn(&Value) -> Result<i64, String> {
    move |value| {
        let number: i64 = string(value)?.parse().map_err(|_| "must be a whole number".to_owned())?;
        whole(range.clone())(&Value::from(number))
    }
}

/// A point in time (RFC 3339).
pub fn time(value: &Value) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(string(value)?);
    parsed.map(Into::into).map_err(|_| "must be a time as in `2030-01-31T12:00:00Z`".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{money::AMOUNT_MAX_MINOR, payment::CaptureMethod};

    #[test]
    fn amounts_are_whole_and_bounded() {
        let amount = whole(1..=AMOUNT_MAX_MINOR);
        assert_eq!(amount(&json!(1)), Ok(1));
        assert_eq!(amount(&json!(AMOUNT_MAX_MINOR)), Ok(AMOUNT_MAX_MINOR));
        let refused = [
            (json!(0), "must be at least 1"),
            (json!(-5), "must be at least 1"),
            (json!(AMOUNT_MAX_MINOR + 1), "must be at most 999999999999"),
            (json!(u64::MAX), "must be at most 999999999999"),
            (json!(1e30), "must be at most 999999999999"),
            (json!(10.5), "must be a whole number, without a fraction"),
            (json!(10.0), "must be a whole number, without a fraction"),
            (json!("10"), "must be a whole number, not a string"),
            (json!(true), "must be a whole number, not a boolean"),
            (json!([]), "must be a whole number, not an array"),
        ];
        for (value, why) in refused {
            assert_eq!(amount(&value), Err(why.to_owned()), "{value}");
        }
    }

    #[test]
    fn texts_are_counted_in_characters() {
        let name = text(1..=3);
        assert_eq!(name(&json!("äöü")), Ok("äöü".to_owned()));
        assert_eq!(name(&json!("")), Err("must not be empty".to_owned()));
        assert_eq!(name(&json!("abcd")), Err("must have at most 3 characters, not 4".to_owned()));
        assert_eq!(name(&json!("a\u{0}")), Err("must not contain the character U+0000".to_owned()));
        assert_eq!(name(&json!(4_242_424_242_424_242_u64)), Err("must be a string, not a number".to_owned()));
    }

    #[test]
    fn urls_are_absolute_and_of_the_web() {
        for accepted in ["https://shop.example/return?order=1", "http://127.0.0.1:8080"] {
            assert_eq!(web_url(&json!(accepted)), Ok(accepted.to_owned()));
        }
        let refused = [
            "/return",
            "ftp://a.example",
            "javascript:alert(1)",
            "https://",
            "https://u:p@a.example",
            "https://a.example/ b",
        ];
        for refused in refused {
            assert!(web_url(&json!(refused)).is_err(), "{refused}");
        }
        assert!(web_url(&json!(format!("https://a.example/{}", "x".repeat(URL_MAX_CHARACTERS)))).is_err());
    }

    #[test]
    fn words_are_told() {
        let capture = word::<CaptureMethod>(&["automatic", "manual"]);
        assert_eq!(capture(&json!("manual")), Ok(CaptureMethod::Manual));
        assert_eq!(
            capture(&json!("automtic")),
            Err("must be one of: automatic, manual; did you mean `automatic`?".to_owned())
        );
        assert_eq!(capture(&json!("later")), Err("must be one of: automatic, manual".to_owned()));
    }

    #[test]
    fn times_have_a_zone() {
        assert!(time(&json!("2030-01-31T12:00:00+05:30")).is_ok());
        assert!(time(&json!("2030-01-31")).is_err());
        assert!(time(&json!("2030-01-31T12:00:00")).is_err());
    }
}
