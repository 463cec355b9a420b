//! A call to the gateway, from the bytes of a request to those of its answer, with whatever goes wrong in between.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use tokio::time::sleep;

use super::requests::Request as Logged;
use super::{App, Dropped, shape};
use crate::faces::answer::Answer;
use crate::faces::{Call, Deed, Face, Request, Trouble};
use crate::faults::{Fault, Plan, Seen};
use crate::gateway::charges::Fate;
use crate::gateway::methods::DO_NOT_HONOR;
use crate::gateway::{Maker, Twist};

/// A call on its way through the faults.
struct Journey<'a> {
    face: &'a Arc<dyn Face>,
    call: Arc<dyn Call>,
    /// What must not be repeated to anybody.
    authorization: &'a str,
    secret: String,
    plan: Plan,
}

/// Answers a call, or drops its connection where a fault says so. The face's prefix of the path has so many bytes.
pub async fn answer(
    app: &Arc<App>,
    face: &Arc<dyn Face>,
    prefix: usize,
    parts: Parts,
    body: Bytes,
) -> Result<Response, Dropped> {
    let (method, whole) = (name_of(&parts.method), parts.uri.path());
    let (prefix, path) = whole.split_at(prefix);
    let (query, headers) = (parts.uri.query(), &parts.headers);
    let request = Request { method: &parts.method, prefix, path, query, headers, body: &body };
    // Only a POST has an idempotency key.
    let key = request.header(face.key_header()).filter(|key| !key.is_empty() && parts.method == Method::POST);
    let key = key.map(str::to_owned);
    let (maker, secret, call) = match understand(app, face, &request) {
        Ok(understood) => understood,
        Err(refusal) => {
            let mut logged = Logged::new(method, whole, key, None);
            logged.status = Some(refusal.status.as_u16());
            app.requests().add(logged);
            return Ok(shape::plain(refusal));
        }
    };
    let plan = plan(app, call.as_ref(), method, whole, maker.owner);
    let logged = Logged::new(method, whole, key, Some(call.as_ref()));
    let authorization = request.header(AUTHORIZATION.as_str()).unwrap_or_default();
    carry_out(app, Journey { face, call, authorization, secret, plan }, logged).await
}

/// Who calls, the secret that was shown, and what is asked.
fn understand(app: &App, face: &Arc<dyn Face>, request: &Request) -> Result<(Maker, String, Arc<dyn Call>), Answer> {
    let caller = face.caller(request)?;
    let owner = app.owner(&caller.key).ok_or_else(|| face.refuse(Trouble::Unauthenticated))?;
    let maker = Maker { face: face.name(), owner };
    Ok((maker, caller.secret, face.read(request, maker)?.into()))
}

/// What goes wrong with this call. Free of charge while no fault is set.
fn plan(app: &App, call: &dyn Call, method: &str, path: &str, owner: u64) -> Plan {
    if !app.faults.active() {
        return Plan::default();
    }
    let amount = call.amount().or_else(|| call.amount_in(&app.gateway()));
    app.faults.choose(&Seen { method, path, reference: call.reference(), amount, owner })
}

async fn carry_out(app: &Arc<App>, journey: Journey<'_>, mut logged: Logged) -> Result<Response, Dropped> {
    let plan = &journey.plan;
    logged.fault = plan.fault.as_ref().map(Fault::name);
    let delayed = plan.before_ms > 0 || plan.after_ms > 0;
    logged.fault = logged.fault.or(delayed.then_some("delay"));
    if let Some(fault) = &plan.fault
        && let Some(end) = instead(fault, journey.face.as_ref())
    {
        logged.status = end.as_ref().ok().map(|response| response.status().as_u16());
        app.requests().add(logged);
        sleep(Duration::from_millis(plan.before_ms + plan.after_ms)).await;
        return end;
    }
    logged.acted = true;
    // Before the deed: whoever gives up waiting for a late one has called all the same.
    let number = app.requests().add(logged);
    let answer = act(app, &journey).await;
    let end = present(answer, &journey);
    app.requests().answered(number, end.as_ref().ok().map(|response| response.status().as_u16()));
    if plan.after_ms > 0 {
        sleep(Duration::from_millis(plan.after_ms)).await;
    }
    end
}

/// What a client gets from a fault that stands before the gateway; nothing where the gateway acts.
fn instead(fault: &Fault, face: &dyn Face) -> Option<Result<Response, Dropped>> {
    let trouble = match fault {
        Fault::DropBefore {} => return Some(Err(Dropped)),
        Fault::Redirect { location } => return Some(Ok(shape::redirect(location))),
        Fault::Status { code, body, act: false } => return Some(Ok(shape::status(*code, body))),
        Fault::Status500 {} => Trouble::Internal,
        Fault::Status409 {} => Trouble::Conflict,
        Fault::NotProcessed409 {} => Trouble::NotProcessed,
        Fault::Status429 {} => Trouble::RateLimited,
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
    Some(Ok(shape::plain(face.refuse(trouble))))
}

/// Lets the gateway act. After a delay it does so even if the client has gone: the call was received, and gateways
/// finish what they began.
async fn act(app: &Arc<App>, journey: &Journey<'_>) -> Answer {
    let twist = journey.plan.fault.as_ref().map_or(Twist::None, |fault| twist(fault, journey.call.deed()));
    if journey.plan.before_ms == 0 {
        return app.perform(journey.call.as_ref(), twist);
    }
    let wait = Duration::from_millis(journey.plan.before_ms);
    let (app, call) = (app.clone(), journey.call.clone());
    let tasks = app.tasks.clone();
    let late = tasks.spawn(async move {
        app.stop.run_until_cancelled(sleep(wait)).await.map(|()| app.perform(call.as_ref(), twist))
    });
    // Without an answer only when the simulator ends.
    late.await.ok().flatten().unwrap_or_else(|| journey.face.refuse(Trouble::Internal))
}

/// What the fault does to the outcome itself.
fn twist(fault: &Fault, deed: Deed) -> Twist {
    match *fault {
        Fault::Decline { code } => Twist::Decline(code.0),
        Fault::LateSuccess { ms } => Twist::LateSuccess { after_ms: ms },
        Fault::Pending { ms, decline } => {
            Twist::Pending { after_ms: ms, fate: if decline { Fate::Decline(DO_NOT_HONOR) } else { Fate::Approve } }
        }
        Fault::CaptureFailsLater { ms } if matches!(deed, Deed::Charge | Deed::Capture) => {
            Twist::FailsLater { after_ms: ms }
        }
        Fault::RefundFailsLater { ms } if deed == Deed::Refund => Twist::FailsLater { after_ms: ms },
        _ => Twist::None,
    }
}

/// The answer as the fault lets it through.
fn present(answer: Answer, journey: &Journey<'_>) -> Result<Response, Dropped> {
    let Some(fault) = &journey.plan.fault else { return Ok(shape::plain(answer)) };
    Ok(match fault {
        Fault::ActThenDrop {} => return Err(Dropped),
        Fault::ActThen500 {} => shape::plain(journey.face.refuse(Trouble::Internal)),
        Fault::Garbage {} => shape::garbage(),
        Fault::HugeBody { bytes } => shape::huge(&answer, *bytes),
        Fault::SlowBody { ms_per_chunk } => shape::slow(&answer, *ms_per_chunk),
        Fault::Truncated {} => shape::truncated(&answer),
        Fault::EchoCard {} => shape::echo(&answer, journey.authorization, &journey.secret, journey.call.card()),
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

fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        _ => "other",
    }
}
