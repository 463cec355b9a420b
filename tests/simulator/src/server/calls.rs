//! A call to the gateway, from the bytes of a request to those of its answer, with whatever goes wrong in between.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::sleep;

use super::requests::Request;
use super::{App, Dropped, shape};
use crate::faults::{Fault, Plan, Seen};
use crate::gateway::answer::{Answer, Refusal};
use crate::gateway::ask::Ask;
use crate::gateway::charges::Fate;
use crate::gateway::methods::DO_NOT_HONOR;
use crate::gateway::{Call, Twist};

/// The largest body a client may send, in bytes.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// Answers a call, or drops its connection where a fault says so.
pub async fn answer(app: &Arc<App>, parts: Parts, body: Incoming) -> Result<Response, Dropped> {
    let Ok(body) = Limited::new(body, BODY_MAX_BYTES).collect().await else {
        return Ok(shape::plain(Refusal::TOO_LARGE.answer()));
    };
    let body = body.to_bytes();
    let (method, path) = (name_of(&parts.method), parts.uri.path());
    let key = key_of(&parts);
    let authorization = text(&parts.headers, AUTHORIZATION.as_str()).unwrap_or_default();
    let understood = match app.owner(authorization) {
        None => Err(Refusal::UNAUTHENTICATED),
        Some(owner) => Ask::read(&parts.method, path, parts.uri.query(), &body).map(|ask| (owner, ask)),
    };
    let (owner, ask) = match understood {
        Ok(understood) => understood,
        Err(refusal) => {
            let mut request = Request::new(method, path, key, None);
            request.status = Some(refusal.status.as_u16());
            app.requests().add(request);
            return Ok(shape::plain(refusal.answer()));
        }
    };
    let plan = plan(app, &ask, method, path, owner);
    let request = Request::new(method, path, key.clone(), Some(&ask));
    let call = Arc::new(Call { ask, key, fingerprint: fingerprint(method, path, &body), owner });
    carry_out(app, call, plan, request, authorization).await
}

/// What goes wrong with this call. Free of charge while no fault is set.
fn plan(app: &App, ask: &Ask, method: &str, path: &str, owner: u64) -> Plan {
    if !app.faults.active() {
        return Plan::default();
    }
    let amount = ask.amount().or_else(|| app.gateway().amount_of(ask));
    app.faults.choose(&Seen { method, path, reference: ask.reference(), amount, owner })
}

async fn carry_out(
    app: &Arc<App>,
    call: Arc<Call>,
    plan: Plan,
    mut request: Request,
    authorization: &str,
) -> Result<Response, Dropped> {
    request.fault = plan.fault.as_ref().map(Fault::name);
    let delayed = plan.before_ms > 0 || plan.after_ms > 0;
    request.fault = request.fault.or(delayed.then_some("delay"));
    if let Some(fault) = &plan.fault
        && let Some(end) = instead(fault)
    {
        request.status = end.as_ref().ok().map(|response| response.status().as_u16());
        app.requests().add(request);
        sleep(Duration::from_millis(plan.before_ms + plan.after_ms)).await;
        return end;
    }
    request.acted = true;
    // Before the deed: whoever gives up waiting for a late one has called all the same.
    let number = app.requests().add(request);
    let answer = act(app, &call, &plan).await;
    let end = present(answer, plan.fault.as_ref(), authorization, &call);
    app.requests().answered(number, end.as_ref().ok().map(|response| response.status().as_u16()));
    if plan.after_ms > 0 {
        sleep(Duration::from_millis(plan.after_ms)).await;
    }
    end
}

/// What a client gets from a fault that stands before the gateway; nothing where the gateway acts.
fn instead(fault: &Fault) -> Option<Result<Response, Dropped>> {
    let refusal = match fault {
        Fault::DropBefore {} => return Some(Err(Dropped)),
        Fault::Redirect { location } => return Some(Ok(shape::redirect(location))),
        Fault::Status { code, body, act: false } => return Some(Ok(shape::status(*code, body))),
        Fault::Status500 {} => Refusal::INTERNAL,
        Fault::Status409 {} => Refusal::CONFLICT,
        Fault::NotProcessed409 {} => Refusal::NOT_PROCESSED,
        Fault::Status429 {} => Refusal::RATE_LIMITED,
        Fault::Status { act: true, .. }
        | Fault::Delay { .. }
        | Fault::ActThenDrop {}
        | Fault::ActThen500 {}
        | Fault::Garbage {}
        | Fault::HugeBody { .. }
        | Fault::SlowBody { .. }
        | Fault::Truncated {}
        | Fault::Decline { .. }
        | Fault::LateSuccess { .. }
        | Fault::Pending { .. }
        | Fault::CaptureFailsLater { .. }
        | Fault::RefundFailsLater { .. }
        | Fault::EchoCard {} => return None,
    };
    Some(Ok(shape::plain(refusal.answer())))
}

/// Lets the gateway act. After a delay it does so even if the client has gone: the call was received, and gateways
/// finish what they began.
async fn act(app: &Arc<App>, call: &Arc<Call>, plan: &Plan) -> Answer {
    let twist = plan.fault.as_ref().map_or(Twist::None, |fault| twist(fault, &call.ask));
    if plan.before_ms == 0 {
        return app.perform(call, twist);
    }
    let wait = Duration::from_millis(plan.before_ms);
    let (app, call) = (app.clone(), call.clone());
    let tasks = app.tasks.clone();
    let late =
        tasks.spawn(async move { app.stop.run_until_cancelled(sleep(wait)).await.map(|()| app.perform(&call, twist)) });
    // Without an answer only when the simulator ends.
    late.await.ok().flatten().unwrap_or_else(|| Refusal::INTERNAL.answer())
}

/// What the fault does to the outcome itself.
fn twist(fault: &Fault, ask: &Ask) -> Twist {
    match *fault {
        Fault::Decline { code } => Twist::Decline(code.0),
        Fault::LateSuccess { ms } => Twist::LateSuccess { after_ms: ms },
        Fault::Pending { ms, decline } => {
            Twist::Pending { after_ms: ms, fate: if decline { Fate::Decline(DO_NOT_HONOR) } else { Fate::Approve } }
        }
        Fault::CaptureFailsLater { ms } if matches!(ask, Ask::Create(_) | Ask::Capture { .. }) => {
            Twist::FailsLater { after_ms: ms }
        }
        Fault::RefundFailsLater { ms } if matches!(ask, Ask::Refund { .. }) => Twist::FailsLater { after_ms: ms },
        _ => Twist::None,
    }
}

/// The answer as the fault lets it through.
fn present(answer: Answer, fault: Option<&Fault>, authorization: &str, call: &Call) -> Result<Response, Dropped> {
    let Some(fault) = fault else { return Ok(shape::plain(answer)) };
    Ok(match fault {
        Fault::ActThenDrop {} => return Err(Dropped),
        Fault::ActThen500 {} => shape::plain(Refusal::INTERNAL.answer()),
        Fault::Garbage {} => shape::garbage(),
        Fault::HugeBody { bytes } => shape::huge(&answer, *bytes),
        Fault::SlowBody { ms_per_chunk } => shape::slow(&answer, *ms_per_chunk),
        Fault::Truncated {} => shape::truncated(&answer),
        Fault::EchoCard {} => shape::echo(&answer, authorization, call.ask.card()),
        Fault::Status { code, body, .. } => shape::status(*code, body),
        Fault::Delay { .. }
        | Fault::Decline { .. }
        | Fault::LateSuccess { .. }
        | Fault::Pending { .. }
        | Fault::CaptureFailsLater { .. }
        | Fault::RefundFailsLater { .. }
        | Fault::DropBefore {}
        | Fault::Status500 {}
        | Fault::Status409 {}
        | Fault::NotProcessed409 {}
        | Fault::Status429 {}
        | Fault::Redirect { .. } => shape::plain(answer),
    })
}

/// Only a POST has an idempotency key.
fn key_of(parts: &Parts) -> Option<String> {
    let key = text(&parts.headers, "idempotency-key").filter(|key| !key.is_empty());
    key.filter(|_| parts.method == Method::POST).map(str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        _ => "other",
    }
}

fn fingerprint(method: &str, path: &str, body: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    (method, path, body.as_ref()).hash(&mut hasher);
    hasher.finish()
}
