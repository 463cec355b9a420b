//! `/webhooks/{gateway_account_id}`: where gateways tell what they have to tell. Nobody signs in; the account's connector
//! checks the gateway's own signature.

use std::time::Duration;

use axum::{
    body::Body as Incoming,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Http, extract::PathId, json::body, problem::Problem};
use crate::{
    connector::types,
    domain::id::GatewayAccountId,
    flow::receive_webhook::{self, receive},
};

/// Larger deliveries are refused. The largest that are known (batches of events) have some hundreds of kilobytes.
const WEBHOOK_MAX_BYTES: usize = 1024 * 1024;
/// Within this a whole delivery must have arrived: gateways do not send from phones.
const WEBHOOK_ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// Headers that a connector does not answer with: they are about the connection, which is this host's, or they would make
/// a browser remember something.
const NOT_A_CONNECTORS: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TRAILER,
    header::SET_COOKIE,
    HeaderName::from_static(super::observe::REQUEST_ID),
];

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(take))
}

/// A gateway tells something about payments of one account.
///
/// What is acknowledged is kept, once however often it is sent, and applied afterwards. 401 `webhook_refused` where the
/// signature is wrong or stale. After 5xx the gateway is to send it again.
#[utoipa::path(
    post, path = "/webhooks/{id}", tag = "gateways", params(("id" = String, Path, description = "`gwa_…`")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "Whatever the gateway sends"),
    responses((status = 200, description = "Kept; or whatever else this gateway wants to hear"))
)]
async fn take(
    State(http): State<Http>,
    PathId(id): PathId<GatewayAccountId>,
    request: Request<Incoming>,
) -> Result<Response, Problem> {
    // First, so that nobody who knows no account has anything read.
    let account = http.app.webhooks.account(&http.app, id).await?;
    let (parts, incoming) = request.into_parts();
    let mut body = body::receive(&parts.headers, incoming, WEBHOOK_MAX_BYTES, WEBHOOK_ARRIVAL_MAX).await?;
    let request = receive_webhook::Request {
        headers: parts.headers,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: Bytes::from(std::mem::take(&mut *body)),
    };
    acknowledgement(receive(&http.app, &account, request).await?)
}

fn acknowledgement(wanted: types::Response) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(wanted.status).map_err(Problem::internal)?;
    let mut response = (status, wanted.body).into_response();
    // The default for bytes; a connector that says nothing says nothing.
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in wanted.headers {
        let name = HeaderName::try_from(name).map_err(Problem::internal)?;
        if !NOT_A_CONNECTORS.contains(&name) {
            response.headers_mut().append(name, HeaderValue::try_from(value).map_err(Problem::internal)?);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_answers_with_its_own_words_and_our_connection() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let response = acknowledgement(types::Response {
            status: 202,
            headers: vec![
                pair("Content-Type", "text/plain"),
                pair("Content-Length", "9999"),
                pair("Set-Cookie", "a=b"),
                pair("X-Gateway", "seen"),
            ],
            body: b"[accepted]".to_vec(),
        })
        .unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "x-gateway"]);
        let silent = acknowledgement(types::Response { status: 200, headers: vec![], body: vec![] }).unwrap();
        assert!(silent.headers().is_empty());
    }
}
