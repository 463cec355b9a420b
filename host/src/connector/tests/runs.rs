//! The journaled exchange: runs that are answered from a transcript, and what they come to.

use std::sync::{Arc, Mutex};

use super::{
    admitted, answered, cancel, context, engine,
    fixture::{ASK_ALWAYS, ASK_NEVER, ASK_ONCE, Fixture, TRAP, URL, performing},
};
use crate::connector::{
    RunError, Step, TrapKind, Verify,
    types::{Effect, Exchange, Inbound, Mac, Method, Outcome, Request},
};

/// The first run ends at the request, the second one is answered and comes to its outcome; what stood between them is
/// a transcript and nothing else.
#[tokio::test]
async fn a_run_suspends_and_is_replayed_to_its_outcome() {
    let engine = engine();
    let version = admitted(&engine, &performing(ASK_ONCE));
    let first = engine.perform(&version, &context(), &cancel(), Arc::default()).await.unwrap();
    let Step::Send(request) = first else { panic!("{first:?}") };
    assert_eq!((request.method, request.url.as_str(), request.effect), (Method::Post, URL, Effect::Reads));
    let transcript = Arc::new(vec![answered(request, 200, "{}")]);
    for _ in 0..3 {
        let again = engine.perform(&version, &context(), &cancel(), Arc::clone(&transcript)).await.unwrap();
        assert_eq!(again, Step::Done(Outcome::NotProcessed(None)));
    }
}

async fn asked(body: &str) -> (Request, Result<Step, RunError>) {
    let engine = engine();
    let version = admitted(&engine, &performing(body));
    let Step::Send(request) = engine.perform(&version, &context(), &cancel(), Arc::default()).await.unwrap() else {
        panic!("it asks first")
    };
    let mut other = request.clone();
    other.url.push_str("/other");
    let transcript = Arc::new(vec![answered(other, 200, "{}")]);
    (request, engine.perform(&version, &context(), &cancel(), transcript).await)
}

#[tokio::test]
async fn another_request_than_the_one_written_down_is_a_divergence() {
    let (request, result) = asked(ASK_ONCE).await;
    let Err(RunError::Diverged { position: 0, expected, got: Some(got) }) = result else { panic!("{result:?}") };
    assert_eq!(*got, request);
    assert_eq!(expected.url, format!("{URL}/other"));
}

/// The transcript has an exchange that this code would never have asked for.
#[tokio::test]
async fn an_outcome_before_the_end_of_the_transcript_is_a_divergence() {
    let engine = engine();
    let asks = admitted(&engine, &performing(ASK_ONCE));
    let Step::Send(request) = engine.perform(&asks, &context(), &cancel(), Arc::default()).await.unwrap() else {
        panic!("it asks first")
    };
    let never = admitted(&engine, &performing(ASK_NEVER));
    let result = engine.perform(&never, &context(), &cancel(), Arc::new(vec![answered(request, 200, "")])).await;
    assert!(matches!(result, Err(RunError::Diverged { position: 0, got: None, .. })), "{result:?}");
}

#[tokio::test]
async fn the_ninth_exchange_is_not_asked_for() {
    let engine = engine();
    let version = admitted(&engine, &performing(ASK_ALWAYS));
    let mut transcript: Vec<Exchange> = Vec::new();
    for _ in 0..8 {
        let step = engine.perform(&version, &context(), &cancel(), Arc::new(transcript.clone())).await.unwrap();
        let Step::Send(request) = step else { panic!("{step:?}") };
        transcript.push(answered(request, 200, "{}"));
    }
    let ninth = engine.perform(&version, &context(), &cancel(), Arc::new(transcript)).await;
    assert_eq!(ninth, Err(RunError::TooManyExchanges { max: 8 }));
}

/// A trap after the gateway was asked is a trap: whether something was sent is for the journal to say.
#[tokio::test]
async fn a_trap_after_an_exchange_is_a_trap() {
    let engine = engine();
    let version = admitted(&engine, &performing(&format!("(call $ask) {TRAP}")));
    let Step::Send(request) = engine.perform(&version, &context(), &cancel(), Arc::default()).await.unwrap() else {
        panic!("it asks first")
    };
    let result = engine.perform(&version, &context(), &cancel(), Arc::new(vec![answered(request, 200, "")])).await;
    assert!(matches!(result, Err(RunError::Trapped { kind: TrapKind::Unreachable, .. })), "{result:?}");
}

#[tokio::test]
async fn a_large_reply_reaches_the_guest_whole() {
    let engine = engine();
    let version = admitted(&engine, &performing(ASK_ONCE));
    let Step::Send(request) = engine.perform(&version, &context(), &cancel(), Arc::default()).await.unwrap() else {
        panic!("it asks first")
    };
    let transcript = Arc::new(vec![answered(request, 200, &"x".repeat(4 << 20))]);
    let step = engine.perform(&version, &context(), &cancel(), transcript).await.unwrap();
    assert_eq!(step, Step::Done(Outcome::NotProcessed(None)));
}

/// Notes what it was asked, and says yes.
struct Verifier(Mutex<Vec<Asked>>);

type Asked = (Mac, String, Vec<u8>, Vec<u8>);

impl Verify for Verifier {
    fn verify(&self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        self.0.lock().unwrap().push((mac, secret.to_owned(), data.to_vec(), expected.to_vec()));
        Some(1)
    }
}

fn inbound() -> Inbound {
    Inbound { headers: vec![], query: String::new(), body: b"{}".to_vec() }
}

#[tokio::test]
async fn a_webhook_is_verified_by_the_host() {
    let engine = engine();
    let fixture = Fixture { receive: "(call $check) (global.get $received)", ..Fixture::default() };
    let version = admitted(&engine, &fixture.component());
    let verifier = Arc::new(Verifier(Mutex::default()));
    let verify: Arc<dyn Verify> = Arc::<Verifier>::clone(&verifier);
    let delivery = engine.receive(&version, &context(), inbound(), verify).await.unwrap().unwrap();
    assert_eq!((delivery.events.len(), delivery.acknowledgement.status), (0, 200));
    let asked = verifier.0.lock().unwrap();
    assert_eq!(*asked, [(Mac::HmacSha256, "webhook_secret".to_owned(), URL.into(), b"http".to_vec())]);
}

#[tokio::test]
async fn verifying_in_a_loop_is_ended() {
    let engine = engine();
    let receive = "(loop $again (call $check) (br $again)) (unreachable)";
    let version = admitted(&engine, &Fixture { receive, ..Fixture::default() }.component());
    let verifier = Arc::new(Verifier(Mutex::default()));
    let verify: Arc<dyn Verify> = Arc::<Verifier>::clone(&verifier);
    let result = engine.receive(&version, &context(), inbound(), verify).await;
    assert!(matches!(result, Err(RunError::Trapped { kind: TrapKind::Forbidden, .. })), "{result:?}");
    assert_eq!(verifier.0.lock().unwrap().len(), 64);
}

#[tokio::test]
async fn a_webhook_cannot_ask_the_gateway() {
    let engine = engine();
    let receive = "(call $ask) (global.get $received)";
    let version = admitted(&engine, &Fixture { receive, ..Fixture::default() }.component());
    let result = engine.receive(&version, &context(), inbound(), Arc::new(Verifier(Mutex::default()))).await;
    assert!(matches!(result, Err(RunError::Trapped { kind: TrapKind::Forbidden, .. })), "{result:?}");
}

#[tokio::test]
async fn sessions_and_settlements_can_be_empty() {
    let engine = engine();
    let version = admitted(&engine, &performing(ASK_NEVER));
    assert_eq!(engine.open_session(&version, &context()).await, Ok(None));
    assert_eq!(engine.read_settlement(&version, &context(), vec![b'x'; 1 << 20]).await, Ok(Ok(vec![])));
}
