//! The mock's own protocol, the one that the `mock` connector speaks. See the README.

mod ask;
pub mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use bytes::Bytes;

use super::answer::Answer;
use super::kept::{Found, Kept, fingerprint};
use super::{Call, Caller, Deed, Effects, Face, Ground, Notice, Request, Signed, Signing, Trouble, hmac, pages};
use crate::gateway::ask::Card;
use crate::gateway::charges::Status;
use crate::gateway::refusal::Refusal;
use crate::gateway::settle::Settling;
use crate::gateway::{Change, Gateway, Maker, Twist};
use ask::Ask;

/// The face's name.
pub const NAME: &str = "mock";
/// The header that carries a webhook's signature.
const SIGNATURE_HEADER: &str = "Mock-Signature";
/// The title of its pages.
const TITLE: &str = "Mock gateway";
/// A key is never forgotten.
const KEY_LIFE_SECONDS: u64 = u64::MAX;
/// Keys belong to nobody: the protocol does not say whose they are.
const NOBODY: u64 = 0;

/// See the module's documentation.
pub struct Mock {
    ground: Arc<Ground>,
    kept: Arc<Mutex<Kept>>,
}

impl Mock {
    pub fn new(ground: Arc<Ground>) -> Self {
        Self { ground, kept: Arc::default() }
    }
}

impl Face for Mock {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caller(&self, request: &Request) -> Result<Caller, Answer> {
        request.bearer().map(Caller::by).ok_or_else(|| views::refusal(Refusal::UNAUTHENTICATED))
    }

    fn read(&self, request: &Request, maker: Maker) -> Result<Box<dyn Call>, Answer> {
        let ask = Ask::read(request.method, request.path, request.query, request.body).map_err(views::refusal)?;
        let key = request.header(self.key_header()).filter(|key| !key.is_empty() && request.method == "POST");
        Ok(Box::new(MockCall {
            ask,
            maker,
            key: key.map(str::to_owned),
            fingerprint: fingerprint(request),
            kept: self.kept.clone(),
        }))
    }

    fn refuse(&self, trouble: Trouble) -> Answer {
        views::refusal(match trouble {
            Trouble::Unauthenticated => Refusal::UNAUTHENTICATED,
            Trouble::TooLarge => Refusal::TOO_LARGE,
            Trouble::Conflict => Refusal::CONFLICT,
            Trouble::NotProcessed => Refusal::NOT_PROCESSED,
            Trouble::RateLimited => Refusal::RATE_LIMITED,
            Trouble::Internal => Refusal::INTERNAL,
        })
    }

    fn tell(&self, gateway: &Gateway, changes: &[Change], now: u64) -> Vec<Notice> {
        let told = changes.iter().filter_map(|change| Some((views::kind_of(change)?, views::object(gateway, change)?)));
        told.map(|(kind, object)| notice(format!("gwe_{}", self.ground.serials.next()), kind, &object, now)).collect()
    }

    fn sign(&self, notice: &Notice, signing: &Signing) -> Signed {
        let computed = || sign(signing.secret, signing.now, &notice.body);
        let signature = signing.signature.map_or_else(computed, str::to_owned);
        Signed { headers: vec![(SIGNATURE_HEADER, signature)], body: notice.body.clone() }
    }

    fn reset(&self) {
        kept(&self.kept).clear();
    }

    fn tells_new_charges(&self) -> bool {
        false
    }

    fn is_page(&self, path: &str) -> bool {
        path.starts_with("/redirect/")
    }

    fn visit(&self, request: &Request, gateway: &mut Gateway, now: u64) -> Effects {
        visit(request, gateway, now).unwrap_or_else(|refusal| views::refusal(refusal).into())
    }
}

/// A call in the mock's protocol.
struct MockCall {
    ask: Ask,
    maker: Maker,
    /// The idempotency key of a POST.
    key: Option<String>,
    fingerprint: u64,
    kept: Arc<Mutex<Kept>>,
}

impl Call for MockCall {
    fn deed(&self) -> Deed {
        match self.ask {
            Ask::Create(_) => Deed::Charge,
            Ask::Capture { .. } => Deed::Capture,
            Ask::Cancel { .. } => Deed::Cancel,
            Ask::Refund { .. } => Deed::Refund,
            Ask::Charge(_) | Ask::ChargeByReference(_) | Ask::RefundByReference(_) => Deed::Other,
        }
    }

    fn reference(&self) -> Option<&str> {
        self.ask.reference()
    }

    fn amount(&self) -> Option<i64> {
        self.ask.amount()
    }

    fn amount_in(&self, gateway: &Gateway) -> Option<i64> {
        match &self.ask {
            Ask::ChargeByReference(reference) => gateway.step(reference).map(|(_, charge)| charge.amount),
            Ask::RefundByReference(reference) => {
                gateway.refund_by_reference(reference).map(|(refund, _)| refund.amount)
            }
            other => gateway.charge(other.charge()?).map(|charge| charge.amount),
        }
    }

    fn card(&self) -> Option<&Card> {
        self.ask.card()
    }

    /// Does what is asked, or answers as it did the first time.
    fn act(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let Some(key) = self.key.as_ref().filter(|_| gateway.modes.idempotency) else {
            return self.first_time(gateway, twist, now);
        };
        let found = kept(&self.kept).find(NOBODY, key, self.fingerprint, now, KEY_LIFE_SECONDS);
        match found {
            Found::Same(mut answer) => {
                if answer.status == StatusCode::CREATED {
                    answer.status = StatusCode::OK;
                }
                answer.into()
            }
            Found::Another => views::refusal(Refusal::KEY_REUSED).into(),
            Found::New => {
                let effects = self.first_time(gateway, twist, now);
                kept(&self.kept).keep(NOBODY, key, self.fingerprint, now, &effects.answer);
                effects
            }
        }
    }
}

impl MockCall {
    fn first_time(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        self.perform(gateway, twist, now).unwrap_or_else(|refusal| views::refusal(refusal).into())
    }

    fn perform(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Result<Effects, Refusal> {
        let (done, success) = match &self.ask {
            Ask::Create(new) => (gateway.create(new, self.maker, None, twist, now), StatusCode::CREATED),
            Ask::Capture { charge, capture } => (gateway.capture(charge, capture, twist, now)?, StatusCode::OK),
            Ask::Cancel { charge, reference } => (gateway.cancel(charge, reference, twist, now)?, StatusCode::OK),
            Ask::Refund { charge, refund } => (gateway.refund(charge, refund, twist, now)?, StatusCode::CREATED),
            Ask::Charge(id) => {
                let charge = gateway.charge(id).ok_or(Refusal::NOT_FOUND)?;
                return Ok(ok(views::charge(charge, &charge.reference, gateway.own_step(charge))));
            }
            Ask::ChargeByReference(reference) => {
                let found = gateway.step(reference).filter(|_| gateway.modes.lookup);
                let (step, charge) = found.ok_or(Refusal::NOT_FOUND)?;
                return Ok(ok(views::charge(charge, reference, Some(step))));
            }
            Ask::RefundByReference(reference) => {
                let found = gateway.refund_by_reference(reference).filter(|_| gateway.modes.lookup);
                let (refund, charge) = found.ok_or(Refusal::NOT_FOUND)?;
                return Ok(ok(views::refund(refund, charge)));
            }
        };
        let declined = gateway.declined(&done.change);
        let status = if declined { StatusCode::PAYMENT_REQUIRED } else { success };
        let body = views::object(gateway, &done.change).ok_or(Refusal::INTERNAL)?;
        Ok(Effects::of(done, Answer::new(status, "application/json", body)))
    }
}

fn ok(body: Bytes) -> Effects {
    Answer::new(StatusCode::OK, "application/json", body).into()
}

/// `GET /redirect/{charge}`, and `POST` to `…/approve` or `…/decline`.
fn visit(request: &Request, gateway: &mut Gateway, now: u64) -> Result<Effects, Refusal> {
    let segments = request.segments();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", [_, id]) => {
            let charge = gateway.charge(id).ok_or(Refusal::NOT_FOUND)?;
            if charge.status != Status::RequiresAction {
                return Ok(pages::decided(TITLE).into());
            }
            let path = format!("{}/redirect/{}", request.prefix, charge.id);
            Ok(pages::question(TITLE, charge.amount, &charge.currency, &path).into())
        }
        ("POST", [_, id, choice]) => {
            let (settling, result) = match *choice {
                "approve" => (Settling::Approved, "approved"),
                "decline" => (Settling::Refused, "declined"),
                _ => return Err(Refusal::NOT_FOUND),
            };
            let charge = gateway.charge(id).ok_or(Refusal::NOT_FOUND)?;
            if charge.status != Status::RequiresAction {
                return Err(Refusal::bad_request("not_pending", "there is nothing left to decide"));
            }
            let answer = pages::back(TITLE, charge.return_url.as_deref(), &[("charge", id), ("result", result)]);
            let change = gateway.settle(id, settling, now)?;
            Ok(Effects { answer, changes: vec![change], timers: Vec::new() })
        }
        ("GET" | "POST", _) => Err(Refusal::NOT_FOUND),
        _ => Err(Refusal::METHOD_NOT_ALLOWED),
    }
}

/// An event, `{"id","type","created","data"}`. `object` is JSON already.
pub fn notice(id: String, kind: &str, object: &[u8], now: u64) -> Notice {
    let head = serde_json::json!({"id": id, "type": kind, "created": now}).to_string();
    let open = head.strip_suffix('}').unwrap_or(&head);
    let body = [open.as_bytes(), b",\"data\":", object, b"}"].concat().into();
    Notice { id, kind: kind.to_owned(), body }
}

/// `t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`
fn sign(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let mac = hmac::hex(secret.as_bytes(), &[timestamp.to_string().as_bytes(), b".", body]);
    format!("t={timestamp},v1={mac}")
}

fn kept(mutex: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
