//! What handlers take out of a request besides its body: who calls, under which key, about which object.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, RawQuery};
use http::{HeaderMap, Method, request::Parts};
use serde_json::{Map, Value};

use super::{
    Http,
    json::{Body, Fields, read},
    observe::RequestId,
    problem::{Code, Problem},
};
use crate::{
    domain::id::MerchantId,
    flow::Call,
    mutation::{self, Mutation},
    store::audit_log::Actor,
};

/// The header that makes a POST repeatable.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Characters of an idempotency key.
const KEY_MAX_CHARACTERS: usize = 255;

/// The merchant whose key signed the request in. Set by [`super::auth::merchants`], which stands before every route
/// that takes it.
#[derive(Clone, Copy, Debug)]
pub struct Merchant(pub MerchantId);

impl<S: Sync> FromRequestParts<S> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A route without the check in front of it must not serve anybody.
        parts.extensions.get().copied().ok_or_else(|| Problem::new(Code::Unauthenticated))
    }
}

/// The operator who calls, as the audit log names one. [`super::auth::operators`] stands before every route that takes it.
pub struct Operator(pub Actor);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let id = parts.extensions.get().map(|RequestId(id)| id.clone());
        let request_id = id.ok_or_else(|| Problem::internal(anyhow::anyhow!("a request has no id")))?;
        Ok(Self(Actor::Operator { request_id }))
    }
}

/// A POST of a merchant with its idempotency key, and what the key means it for: method and path.
pub struct Keyed {
    pub merchant: MerchantId,
    scope: String,
    key: String,
}

impl Keyed {
    /// The call as idempotency sees it, once its body is read. `final_status` is that of an answer whose outcome is
    /// final.
    pub fn call(self, http: &Http, body: &Body, final_status: u16) -> Call {
        let (fingerprint, retired_fingerprints) = body.fingerprints(&http.app.vault, self.merchant);
        Call {
            merchant: self.merchant,
            scope: if mutation::is(Mutation::ForgetIdempotency) { http.app.ids.v7().to_string() } else { self.scope },
            key: self.key,
            fingerprint,
            retired_fingerprints,
            final_status,
        }
    }
}

impl FromRequestParts<Http> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Problem> {
        let Merchant(merchant) = Merchant::from_request_parts(parts, http).await?;
        let key = idempotency_key(&parts.headers)?;
        Ok(Self { merchant, scope: scope(&parts.method, parts.uri.path()), key })
    }
}

fn scope(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}

/// The key of a request. The quoted form (`"abc"`, a string of RFC 8941, as the draft of that header has it) is the
/// same key as the plain one.
fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let invalid = |detail: &str| Err(Problem::new(Code::IdempotencyKeyInvalid).with_detail(detail));
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Err(Problem::new(Code::IdempotencyKeyMissing)) };
    if values.any(|other| other != value) {
        return invalid("the header is there twice, with different values");
    }
    let bytes = value.as_bytes();
    let key = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(bytes);
    if key.is_empty() {
        return invalid("it must not be empty");
    }
    if key.len() > KEY_MAX_CHARACTERS {
        return invalid("it must have at most 255 characters");
    }
    match std::str::from_utf8(key) {
        Ok(key) if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(key.to_owned()),
        Ok(_) | Err(_) => invalid("it must consist of visible ASCII characters"),
    }
}

/// The id in the path. One that is malformed names nothing: 404.
pub struct PathId<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        parse_id(&text).map(Self)
    }
}

/// The two ids in the path.
pub struct PathIds<A, B>(pub A, pub B);

impl<A: FromStr, B: FromStr, S: Send + Sync> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((first, second)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        Ok(Self(parse_id(&first)?, parse_id(&second)?))
    }
}

fn parse_id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| not_found())
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound)
}

/// The query, read as if it were an object of strings: unknown names are refused as in a body.
pub struct Query(Value);

impl Query {
    /// Reads it, or tells every fault.
    pub fn read<T>(&self, reader: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Result<T, Problem> {
        read(&self.0, reader).map_err(Problem::invalid)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = RawQuery::from_request_parts(parts, state).await.map_or(None, |RawQuery(query)| query);
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&query.unwrap_or_default())
            .map_err(|_| Problem::new(Code::InvalidRequest).with_detail("the query cannot be read"))?;
        let mut object = Map::new();
        for (name, value) in pairs {
            if object.contains_key(&name) {
                let fault = crate::flow::Fault::new(format!("/{}", super::json::escaped(&name)), "is there twice");
                return Err(Problem::invalid(vec![fault]));
            }
            object.insert(name, Value::String(value));
        }
        Ok(Self(Value::Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts as _;
    use http::{HeaderValue, Request};

    use super::{super::json::kinds, *};
    use crate::domain::id::PaymentId;

    fn key(values: &[&[u8]]) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        idempotency_key(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert_eq!(key(&[b"order-7"]), Ok("order-7".to_owned()));
        assert_eq!(key(&[b"a"]), Ok("a".to_owned()));
        assert_eq!(key(&["x".repeat(255).as_bytes()]), Ok("x".repeat(255)));
        assert_eq!(key(&[]), Err(Code::IdempotencyKeyMissing));
        let invalid: [&[u8]; 6] = [b"", b"\"\"", b"a b", b"a\tb", "schlüssel".as_bytes(), &[b'x'; 256]];
        for value in invalid {
            assert_eq!(key(&[value]), Err(Code::IdempotencyKeyInvalid), "{value:?}");
        }
    }

    #[test]
    fn the_quoted_form_is_the_same_key() {
        assert_eq!(key(&[b"\"order-7\""]), key(&[b"order-7"]));
        assert_eq!(key(&[b"\""]), Ok("\"".to_owned()));
    }

    #[test]
    fn two_keys_are_refused_and_one_key_twice_is_not() {
        assert_eq!(key(&[b"a", b"b"]), Err(Code::IdempotencyKeyInvalid));
        assert_eq!(key(&[b"a", b"a"]), Ok("a".to_owned()));
    }

    async fn limit(uri: &str) -> Result<Option<i64>, Vec<String>> {
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        let faults = |problem: Problem| problem.errors().iter().map(|fault| fault.pointer.clone()).collect::<Vec<_>>();
        let query = Query::from_request_parts(&mut parts, &()).await.map_err(faults)?;
        query.read(|fields| Some(fields.optional("limit", kinds::whole_text(1..=100)))).map_err(faults)
    }

    #[tokio::test]
    async fn queries_are_read_strictly() {
        assert_eq!(limit("/").await, Ok(None));
        assert_eq!(limit("/?limit=7").await, Ok(Some(7)));
        for refused in ["/?limit=0", "/?limit=101", "/?limit=x", "/?limit=1&limit=2", "/?limit=1.5", "/?limit="] {
            assert_eq!(limit(refused).await, Err(vec!["/limit".to_owned()]), "{refused}");
        }
        assert_eq!(limit("/?limt=7").await, Err(vec!["/limt".to_owned()]));
    }

    #[test]
    fn a_malformed_id_is_not_found() {
        assert_eq!(parse_id::<PaymentId>("pay_x").unwrap_err().code(), Code::NotFound);
        assert!(parse_id::<PaymentId>(&PaymentId::from_uuid(uuid::Uuid::nil()).to_string()).is_ok());
    }
}
