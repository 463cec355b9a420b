//! A gateway that wants short-lived tokens: a front of the simulator that gives them at `POST /oauth/token` and lets nobody
//! through without one. What it gives and takes is what the test says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, StatusCode, Uri, header::AUTHORIZATION};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{eventually, merchant::GATEWAY_API_KEY};

/// How it answers whoever wants a token.
#[derive(Clone, Debug)]
pub enum Giving {
    /// With one that lives so many seconds, by its own word.
    Token { seconds: u64 },
    /// With such a token, after a while.
    Slowly(Duration),
    /// With this status and nothing else.
    Status(u16),
    /// With this body.
    Body(&'static str),
    /// Not at all, while the client waits.
    Silence,
}

/// A call that came with a token, or with what is none.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    /// What stood behind `Bearer`.
    pub token: String,
    pub was_let_through: bool,
}

/// The front. It closes with the test.
pub struct TokenGateway {
    pub url: String,
    shared: Arc<Shared>,
    open: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

struct Shared {
    simulator: String,
    http: reqwest::Client,
    state: Mutex<Kept>,
    open: watch::Receiver<bool>,
}

struct Kept {
    giving: Giving,
    /// Keys that are given a token.
    keys: BTreeSet<String>,
    /// Tokens that are let through.
    live: BTreeSet<String>,
    lets_nobody_through: bool,
    /// The end of paths that wait.
    held: Option<String>,
    /// Every token that was ever given.
    given: Vec<String>,
    asked_for_tokens: usize,
    calls: Vec<Call>,
}

impl TokenGateway {
    /// A front of the simulator at this URL, whose account has the harness's key.
    pub async fn before(simulator: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (open, is_open) = watch::channel(true);
        let shared = Arc::new(Shared {
            simulator: simulator.to_owned(),
            http: super::client::connections(),
            state: Mutex::new(Kept {
                giving: Giving::Token { seconds: 3_600 },
                keys: BTreeSet::from([GATEWAY_API_KEY.to_owned()]),
                live: BTreeSet::new(),
                lets_nobody_through: false,
                held: None,
                given: Vec::new(),
                asked_for_tokens: 0,
                calls: Vec::new(),
            }),
            open: is_open,
        });
        let routes = Router::new().route("/oauth/token", post(give)).fallback(pass).with_state(Arc::clone(&shared));
        let listening = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, shared, open, listening }
    }

    /// From now on tokens are given so.
    pub fn gives(&self, giving: Giving) {
        self.kept().giving = giving;
    }

    /// Whoever wants a token waits from now on, until [`Self::let_go`].
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Calls whose path ends so wait from now on, until [`Self::let_go`].
    pub fn hold_calls_to(&self, path_end: &str) {
        self.kept().held = Some(path_end.to_owned());
        self.open.send_replace(false);
    }

    /// Those who wait get theirs.
    pub fn let_go(&self) {
        self.kept().held = None;
        self.open.send_replace(true);
    }

    /// Every token that was given so far is worth nothing any more.
    pub fn revoke(&self) {
        self.kept().live.clear();
    }

    /// From now on every token is worth nothing, or again what it was.
    pub fn lets_nobody_through(&self, nobody: bool) {
        self.kept().lets_nobody_through = nobody;
    }

    /// This key alone is given tokens from now on.
    pub fn takes_key(&self, key: &str) {
        self.kept().keys = BTreeSet::from([key.to_owned()]);
    }

    /// How often somebody wanted a token.
    pub fn asked_for_tokens(&self) -> usize {
        self.kept().asked_for_tokens
    }

    /// Waits until so many have wanted a token.
    pub async fn is_asked_for_tokens(&self, times: usize) {
        eventually(&format!("somebody wants a token for the {times}. time"), async || {
            let asked = self.asked_for_tokens();
            if asked == times { Ok(()) } else { Err(format!("{asked} times so far")) }
        })
        .await;
    }

    /// Every token that was given, oldest first.
    pub fn given(&self) -> Vec<String> {
        self.kept().given.clone()
    }

    /// The calls behind the token, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.kept().calls.clone()
    }

    /// How many calls were turned away.
    pub fn turned_away(&self) -> usize {
        self.calls().iter().filter(|call| !call.was_let_through).count()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept()
    }
}

impl Drop for TokenGateway {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /oauth/token`
async fn give(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let giving = {
        let mut kept = shared.kept();
        kept.asked_for_tokens += 1;
        kept.giving.clone()
    };
    if shared.kept().held.is_none() {
        let mut open = shared.open.clone();
        // The front is gone: so is the test.
        let _ = open.wait_for(|open| *open).await;
    }
    let seconds = match giving {
        Giving::Token { seconds } => seconds,
        Giving::Slowly(pause) => {
            tokio::time::sleep(pause).await;
            3_600
        }
        Giving::Status(status) => return StatusCode::from_u16(status).expect("a status").into_response(),
        Giving::Body(body) => return body.into_response(),
        Giving::Silence => std::future::pending().await,
    };
    let mut kept = shared.kept();
    let signed_in = kept.keys.iter().any(|key| {
        let pair = STANDARD.encode(format!("{key}:"));
        headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes() == format!("Basic {pair}").as_bytes())
    });
    if !signed_in {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = format!("gwtok_{}_{:032x}", kept.given.len() + 1, uuid::Uuid::new_v4().as_u128());
    kept.given.push(token.clone());
    kept.live.insert(token.clone());
    axum::Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": seconds })).into_response()
}

/// Everything else goes on to the simulator, under the account's key. What comes back tells the token, as careless gateways
/// do.
async fn pass(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = shown.trim_start_matches("Bearer ").to_owned();
    {
        let mut kept = shared.kept();
        let was_let_through = kept.live.contains(&token) && !kept.lets_nobody_through;
        let call =
            Call { method: method.to_string(), path: uri.path().to_owned(), token: token.clone(), was_let_through };
        kept.calls.push(call);
        if !was_let_through {
            let told = axum::Json(json!({ "error": "invalid_token", "token": token }));
            return (StatusCode::UNAUTHORIZED, told).into_response();
        }
    }
    let waits = shared.kept().held.as_ref().is_some_and(|end| uri.path().ends_with(end.as_str()));
    if waits {
        let mut open = shared.open.clone();
        // The front is gone: so is the test.
        let _ = open.wait_for(|open| *open).await;
    }
    for own in ["host", "content-length", "authorization", "connection"] {
        headers.remove(own);
    }
    let url = format!("{}{uri}", shared.simulator);
    let request = shared.http.request(method, url).headers(headers).bearer_auth(GATEWAY_API_KEY).body(body);
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut passed = Response::builder().status(status).header("x-token", &token);
    if let Some(kind) = kind {
        passed = passed.header("content-type", kind);
    }
    passed.body(Body::from(body)).expect("it came as an answer")
}
