//! OAuth 2.0 client credentials: the token that every other request carries.

use interlock_connector::request::{Form, basic_auth};
use interlock_connector::types::{Context, Effect, Keep, Opening, Request};

/// What `session` holes call the token.
pub const TOKEN: &str = "access_token";

/// PayPal's tokens live about nine hours and say so. Where one does not, it is fetched anew soon.
const LIFETIME_S: u32 = 600;

/// `POST /v1/oauth2/token`. None where the account lacks its base URL, which the descriptor requires.
pub fn open(ctx: &Context) -> Option<Opening> {
    let request = Request::post(ctx.url("base_url", "/v1/oauth2/token").ok()?)
        .header("authorization", ["Basic ".into(), basic_auth("client_id", "client_secret")])
        .header("accept", "application/json")
        .form(Form::new().field("grant_type", "client_credentials"))
        .effect(Effect::Reads)
        .resendable(true);
    let keep = Keep {
        name: TOKEN.to_owned(),
        pointer: "/access_token".to_owned(),
        lifetime_pointer: Some("/expires_in".to_owned()),
        lifetime_seconds: LIFETIME_S,
    };
    Some(Opening { request, keep: vec![keep] })
}
