//! What is kept of the reply that opens a session: values by JSON pointer, and how long they live.

use std::time::Duration;

use serde_json::Value;

use crate::{connector::types::Keep, vault::Secret};

/// Longest value: four times what the longest known tokens have, and well within what headers may have together.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;
/// No session is used for longer, whatever the gateway says.
const LIFE_MAX: Duration = Duration::from_hours(24 * 31);

/// Values by name.
pub type Values = Vec<(String, Secret)>;

/// Why a reply opens no session. Names places, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the reply is no JSON")]
    NotJson,
    #[error("there is no text at {pointer:?} of the reply")]
    NoText { pointer: String },
    #[error("the text at {pointer:?} of the reply is empty, or has more than 16 KiB")]
    Unfit { pointer: String },
    #[error("what is at {pointer:?} of the reply is no number of seconds")]
    NoLifetime { pointer: String },
}

/// The values, and the life of the shortest: what comes from one reply ends together.
pub fn read(keep: &[Keep], body: &[u8]) -> Result<(Values, Duration), Unreadable> {
    let mut reply: Value = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
    let mut life = LIFE_MAX;
    for keep in keep {
        life = life.min(life_of(keep, &reply)?);
    }
    let mut values = Values::with_capacity(keep.len());
    for keep in keep {
        let pointer = || keep.pointer.clone();
        // A copy: two names may stand for the same text.
        let text = reply.pointer_mut(&keep.pointer).and_then(|found| found.as_str().map(str::to_owned));
        let value = Secret::from(text.ok_or_else(|| Unreadable::NoText { pointer: pointer() })?);
        if value.expose().is_empty() || value.expose().len() > VALUE_BYTES_MAX {
            return Err(Unreadable::Unfit { pointer: pointer() });
        }
        values.push((keep.name.clone(), value));
    }
    Ok((values, life))
}

/// As the reply says it, in a number or in a text of digits; where it does not say, what the connector says. At least a
/// second: one that is shorter serves the request that it was opened for.
fn life_of(keep: &Keep, reply: &Value) -> Result<Duration, Unreadable> {
    let said = keep.lifetime_pointer.as_deref().and_then(|pointer| Some((pointer, reply.pointer(pointer)?)));
    let seconds = match said {
        None | Some((_, Value::Null)) => u64::from(keep.lifetime_seconds),
        Some((pointer, said)) => seconds(said).ok_or_else(|| Unreadable::NoLifetime { pointer: pointer.to_owned() })?,
    };
    Ok(Duration::from_secs(seconds.max(1)))
}

fn seconds(said: &Value) -> Option<u64> {
    match said {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(name: &str, pointer: &str, lifetime_pointer: Option<&str>, lifetime_seconds: u32) -> Keep {
        let lifetime_pointer = lifetime_pointer.map(str::to_owned);
        Keep { name: name.to_owned(), pointer: pointer.to_owned(), lifetime_pointer, lifetime_seconds }
    }

    /// Values as text, and the life in seconds.
    fn told(keep: &[Keep], body: &str) -> Result<(String, u64), Unreadable> {
        let (values, life) = read(keep, body.as_bytes())?;
        let values: Vec<_> =
            values.iter().map(|(name, value)| format!("{name}={}", value.expose_str().unwrap())).collect();
        Ok((values.join(" "), life.as_secs()))
    }

    #[test]
    fn a_value_is_found_with_its_life() {
        let one = [keep("token", "/access_token", Some("/expires_in"), 60)];
        let table = [
            (r#"{"access_token":"T1","expires_in":32400}"#, 32400),
            (r#"{"access_token":"T1","expires_in":"3600"}"#, 3600),
            // Where the reply does not say, the connector does.
            (r#"{"access_token":"T1"}"#, 60),
            (r#"{"access_token":"T1","expires_in":null}"#, 60),
            (r#"{"access_token":"T1","expires_in":0}"#, 1),
            (r#"{"access_token":"T1","expires_in":99999999999}"#, 24 * 31 * 3600),
        ];
        for (body, life) in table {
            assert_eq!(told(&one, body), Ok(("token=T1".to_owned(), life)), "{body}");
        }
    }

    /// What comes from one reply ends together, with the first of it.
    #[test]
    fn several_values_live_as_long_as_the_shortest() {
        let two = [keep("token", "/t", None, 600), keep("site", "/deep/0/site", None, 60)];
        let told = told(&two, r#"{"t":"a","deep":[{"site":"b"}]}"#);
        assert_eq!(told, Ok(("token=a site=b".to_owned(), 60)));
    }

    #[test]
    fn what_is_no_session_is_told_without_its_values() {
        let one = [keep("token", "/access_token", Some("/expires_in"), 60)];
        let no_text = Unreadable::NoText { pointer: "/access_token".to_owned() };
        let unfit = Unreadable::Unfit { pointer: "/access_token".to_owned() };
        let no_life = Unreadable::NoLifetime { pointer: "/expires_in".to_owned() };
        let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(VALUE_BYTES_MAX + 1));
        let table = [
            ("<html>", Unreadable::NotJson),
            ("{}", no_text.clone()),
            (r#"{"access_token":17}"#, no_text),
            (r#"{"access_token":""}"#, unfit.clone()),
            (long.as_str(), unfit),
            (r#"{"access_token":"T1","expires_in":-1}"#, no_life.clone()),
            (r#"{"access_token":"T1","expires_in":"soon"}"#, no_life),
        ];
        for (body, wanted) in table {
            assert_eq!(told(&one, body), Err(wanted), "{body}");
        }
    }
}
