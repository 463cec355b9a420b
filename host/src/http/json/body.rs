//! A body as it arrives: its type checked, its size and its time bounded, wiped when it goes.

use std::time::Duration;

use axum::{
    body::Body as Incoming,
    extract::{FromRequest, Request},
};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::parse::parse;
use crate::{
    domain::id::MerchantId,
    http::{
        Http,
        problem::{Code, Problem},
    },
    vault::{Purpose, Vault},
};

/// Within this a whole body must have arrived: a client that sends a byte a minute holds nothing for long.
const ARRIVAL_MAX: Duration = Duration::from_secs(15);

/// How much of a body that is too large is read and thrown away beyond its limit before it is answered. A client that is
/// still sending when the connection closes may never see why.
const DISCARDED_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Seconds for throwing away.
const DISCARDING_MAX_S: u64 = 2;

const JSON: &str = "application/json";

/// A JSON body, parsed. It may hold a card number: no Debug, and wiped when dropped.
pub struct Body(Value);

impl Body {
    /// The value.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The keyed digest of the body by value: neither white space nor the order of names counts. And those that it had
    /// under master keys that are retired: a key that was used before a change of them is still known by its body.
    pub fn fingerprints(&self, vault: &Vault, merchant: MerchantId) -> ([u8; 32], Vec<[u8; 32]>) {
        // Objects are ordered by name in memory, so equal values have equal texts.
        let canonical = Zeroizing::new(serde_json::to_vec(&self.0).expect("a JSON value can be written as JSON"));
        let purpose = Purpose::IdempotencyBody;
        (vault.fingerprint(purpose, merchant, &canonical), vault.retired_fingerprints(purpose, merchant, &canonical))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites every text in `value`. Depth is bounded by parsing.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(entries) => entries.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// No body at all counts as `{}`: several requests have no required field.
impl FromRequest<Http> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Problem> {
        let (parts, incoming) = request.into_parts();
        let limit = http.app.config.body_max_bytes;
        let is_json = check_type(&parts.headers, JSON);
        let bytes = receive(&parts.headers, incoming, limit, ARRIVAL_MAX).await?;
        if bytes.is_empty() && !parts.headers.contains_key(header::CONTENT_TYPE) {
            return Ok(Self(Value::Object(Map::new())));
        }
        is_json?;
        let value = parse(&bytes).map_err(|fault| Problem::new(Code::MalformedJson).with_detail(fault.to_string()))?;
        Ok(Self(value))
    }
}

/// 415 unless the media type is `wanted`; parameters such as a charset do not count.
pub fn check_type(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType).with_detail(format!("send `Content-Type: {wanted}`")))
}

/// The whole body, at most `limit_bytes` of it; 413 where it is larger, 408 where it does not arrive in time.
pub async fn receive(
    headers: &HeaderMap,
    mut incoming: Incoming,
    limit_bytes: usize,
    time_max: Duration,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    let too_large = || Problem::new(Code::BodyTooLarge).with_detail(format!("at most {limit_bytes} bytes are read"));
    if announced > limit_bytes {
        discard(incoming, limit_bytes).await;
        return Err(too_large());
    }
    let arrival = async {
        // With room for all of it where its length is known: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(announced));
        while let Some(frame) = incoming.frame().await {
            let Ok(frame) = frame else {
                return Err(Problem::new(Code::RequestTimeout).with_detail("the body ended before its end"));
            };
            let Some(data) = frame.data_ref() else { continue };
            if bytes.len() + data.len() > limit_bytes {
                return Ok(None);
            }
            bytes.extend_from_slice(data);
        }
        Ok(Some(bytes))
    };
    match tokio::time::timeout(time_max, arrival).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            discard(incoming, limit_bytes).await;
            Err(too_large())
        }
        Ok(Err(problem)) => Err(problem),
        Err(_) => {
            let detail = format!("{} seconds were not enough", time_max.as_secs());
            Err(Problem::new(Code::RequestTimeout).with_detail(detail))
        }
    }
}

async fn discard(mut incoming: Incoming, limit_bytes: usize) {
    let reading = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = incoming.frame().await {
            discarded += frame.data_ref().map_or(0, bytes::Bytes::len);
            if discarded > limit_bytes + DISCARDED_MAX_BYTES {
                break;
            }
        }
    };
    // Whether it came to its end does not matter: it is a courtesy.
    let _ = tokio::time::timeout(Duration::from_secs(DISCARDING_MAX_S), reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn types_are_compared_without_their_parameters() {
        for accepted in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
            assert!(check_type(&headers(header::CONTENT_TYPE, accepted), JSON).is_ok(), "{accepted}");
        }
        for refused in ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"] {
            let problem = check_type(&headers(header::CONTENT_TYPE, refused), JSON).unwrap_err();
            assert_eq!(problem.code(), Code::UnsupportedMediaType, "{refused}");
        }
    }

    #[tokio::test]
    async fn a_body_ends_at_its_limit() {
        let exact = receive(&HeaderMap::new(), Incoming::from("1234"), 4, ARRIVAL_MAX).await.unwrap();
        assert_eq!(exact.as_slice(), b"1234");
        let problem = receive(&HeaderMap::new(), Incoming::from("12345"), 4, ARRIVAL_MAX).await.err().unwrap();
        assert_eq!(problem.code(), Code::BodyTooLarge);
        let announced = headers(header::CONTENT_LENGTH, "5");
        let problem = receive(&announced, Incoming::from("12345"), 4, ARRIVAL_MAX).await.err().unwrap();
        assert_eq!(problem.code(), Code::BodyTooLarge);
    }

    /// It breaks where a dependency turns on `serde_json`'s `preserve_order`: then the fingerprint must sort.
    #[test]
    fn order_and_white_space_do_not_count() {
        let text = |body: &str| serde_json::to_string(&parse(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            text(r#"{"b":[1,{"y":0,"x":0}],"a":"é"}"#),
            text("{ \"a\":\"\\u00e9\",\n\"b\":[1, {\"x\":0,\"y\":0}]}")
        );
    }

    #[test]
    fn what_is_dropped_is_wiped() {
        let mut value = serde_json::json!({"card": {"number": "4242424242424242"}, "list": ["a"]});
        wipe(&mut value);
        assert_eq!(value, serde_json::json!({"card": {"number": ""}, "list": [""]}));
    }
}
