//! Sessions, where the account's setting `sessions` says so: the gateway takes a token instead of the key, and gives one at
//! `POST /oauth/token`. And openings that a host must not send.

use interlock_connector::request::{Form, basic_auth, secret, session};
use interlock_connector::types::{Context, Effect, Keep, Opening, Request, Segment};

/// What a session's value is called.
pub const TOKEN: &str = "access_token";
/// Where the gateway does not say how long it lives.
const LIFE_S: u32 = 600;

/// What signs a request in.
pub fn bearer(ctx: &Context) -> [Segment; 2] {
    let signs = if ctx.setting("sessions").is_some() { session(TOKEN) } else { secret("api_key") };
    ["Bearer ".into(), signs]
}

/// How a session is opened: `on`; or as no host may open one.
pub fn opening(ctx: &Context) -> Option<Opening> {
    let url = ctx.url("base_url", "/oauth/token").ok()?;
    let basic = || ["Basic ".into(), basic_auth("api_key", "")];
    let form = || Form::new().field("grant_type", "client_credentials");
    let request = Request::post(url).header("authorization", basic()).form(form()).effect(Effect::Prepares);
    let request = match ctx.setting("sessions")? {
        "on" => request,
        // Wants a session, and does not say how to open one.
        "none" => return None,
        "trap" => panic!("as told"),
        // Needs a session itself.
        "nested" => request.header("x-session", session(TOKEN)),
        "card" => request.header("x-card", Segment::CardNumber),
        "elsewhere" => Request { url: "https://elsewhere.example/oauth/token".to_owned(), ..request },
        "misplaced" => request.header("x-note", secret("api_key")),
        "moves_money" => request.effect(Effect::MovesMoney),
        _ => return None,
    };
    let keep = Keep {
        name: TOKEN.to_owned(),
        pointer: "/access_token".to_owned(),
        lifetime_pointer: Some("/expires_in".to_owned()),
        lifetime_seconds: LIFE_S,
    };
    Some(Opening { request, keep: vec![keep] })
}
