//! OAuth: tokens for clients, who they are, and how a test makes them short-lived or void.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::errors;
use super::state::{Shared, Token, lock};
use crate::clock;
use crate::faces::answer::Answer;
use crate::faces::serials::Serials;
use crate::faces::{Caller, Request};

/// Where tokens are had.
pub const PATH: &str = "/v1/oauth2/token";

/// Who calls: a client by its id and secret where it asks for a token, by the token everywhere else.
pub fn caller(request: &Request, state: &Shared) -> Result<Caller, Answer> {
    if request.path == PATH {
        let (key, secret) = request.basic().ok_or_else(unknown_client)?;
        return if key.is_empty() || secret.is_empty() { Err(unknown_client()) } else { Ok(Caller { key, secret }) };
    }
    let token = request.bearer().ok_or_else(unknown_token)?;
    let now = clock::unix_seconds();
    let state = lock(state);
    let known = state.tokens.get(token).filter(|known| known.expires_at > now).ok_or_else(unknown_token)?;
    Ok(Caller { key: known.client_id.clone(), secret: token.to_owned() })
}

/// The client that asks for a token, and whether it asks as clients should.
pub fn read(request: &Request) -> Result<String, Answer> {
    #[derive(Deserialize)]
    struct Form {
        grant_type: String,
    }
    let form: Option<Form> = serde_urlencoded::from_bytes(request.body).ok();
    if form.is_none_or(|form| form.grant_type != "client_credentials") {
        let body = json!({"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"});
        return Err(Answer::json(StatusCode::BAD_REQUEST, &body));
    }
    request.basic().map(|(client_id, _)| client_id).ok_or_else(unknown_client)
}

/// Gives out a token.
pub fn give(state: &Shared, serials: &Serials, client_id: &str, now: u64) -> Answer {
    let token = format!("A21AA{}", serials.next());
    let mut state = lock(state);
    let lives_s = state.token_life_s;
    state.tokens.insert(token.clone(), Token { client_id: client_id.to_owned(), expires_at: now + lives_s });
    let body = json!({
        "scope": "https://uri.paypal.com/services/payments/payment/authcapture", "access_token": token,
        "token_type": "Bearer", "app_id": "APP-80W284485P519543T", "expires_in": lives_s,
    });
    Answer::json(StatusCode::OK, &body)
}

/// `POST /__tokens {"lifetime_s"?, "revoke"?}`: how long new ones live, and whether the old ones are void from now on.
pub fn control(request: &Request, state: &Shared) -> Answer {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        lifetime_s: Option<u64>,
        #[serde(default)]
        revoke: bool,
    }
    let Ok(wish) = serde_json::from_slice::<Wish>(request.body) else {
        return errors::invalid("INVALID_PARAMETER_VALUE", "/");
    };
    let mut state = lock(state);
    state.token_life_s = wish.lifetime_s.unwrap_or(state.token_life_s);
    if wish.revoke {
        state.tokens.clear();
    }
    Answer::json(StatusCode::OK, &json!({"lifetime_s": state.token_life_s, "tokens": state.tokens.len()}))
}

fn unknown_client() -> Answer {
    errors::oauth("invalid_client", "Client Authentication failed")
}

/// As PayPal says it of tokens that are wrong, void or expired.
pub fn unknown_token() -> Answer {
    errors::oauth("invalid_token", "Token signature verification failed")
}
