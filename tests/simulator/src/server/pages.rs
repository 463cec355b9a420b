//! The page a customer is sent to: approve or decline, and back to the shop.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use super::App;
use crate::clock;
use crate::gateway::answer::Refusal;
use crate::gateway::charges::Status;
use crate::gateway::settle::Settling;

/// `GET /redirect/{charge}`
pub async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let gateway = app.gateway();
    let charge = gateway.charge(&id).ok_or(Refusal::NOT_FOUND)?;
    // Nothing on this page comes from a client but the currency, which is three letters.
    let (id, amount, currency) = (&charge.id, charge.amount, &charge.currency);
    let content = if charge.status == Status::RequiresAction {
        format!(
            "<p>Pay {amount} {currency} (minor units)?</p>\
             <form method=post action=/redirect/{id}/approve><button>Approve</button></form>\
             <form method=post action=/redirect/{id}/decline><button>Decline</button></form>"
        )
    } else {
        "<p>There is nothing left to decide.</p>".to_owned()
    };
    Ok(page(&content))
}

/// `POST /redirect/{charge}/approve` and `…/decline`: 303 to the return URL, where there is one.
pub async fn choose(
    State(app): State<Arc<App>>,
    Path((id, choice)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let settling = match choice.as_str() {
        "approve" => Settling::Approved,
        "decline" => Settling::Refused,
        _ => return Err(Refusal::NOT_FOUND),
    };
    let (change, return_url) = {
        let mut gateway = app.gateway();
        let charge = gateway.charge(&id).ok_or(Refusal::NOT_FOUND)?;
        if charge.status != Status::RequiresAction {
            return Err(Refusal::bad_request("not_pending", "there is nothing left to decide"));
        }
        let return_url = charge.return_url.clone();
        (gateway.settle(&id, settling, clock::unix_seconds())?, return_url)
    };
    app.follow(Some(&change), None);
    let back = return_url.and_then(|url| back_to(&url, &id, settling));
    Ok(match back {
        Some(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        None => page("<p>Done. You may close this page.</p>"),
    })
}

/// The shop's address with what a gateway tells the browser to bring along.
fn back_to(url: &str, charge: &str, settling: Settling) -> Option<HeaderValue> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return None;
    }
    let (url, fragment) = url.split_once('#').map_or((url, String::new()), |(url, rest)| (url, format!("#{rest}")));
    let joint = if url.contains('?') { '&' } else { '?' };
    let result = if settling == Settling::Approved { "approved" } else { "declined" };
    HeaderValue::from_str(&format!("{url}{joint}charge={charge}&result={result}{fragment}")).ok()
}

fn page(content: &str) -> Response {
    Html(format!("<!doctype html><meta charset=utf-8><title>Mock gateway</title><h1>Mock gateway</h1>{content}"))
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_keeps_query_and_fragment() {
        let back = |url| back_to(url, "ch_1", Settling::Approved).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(back("https://a.test/x").unwrap(), "https://a.test/x?charge=ch_1&result=approved");
        assert_eq!(back("https://a.test/x?y=1#z").unwrap(), "https://a.test/x?y=1&charge=ch_1&result=approved#z");
        assert_eq!(back("javascript:alert(1)"), None);
    }
}
