//! Answers that are not problems: objects, lists, and bytes that a flow has written down.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    json::{Fields, kinds},
    problem::{Code, Problem},
};
use crate::flow::Answer;

/// Tells that the answer was stored by an earlier request with the same key.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

/// Rows of a list where the client does not say.
const LIMIT_DEFAULT: i64 = 10;
const LIMIT_MAX: i64 = 100;

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    /// `list`
    object: &'static str,
    data: Vec<T>,
    /// What to send as `cursor` to get the next page; null where this is the last. A page of a list that is narrowed may be
    /// short or empty and have a next one all the same: so much is looked through for each.
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that has no further page.
    pub fn whole(data: Vec<T>) -> Self {
        Self { object: "list", data, next_cursor: None }
    }

    /// A page of rows of which one more than `limit` was asked for: that one tells whether there is a next page, and
    /// `cursor_of` the last row of this one is where it begins.
    pub fn page<'r, R>(rows: &'r [R], limit: i64, cursor_of: impl Fn(&R) -> String, show: impl Fn(&'r R) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (shown, has_more) = rows.get(..limit).map_or((rows, false), |shown| (shown, rows.len() > limit));
        let next_cursor = if has_more { shown.last().map(cursor_of) } else { None };
        Self { object: "list", data: shown.iter().map(show).collect(), next_cursor }
    }

    /// The same, and where it would be the last page, another one begins behind `until`: what is there was not looked at.
    pub fn looked_until(mut self, until: Option<String>) -> Self {
        self.next_cursor = self.next_cursor.or(until);
        self
    }
}

/// What became of an object that was deleted.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the member's name in the contract")]
pub struct Deleted {
    id: String,
    object: &'static str,
    /// `true`
    deleted: bool,
}

impl Deleted {
    pub fn new(id: &impl ToString, object: &'static str) -> Self {
        Self { id: id.to_string(), object, deleted: true }
    }
}

/// How many rows a page is to have, from the query.
pub fn limit(fields: &mut Fields<'_>) -> i64 {
    fields.optional("limit", kinds::whole_text(1..=LIMIT_MAX)).unwrap_or(LIMIT_DEFAULT)
}

/// An object with its status.
pub fn json<T: Serialize>(status: StatusCode, object: &T) -> Response {
    match serde_json::to_vec(object) {
        Ok(bytes) => bytes_of(status, bytes),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// 200 with an object.
pub fn ok<T: Serialize>(object: &T) -> Response {
    json(StatusCode::OK, object)
}

/// The very bytes that a flow has made, or found stored.
pub fn answer(answer: Answer) -> Response {
    let Ok(status) = StatusCode::from_u16(answer.status) else {
        return Problem::internal(anyhow::anyhow!("a stored answer has the status {}", answer.status)).into_response();
    };
    let mut response = bytes_of(status, answer.body);
    if answer.replayed {
        let name = HeaderName::from_static(IDEMPOTENCY_REPLAYED);
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}

/// 404 as a problem, for paths that nothing is at.
pub async fn no_route() -> Problem {
    Problem::new(Code::NotFound).with_detail("nothing is at this path; /docs shows what there is")
}

/// 405 as a problem. The header `Allow` is the router's.
pub async fn no_method() -> Problem {
    Problem::new(Code::MethodNotAllowed)
}

fn bytes_of(status: StatusCode, bytes: impl Into<Body>) -> Response {
    // Objects of merchants are nobody else's to keep.
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, bytes.into()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_more_tells_of_a_next_page() {
        let page = |rows: &[u8]| List::page(rows, 2, |row| format!("after {row}"), |row| *row);
        let (full, last) = (page(&[9, 8, 7]), page(&[9, 8]));
        assert_eq!((full.data, full.next_cursor), (vec![9, 8], Some("after 8".to_owned())));
        assert_eq!((last.data, last.next_cursor), (vec![9, 8], None));
        assert_eq!(page(&[]).next_cursor, None);
    }

    #[test]
    fn a_page_for_which_enough_was_looked_at_is_not_the_last() {
        let page = |rows: &[u8]| {
            let page = List::page(rows, 2, |row| format!("after {row}"), |row| *row);
            page.looked_until(Some("after 4".to_owned())).next_cursor
        };
        assert_eq!((page(&[]), page(&[9])), (Some("after 4".to_owned()), Some("after 4".to_owned())));
        assert_eq!(page(&[9, 8, 7]), Some("after 8".to_owned()));
    }

    #[test]
    fn a_replay_says_so() {
        let of = |replayed| answer(Answer { status: 201, body: "{}".into(), replayed });
        assert_eq!(of(true).headers()[IDEMPOTENCY_REPLAYED], "true");
        assert!(!of(false).headers().contains_key(IDEMPOTENCY_REPLAYED));
        assert_eq!(of(false).status(), StatusCode::CREATED);
    }
}
