//! The control endpoints: for tests and for people, not part of the gateway's protocol.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use crate::clock;
use crate::faces::mock::views;
use crate::faults::{Fault, Random, Rule};
use crate::gateway::refusal::Refusal;
use crate::gateway::settle::Settling;
use crate::gateway::{ledger, settlement};
use crate::webhooks::{Forgery, Target, Weather, reachable};

/// All of them.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/__health", get(async || Json(json!({"status": "ok"}))))
        .route("/__ledger", get(ledger))
        .route("/__requests", get(requests))
        .route("/__reset", post(reset))
        .route("/__faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/__webhooks", get(webhooks).post(listen).delete(silence))
        .route("/__webhooks/forge", post(forge))
        .route("/__webhooks/again", post(tell_again))
        .route("/__settle", post(settle))
        .route("/__settings", get(settings).post(change_settings))
        .route("/settlement.csv", get(settlement_file))
        .with_state(app)
}

/// 400 with a sentence.
fn bad(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": {"code": "invalid_request", "message": message}}))).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        super::shape::plain(views::refusal(self))
    }
}

#[derive(Deserialize)]
struct LedgerQuery {
    /// `false` leaves out the lines and shows the sums.
    #[serde(default = "yes")]
    entries: bool,
}

fn yes() -> bool {
    true
}

async fn ledger(State(app): State<Arc<App>>, Query(query): Query<LedgerQuery>) -> Response {
    Json(ledger::report(&app.gateway(), query.entries)).into_response()
}

async fn requests(State(app): State<Arc<App>>) -> Response {
    Json(&*app.requests()).into_response()
}

/// Forgets charges, keys, calls, faults and deliveries. Webhook targets and settings stay.
async fn reset(State(app): State<Arc<App>>) -> StatusCode {
    app.gateway().reset();
    app.faces.reset();
    *app.requests() = super::Requests::default();
    app.faults.clear();
    app.webhooks.reset();
    app.webhooks.set_weather(Weather::default());
    StatusCode::NO_CONTENT
}

async fn settlement_file(State(app): State<Arc<App>>) -> Response {
    ([(CONTENT_TYPE, "text/csv")], settlement::csv(&app.gateway())).into_response()
}

// ---- faults ----------------------------------------------------------------------------------------------------------

/// What `POST /__faults` takes: one of these or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wishes {
    Many(Vec<Value>),
    One(Value),
}

/// A rule by itself, or any of the named parts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    rules: Vec<Rule>,
    random: Option<Random>,
    webhooks: Option<Weather>,
}

async fn faults(State(app): State<Arc<App>>) -> Response {
    #[derive(Serialize)]
    struct View {
        #[serde(flatten)]
        faults: crate::faults::View,
        webhooks: Weather,
    }
    Json(View { faults: app.faults.view(), webhooks: app.webhooks.weather() }).into_response()
}

async fn add_faults(State(app): State<Arc<App>>, Json(wishes): Json<Wishes>) -> Response {
    let wishes = match wishes {
        Wishes::Many(wishes) => wishes,
        Wishes::One(wish) => vec![wish],
    };
    let (mut rules, mut random, mut weather) = (Vec::new(), None, None);
    for wish in wishes {
        let read = if wish.get("fault").is_some() {
            Rule::deserialize(wish).map(|rule| Wish { rules: vec![rule], random: None, webhooks: None })
        } else {
            Wish::deserialize(wish)
        };
        match read {
            Ok(wish) => {
                rules.extend(wish.rules);
                random = wish.random.or(random);
                weather = wish.webhooks.or(weather);
            }
            Err(error) => return bad(&error.to_string()),
        }
    }
    if let Some(rule) = rules.iter().find(|rule| matches!(&rule.fault, Fault::Status { code: 0..200 | 1000.., .. })) {
        return bad(&format!("{} cannot answer with that code", rule.fault.name()));
    }
    if let Err(message) = app.faults.add(rules, random) {
        return bad(&message);
    }
    if let Some(weather) = weather {
        app.webhooks.set_weather(weather);
    }
    faults(State(app)).await
}

async fn clear_faults(State(app): State<Arc<App>>) -> StatusCode {
    app.faults.clear();
    app.webhooks.set_weather(Weather::default());
    StatusCode::NO_CONTENT
}

// ---- webhooks --------------------------------------------------------------------------------------------------------

async fn webhooks(State(app): State<Arc<App>>) -> Response {
    Json(json!({"targets": app.webhooks.urls(), "deliveries": app.webhooks.deliveries()})).into_response()
}

async fn listen(State(app): State<Arc<App>>, Json(target): Json<Target>) -> Response {
    if !reachable(&target.url) {
        return bad("webhooks go to http://host:port/… only");
    }
    let Some(face) = app.faces.named(&target.face) else { return bad("there is no such face") };
    app.webhooks.listen(target, face.clone());
    Json(json!({"targets": app.webhooks.urls()})).into_response()
}

async fn silence(State(app): State<Arc<App>>) -> StatusCode {
    app.webhooks.silence();
    StatusCode::NO_CONTENT
}

async fn forge(State(app): State<Arc<App>>, Json(forgery): Json<Forgery>) -> Response {
    match app.webhooks.forge(forgery).await {
        Ok(deliveries) => Json(json!({"deliveries": deliveries})).into_response(),
        Err(message) => bad(message),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    /// Of the operation.
    reference: String,
}

/// Tells once more what has become of an operation: as gateways do that were not heard.
async fn tell_again(State(app): State<Arc<App>>, Json(wish): Json<Again>) -> Result<StatusCode, Refusal> {
    let gateway = app.gateway();
    let change = gateway.again(&wish.reference).ok_or(Refusal::NOT_FOUND)?;
    app.publish(&gateway, &[change]);
    Ok(StatusCode::NO_CONTENT)
}

// ---- the gateway's state ---------------------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    /// Of a charge or a refund.
    id: Option<String>,
    /// Or the reference of the operation that made it.
    reference: Option<String>,
    #[serde(default)]
    outcome: Outcome,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// What would have happened by itself.
    #[default]
    Due,
    Approve,
    Decline,
    /// Takes back what was done; by reference alone.
    Fail,
}

async fn settle(State(app): State<Arc<App>>, Json(wish): Json<Settle>) -> Result<Response, Refusal> {
    let subject = wish.id.or(wish.reference).ok_or(Refusal::NOT_FOUND)?;
    let now = clock::unix_seconds();
    let mut gateway = app.gateway();
    let change = match wish.outcome {
        Outcome::Due => gateway.settle(&subject, Settling::Due, now),
        Outcome::Approve => gateway.settle(&subject, Settling::Approved, now),
        Outcome::Decline => gateway.settle(&subject, Settling::Refused, now),
        Outcome::Fail => gateway.fail(&subject, now),
    }?;
    let object = views::object(&gateway, &change).unwrap_or_default();
    app.publish(&gateway, &[change]);
    Ok(([(CONTENT_TYPE, "application/json")], object).into_response())
}

/// Parts of the settings that can be changed while it runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    idempotency: Option<bool>,
    lookup: Option<bool>,
    settle_ms: Option<u64>,
}

async fn settings(State(app): State<Arc<App>>) -> Response {
    let modes = app.gateway().modes;
    let (idempotency, lookup, settle_ms) = (modes.idempotency, modes.lookup, modes.settle_ms);
    Json(json!({"idempotency": idempotency, "lookup": lookup, "settle_ms": settle_ms})).into_response()
}

async fn change_settings(State(app): State<Arc<App>>, Json(new): Json<NewSettings>) -> Response {
    {
        let modes = &mut app.gateway().modes;
        modes.idempotency = new.idempotency.unwrap_or(modes.idempotency);
        modes.lookup = new.lookup.unwrap_or(modes.lookup);
        modes.settle_ms = new.settle_ms.unwrap_or(modes.settle_ms);
    }
    settings(State(app)).await
}
