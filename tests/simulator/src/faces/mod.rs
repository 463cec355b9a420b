//! The faces of the gateway: each speaks the protocol of one payment gateway, over the one ledger.
//!
//! The first segment of a path names the face (`/stripe/v1/payment_intents`); every other path is the root face's,
//! which is the mock unless the settings say otherwise. A face reads a request without effect into a [`Call`], so that a
//! fault can be chosen first; the call acts on the [`Gateway`], which alone holds money; what has changed is told by the
//! face in its own words. Whatever else a face knows (orders, tokens, answers kept for idempotency keys) lives in the
//! face behind a lock of its own. That lock is taken after the gateway's, never before.

mod adyen;
pub mod answer;
pub mod hmac;
pub mod kept;
pub mod mock;
pub mod money;
pub mod pages;
mod paypal;
mod razorpay;
pub mod serials;
mod stripe;

use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use crate::gateway::ask::Card;
use crate::gateway::{Change, Done, Gateway, Maker, Timer, Twist};
use answer::Answer;
use serials::Serials;

/// Every face, one line each.
fn all(ground: &Arc<Ground>) -> Vec<Arc<dyn Face>> {
    vec![
        Arc::new(mock::Mock::new(ground.clone())),
        Arc::new(stripe::Stripe::new(ground.clone())),
        Arc::new(razorpay::Razorpay::new(ground.clone())),
        Arc::new(adyen::Adyen::new(ground.clone())),
        Arc::new(paypal::Paypal::new(ground.clone())),
    ]
}

/// What a face stands on.
pub struct Ground {
    /// The simulator's address, `http://127.0.0.1:1234`. The pages of a face are under `{url}/{its name}/__…`.
    pub url: String,
    /// Numbers for its ids.
    pub serials: Arc<Serials>,
}

/// The protocol of one gateway.
pub trait Face: Send + Sync {
    /// Its name: the first segment of its paths, and what `POST /__webhooks` calls it.
    fn name(&self) -> &'static str;

    /// Who calls, by whatever the gateway authenticates by; or the gateway's own 401.
    ///
    /// # Errors
    /// The answer to somebody it does not know.
    fn caller(&self, request: &Request) -> Result<Caller, Answer>;

    /// Understands a request, without any effect.
    ///
    /// # Errors
    /// The gateway's answer to what it does not understand.
    fn read(&self, request: &Request, maker: Maker) -> Result<Box<dyn Call>, Answer>;

    /// What the gateway says when nothing was done, for reasons of its own.
    fn refuse(&self, trouble: Trouble) -> Answer;

    /// What the gateway tells of these changes, in its own words: none to many webhooks, each about one or several of
    /// them. All are of one maker and one deed; the gateway is as they left it.
    fn tell(&self, gateway: &Gateway, changes: &[Change], now: u64) -> Vec<Notice>;

    /// Signs a webhook as it leaves: again at each attempt.
    fn sign(&self, notice: &Notice, signing: &Signing) -> Signed;

    /// Forgets its state: all money is gone.
    fn reset(&self);

    /// The header that carries the idempotency key of a POST, as the log of requests shows it.
    fn key_header(&self) -> &'static str {
        "idempotency-key"
    }

    /// Whether a new charge is told although its creator has the answer, whatever the weather says.
    fn tells_new_charges(&self) -> bool {
        true
    }

    /// Whether the receiver of a webhook has taken it.
    fn taken(&self, status: u16, _answer: &[u8]) -> bool {
        (200..300).contains(&status)
    }

    /// Whether this path (without the face's prefix) is a page for customers.
    fn is_page(&self, path: &str) -> bool {
        path.starts_with("/__")
    }

    /// A customer looks at a page (GET) or presses a button (POST, a form). No faults, no keys.
    fn visit(&self, _request: &Request, _gateway: &mut Gateway, _now: u64) -> Effects {
        pages::nothing_here().into()
    }

    /// A timer of [`Turn::Wake`](crate::gateway::Turn::Wake) has run out.
    fn wake(&self, _subject: &str, _gateway: &mut Gateway, _now: u64) -> Vec<Change> {
        Vec::new()
    }
}

/// A request that a face has understood.
pub trait Call: Send + Sync {
    /// Which kind of deed it asks for: some faults know only some of them.
    fn deed(&self) -> Deed;

    /// The host's operation that the call names.
    fn reference(&self) -> Option<&str>;

    /// The amount that the call names, in minor units as ISO 4217 has them.
    fn amount(&self) -> Option<i64>;

    /// The amount of the charge or refund that the call is about, for one that names none itself.
    fn amount_in(&self, _gateway: &Gateway) -> Option<i64> {
        None
    }

    /// The card that the call carries.
    fn card(&self) -> Option<&Card> {
        None
    }

    /// Does it, twisted as a fault wants it.
    fn act(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects;
}

/// What a call asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    Charge,
    Capture,
    Cancel,
    Refund,
    /// It asks, or prepares something: no money moves.
    Other,
}

/// A request as a face sees it.
pub struct Request<'a> {
    pub method: &'a Method,
    /// What stands before `path`: `/stripe`, or nothing at the root.
    pub prefix: &'a str,
    /// Begins with a slash.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
}

impl Request<'_> {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The segments of the path, without the first slash.
    pub fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches('/').split('/').collect()
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ").filter(|token| !token.is_empty())
    }

    /// User and password of `Authorization: Basic …`.
    pub fn basic(&self) -> Option<(String, String)> {
        use base64::Engine as _;
        let encoded = self.header("authorization")?.strip_prefix("Basic ")?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }
}

/// Who calls. No `Debug`: it holds secrets.
pub struct Caller {
    /// The name or key that tells one merchant from another: `--api-key`, the `api_key` of a fault's match and that of
    /// a webhook target are compared with it.
    pub key: String,
    /// What must not be repeated to anybody; the fault `echo_card` does.
    pub secret: String,
}

impl Caller {
    /// A merchant who is known by the secret alone.
    pub fn by(secret: &str) -> Self {
        Self { key: secret.to_owned(), secret: secret.to_owned() }
    }
}

/// Why nothing was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The caller's key is none of those that are accepted.
    Unauthenticated,
    /// The body is too large.
    TooLarge,
    /// A conflict that says nothing about what happened.
    Conflict,
    /// A conflict that says that nothing happened.
    NotProcessed,
    /// Too many requests; nothing happened.
    RateLimited,
    /// An error that says nothing about what happened.
    Internal,
}

/// What a call leads to.
pub struct Effects {
    pub answer: Answer,
    pub changes: Vec<Change>,
    pub timers: Vec<Timer>,
}

impl Effects {
    /// This deed, answered like this.
    pub fn of(done: Done, answer: Answer) -> Self {
        Self { answer, changes: vec![done.change], timers: done.timer.into_iter().collect() }
    }
}

impl From<Answer> for Effects {
    /// An answer, and nothing else has happened.
    fn from(answer: Answer) -> Self {
        Self { answer, changes: Vec::new(), timers: Vec::new() }
    }
}

/// A webhook before it is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The event's id.
    pub id: String,
    /// Its type, in the gateway's word.
    pub kind: String,
    pub body: Bytes,
}

/// What a webhook is signed with.
pub struct Signing<'a> {
    pub secret: &'a str,
    /// Unix time in seconds.
    pub now: u64,
    /// Stands in place of the right signature, where somebody forges.
    pub signature: Option<&'a str>,
}

/// A webhook as it is sent.
pub struct Signed {
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// All faces, and which of them is at the root.
pub struct Faces {
    all: Vec<Arc<dyn Face>>,
    root: Arc<dyn Face>,
}

impl Faces {
    /// All faces; nothing where `root` names none of them.
    pub fn new(ground: &Arc<Ground>, root: &str) -> Option<Self> {
        let all = all(ground);
        let root = all.iter().find(|face| face.name() == root)?.clone();
        Some(Self { all, root })
    }

    /// The face of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Face>> {
        self.all.iter().find(|face| face.name() == name)
    }

    /// Whose path this is, and where the prefix ends.
    pub fn at(&self, path: &str) -> (&Arc<dyn Face>, usize) {
        let first = path.strip_prefix('/').and_then(|path| path.split('/').next()).unwrap_or_default();
        match self.named(first) {
            Some(face) => (face, first.len() + 1),
            None => (&self.root, 0),
        }
    }

    /// Forgets what the faces know.
    pub fn reset(&self) {
        for face in &self.all {
            face.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground() -> Arc<Ground> {
        Arc::new(Ground { url: "http://simulator.test".to_owned(), serials: Arc::new(Serials::new(7)) })
    }

    #[test]
    fn the_first_segment_chooses_the_face_and_everything_else_is_the_roots() {
        let at = |root, path| {
            let faces = Faces::new(&ground(), root).unwrap();
            let (face, prefix) = faces.at(path);
            (face.name(), path[prefix..].to_owned())
        };
        assert_eq!(at("mock", "/charges/ch_1"), ("mock", "/charges/ch_1".to_owned()));
        assert_eq!(at("mock", "/stripe/v1/refunds"), ("stripe", "/v1/refunds".to_owned()));
        assert_eq!(at("mock", "/stripes/v1"), ("mock", "/stripes/v1".to_owned()));
        assert_eq!(at("stripe", "/v1/refunds"), ("stripe", "/v1/refunds".to_owned()));
        assert_eq!(at("stripe", "/adyen/v71/payments"), ("adyen", "/v71/payments".to_owned()));
        assert_eq!(at("stripe", "/mock/charges"), ("mock", "/charges".to_owned()));
        assert!(Faces::new(&ground(), "no such face").is_none());
    }

    #[test]
    fn basic_authentication_is_read() {
        let headers = HeaderMap::from_iter([(
            axum::http::header::AUTHORIZATION,
            axum::http::HeaderValue::from_static("Basic a2V5X2lkOnNlOmNyZXQ="),
        )]);
        let body = Bytes::new();
        let request =
            Request { method: &Method::GET, prefix: "", path: "/a/b", query: None, headers: &headers, body: &body };
        assert_eq!(request.basic(), Some(("key_id".to_owned(), "se:cret".to_owned())));
        assert_eq!(request.bearer(), None);
        assert_eq!(request.segments(), ["a", "b"]);
    }
}
