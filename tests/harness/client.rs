//! A merchant's or an operator's program: sends requests as they are, reads answers to their end, retries nothing.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// No answer of any test takes longer: the longest a host may take is its time to answer.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// One client for a test: connections are kept, proxies of the environment are not obeyed, redirects not followed.
pub(crate) fn connections() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_MAX)
        .build()
        .expect("a client without TLS needs nothing")
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The very bytes, for comparing replays.
    pub bytes: Bytes,
    /// The body as JSON; null where it is none.
    pub json: Value,
}

impl Answer {
    /// A header's value; none where it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Panics, with the whole answer, unless its status is this.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Panics unless it is a problem document with this status and code, in the form of the contract.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        assert_eq!(self.json["status"], status, "{}", self.text());
        for member in ["type", "title", "request_id"] {
            assert!(self.json[member].is_string(), "no `{member}` in {}", self.text());
        }
        assert_eq!(self.header("request-id"), self.json["request_id"].as_str());
        self
    }

    /// The object's id.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text())).to_owned()
    }

    /// The object's status.
    #[track_caller]
    pub fn payment_status(&self) -> &str {
        self.json["status"].as_str().unwrap_or_else(|| panic!("no status in {}", self.text()))
    }

    /// Where the request is wrong, in the order told.
    pub fn pointers(&self) -> Vec<&str> {
        self.json["errors"].as_array().into_iter().flatten().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// Whether it was stored by an earlier request with its key.
    pub fn is_replay(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// The answer for a person.
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

/// Somebody who calls one listener of one host.
#[derive(Clone)]
pub struct Caller {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    /// The bearer token; none is sent where there is none.
    pub(crate) token: Option<String>,
}

impl Caller {
    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Its bearer token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same without a token.
    #[must_use]
    pub fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// A request that can still be changed: odd headers, odd bodies.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// POST of a JSON body under an idempotency key.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).header("idempotency-key", key).json(body)).await
    }

    /// The same where it may well be that no answer comes.
    pub async fn try_post(&self, path: &str, key: &str, body: &Value) -> reqwest::Result<Answer> {
        try_answer(self.request(Method::POST, path).header("idempotency-key", key).json(body)).await
    }

    /// POST of these very bytes as JSON under an idempotency key.
    pub async fn post_bytes(&self, path: &str, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        answer(request.header("content-type", "application/json").body(body)).await
    }

    /// POST without an idempotency key, as operators do.
    pub async fn post_plain(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }
}

/// Sends a request; panics where no answer comes. Every answer must carry its request's id.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = try_answer(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
    assert!(answer.headers.contains_key("request-id"), "an answer without Request-Id: {}", answer.text());
    answer
}

/// Sends a request that may break.
pub async fn try_answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let json = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(Answer { status, headers, bytes, json })
}
