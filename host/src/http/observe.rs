//! What happens around every request: its id, its span, its time limit, its metrics, and problems made into bytes.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, Span, field::Empty};

use super::{
    Http,
    problem::{Code, Problem},
};
use crate::flow::RETRY_AFTER_UNAVAILABLE_S;

/// Every answer carries it.
pub const REQUEST_ID: &str = "request-id";

/// Characters of a client's own request id that is taken over.
const REQUEST_ID_MAX_CHARACTERS: usize = 128;

/// The route of requests that no route takes: paths that clients make up are no label of a metric.
const NO_ROUTE: &str = "none";

/// The id of a request, for handlers that write down who asked.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// One of the two listeners, as its requests see it.
#[derive(Clone)]
pub struct Listener {
    pub http: Http,
    pub name: &'static str,
    /// After this a request is answered 503, whatever it still does.
    pub time_max: Duration,
    /// Requests that may still be taken on.
    pub free: Arc<Semaphore>,
}

/// Wraps a request. Bodies and headers are never logged.
pub async fn observe(State(listener): State<Listener>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers()).unwrap_or_else(|| format!("req_{}", listener.http.app.ids.v7().simple()));
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let method = method_label(request.method());
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.listener = listener.name,
        http.method = method,
        http.route = %route,
        merchant.id = Empty,
    );
    let response = match listener.free.try_acquire() {
        Ok(_taken) => bounded(listener.time_max, next.run(request)).instrument(span.clone()).await,
        Err(_) => {
            Problem::unavailable("this host, which has too much to do,", RETRY_AFTER_UNAVAILABLE_S).into_response()
        }
    };
    let response = finish(response, &id, &span);

    let status = response.status();
    let took = started.elapsed();
    metrics::counter!(
        "interlock_http_requests_total",
        "listener" => listener.name, "method" => method, "route" => route.clone(), "status" => status.as_u16().to_string()
    )
    .increment(1);
    metrics::histogram!("interlock_http_request_seconds", "listener" => listener.name, "route" => route).record(took);
    span.in_scope(|| {
        tracing::debug!(
            http.status = status.as_u16(),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    });
    response
}

/// Runs a request within its time. A panic ends that request and nothing else; it was logged where it happened.
async fn bounded(time_max: Duration, work: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(time_max, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => Problem::new(Code::InternalError).into_response(),
        Err(_) => {
            tracing::warn!(limit_s = time_max.as_secs(), "a request was answered before its work had ended");
            Problem::unavailable("the outcome of this request", RETRY_AFTER_UNAVAILABLE_S).into_response()
        }
    }
}

/// Writes the request's id, and a problem's body; logs the cause of an internal error, once, here.
fn finish(mut response: Response, id: &str, span: &Span) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        if let Some(cause) = problem.cause() {
            span.in_scope(|| tracing::error!(cause = format!("{cause:#}"), "a request failed on our side"));
        }
        let bytes = problem.to_bytes(id);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        *response.body_mut() = Body::from(bytes);
    }
    // Both ways of making one give visible ASCII.
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The client's own id, where it is one that can stand in a log line as it is.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_sane = (1..=REQUEST_ID_MAX_CHARACTERS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    is_sane.then(|| id.to_owned())
}

/// Methods that clients make up are no label of a metric either.
fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken_over() {
        let of = |id: &[u8]| {
            let value = HeaderValue::from_bytes(id).unwrap();
            request_id(&HeaderMap::from_iter([(header::HeaderName::from_static(REQUEST_ID), value)]))
        };
        assert_eq!(of(b"my-id_7.a"), Some("my-id_7.a".to_owned()));
        for refused in [b"".as_slice(), b"a b", b"{\"x\":1}", "ä".as_bytes(), &[b'a'; 129]] {
            assert_eq!(of(refused), None, "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_and_a_slow_handler_are_answered() {
        let response = bounded(Duration::from_secs(5), async { panic!("on purpose") }).await;
        assert_eq!(response.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
        let response = bounded(Duration::from_millis(5), std::future::pending()).await;
        assert_eq!(response.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }

    #[tokio::test]
    async fn a_problem_becomes_a_document_with_the_requests_id() {
        let response = finish(Problem::new(Code::NotFound).into_response(), "req_7", &Span::none());
        assert_eq!(response.headers()[REQUEST_ID], "req_7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], super::super::problem::PROBLEM_JSON);
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document["request_id"], "req_7");
        assert_eq!(document["code"], "not_found");
    }
}
