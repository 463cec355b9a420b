//! Strict parsing: names may not be repeated, and nesting is bounded.
//!
//! Of a repeated name one reader takes the first value and another the last, so that what was checked need not be what
//! is done; such a body has no meaning to argue about, and is refused as malformed.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays inside of each other, the outermost included. Ours need five.
pub const DEPTH_MAX: usize = 16;

/// Characters of a repeated name that are quoted.
const NAME_QUOTED_MAX: usize = 40;

/// Parses `bytes`; the error says what is wrong, at which line and column, and quotes no value.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth_left: DEPTH_MAX }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth_left: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left }),
            None => Err(E::custom(format_args!("more than {DEPTH_MAX} levels of nesting"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                let quoted: String = name.chars().take(NAME_QUOTED_MAX).collect();
                return Err(A::Error::custom(format_args!("the name {quoted:?} is repeated")));
            }
            object.insert(name, entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_well_formed_is_read() {
        let text = r#" {"a": [1, -2, 3.5, true, null, "\u00e9\n"], "b": {"a": {}}} "#;
        assert_eq!(parse(text.as_bytes()).unwrap(), json!({"a": [1, -2, 3.5, true, null, "é\n"], "b": {"a": {}}}));
    }

    #[test]
    fn a_repeated_name_is_refused_at_every_depth() {
        assert_eq!(refused(r#"{"amount":1,"amount":2}"#), r#"the name "amount" is repeated at line 1 column 20"#);
        assert!(refused(r#"[{"a":{"b":1,"b":1}}]"#).contains(r#""b" is repeated"#));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(refused(&nested(DEPTH_MAX + 1)).contains("levels of nesting"));
        assert!(refused(&"[".repeat(100_000)).contains("levels of nesting"));
    }

    #[test]
    fn the_place_of_a_mistake_is_told() {
        assert!(refused("{\n  \"a\": 1,,\n}").ends_with("at line 2 column 10"));
        for malformed in ["", "{", "{'a':1}", "{\"a\":1}x", "nul", "{\"a\":01}", "{\"a\":1e999}", "\u{feff}{}"] {
            assert!(parse(malformed.as_bytes()).is_err(), "{malformed}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    }
}
