//! The face of Stripe: payment intents and refunds, as its API has them since `2026-09-30.endive`.

mod acts;
mod ask;
mod books;
mod cards;
mod errors;
mod events;
mod form;
mod units;
mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use serde_json::json;

use super::answer::Answer;
use super::kept::{Found, fingerprint};
use super::{Call, Caller, Deed, Effects, Face, Ground, Notice, Request, Signed, Signing, Trouble, hmac, pages};
use crate::gateway::ask::{Card, Method};
use crate::gateway::charges::Charge;
use crate::gateway::settle::Settling;
use crate::gateway::{Change, Gateway, Maker, Twist};
use ask::{Ask, Asked};
use books::{Books, Status};
use errors::{Code, Refused};

/// The face's name.
const NAME: &str = "stripe";
/// What events are written for.
const API_VERSION: &str = "2026-10-28.endive";
/// How long an idempotency key is remembered: a day.
const KEY_LIFE_SECONDS: u64 = 86_400;
/// The title of its pages.
const TITLE: &str = "3-D Secure";

/// See the module's documentation.
pub struct Stripe {
    ground: Arc<Ground>,
    books: Arc<Mutex<Books>>,
}

impl Stripe {
    pub fn new(ground: Arc<Ground>) -> Self {
        Self { ground, books: Arc::default() }
    }

    fn signed(&self, answer: Answer, request: &Request) -> Answer {
        let answer = answer.with("request-id", &format!("req_{}", self.ground.serials.next()));
        match request.header("stripe-version") {
            Some(version) => answer.with("stripe-version", version),
            None => answer,
        }
    }
}

impl Face for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caller(&self, request: &Request) -> Result<Caller, Answer> {
        let key = request.bearer().map(str::to_owned).or_else(|| request.basic().map(|(key, _)| key));
        key.map(|key| Caller::by(&key)).ok_or_else(|| self.refuse(Trouble::Unauthenticated))
    }

    fn read(&self, request: &Request, maker: Maker) -> Result<Box<dyn Call>, Answer> {
        let key = request.header(self.key_header()).filter(|key| !key.is_empty() && request.method == "POST");
        let asked = ask::read(request, &lock(&self.books), maker.owner, || self.ground.serials.next());
        let asked = asked.map_err(|refused| self.signed(refused.answer(), request))?;
        Ok(Box::new(StripeCall {
            asked,
            maker,
            key: key.map(str::to_owned),
            fingerprint: fingerprint(request),
            ground: self.ground.clone(),
            books: self.books.clone(),
        }))
    }

    fn refuse(&self, trouble: Trouble) -> Answer {
        let invalid = |status, message| Refused::new(status, "invalid_request_error", message);
        let refused = match trouble {
            Trouble::Unauthenticated => invalid(StatusCode::UNAUTHORIZED, "Invalid API Key provided"),
            Trouble::TooLarge => invalid(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
            Trouble::Conflict => {
                let message = "There is currently another in-progress request using this Idempotent Key.";
                Refused::new(StatusCode::CONFLICT, "idempotency_error", message).code(Code("idempotency_key_in_use"))
            }
            Trouble::NotProcessed => {
                let message = "This object cannot be accessed right now because another API request or Stripe process \
                               is currently accessing it.";
                invalid(StatusCode::TOO_MANY_REQUESTS, message).code(Code("lock_timeout"))
            }
            Trouble::RateLimited => {
                invalid(StatusCode::TOO_MANY_REQUESTS, "Request rate limit exceeded").code(Code("rate_limit"))
            }
            Trouble::Internal => {
                Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "An unknown error occurred")
            }
        };
        let retry = matches!(trouble, Trouble::Conflict | Trouble::NotProcessed | Trouble::RateLimited);
        let answer = refused.answer();
        if retry { answer.with("stripe-should-retry", "true") } else { answer }
    }

    fn tell(&self, gateway: &Gateway, changes: &[Change], now: u64) -> Vec<Notice> {
        let books = lock(&self.books);
        let serials = &self.ground.serials;
        changes.iter().filter_map(|change| events::notice(change, gateway, &books, serials, now)).collect()
    }

    fn sign(&self, notice: &Notice, signing: &Signing) -> Signed {
        let time = signing.now.to_string();
        let computed = || {
            let mac = hmac::hex(signing.secret.as_bytes(), &[time.as_bytes(), b".", &notice.body]);
            format!("t={time},v1={mac}")
        };
        let signature = signing.signature.map_or_else(computed, str::to_owned);
        Signed { headers: vec![("Stripe-Signature", signature)], body: notice.body.clone() }
    }

    fn reset(&self) {
        *lock(&self.books) = Books::default();
    }

    fn visit(&self, request: &Request, gateway: &mut Gateway, now: u64) -> Effects {
        self.challenge(request, gateway, now).unwrap_or_else(|| pages::nothing_here().into())
    }
}

impl Stripe {
    /// `GET /__redirect/{payment}`, and `POST` to `…/approve` or `…/decline`.
    fn challenge(&self, request: &Request, gateway: &mut Gateway, now: u64) -> Option<Effects> {
        let segments = request.segments();
        let (id, choice) = match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["__redirect", id]) => (*id, None),
            ("POST", ["__redirect", id, choice @ ("approve" | "decline")]) => (*id, Some(*choice == "approve")),
            _ => return None,
        };
        let mut books = lock(&self.books);
        let intent = books.intent_mut(id)?;
        if intent.status(gateway) != Status::RequiresAction {
            return Some(pages::decided(TITLE).into());
        }
        let Some(approved) = choice else {
            let path = format!("{}/__redirect/{id}", request.prefix);
            return Some(pages::question(TITLE, intent.amount, &intent.currency, &path).into());
        };
        let settling = if approved { Settling::Approved } else { Settling::Refused };
        let secret = format!("{id}_secret_simulated");
        let parameters = [
            ("payment_intent", id),
            ("payment_intent_client_secret", secret.as_str()),
            ("redirect_status", if approved { "succeeded" } else { "failed" }),
        ];
        let answer = pages::back(TITLE, intent.return_url.as_deref(), &parameters);
        let change = gateway.settle(intent.charge.as_deref()?, settling, now).ok()?;
        Some(Effects { answer, changes: vec![change], timers: Vec::new() })
    }
}

/// A call of Stripe's API.
struct StripeCall {
    asked: Asked,
    maker: Maker,
    /// The idempotency key of a POST.
    key: Option<String>,
    fingerprint: u64,
    ground: Arc<Ground>,
    books: Arc<Mutex<Books>>,
}

impl Call for StripeCall {
    fn deed(&self) -> Deed {
        match &self.asked.ask {
            Ask::Create(new) if new.confirm => Deed::Charge,
            Ask::Confirm { .. } => Deed::Charge,
            Ask::Capture { .. } => Deed::Capture,
            Ask::Cancel { .. } => Deed::Cancel,
            Ask::Refund { .. } => Deed::Refund,
            Ask::Create(_)
            | Ask::Show { .. }
            | Ask::List(_)
            | Ask::Search { .. }
            | Ask::ShowRefund { .. }
            | Ask::ListRefunds { .. } => Deed::Other,
        }
    }

    fn reference(&self) -> Option<&str> {
        self.asked.reference.as_deref()
    }

    fn amount(&self) -> Option<i64> {
        self.asked.amount
    }

    fn amount_in(&self, gateway: &Gateway) -> Option<i64> {
        let books = lock(&self.books);
        match &self.asked.ask {
            Ask::Confirm { id, .. } | Ask::Capture { id, .. } | Ask::Cancel { id, .. } | Ask::Show { id } => {
                books.intent(id, self.maker.owner).map(|intent| intent.amount)
            }
            Ask::Refund { intent, .. } => {
                let intent = books.intent(intent, self.maker.owner)?;
                intent.charge(gateway).map(Charge::refundable)
            }
            Ask::ShowRefund { id } => gateway.refund_of(id).map(|(refund, _)| refund.amount),
            Ask::Create(_) | Ask::List(_) | Ask::Search { .. } | Ask::ListRefunds { .. } => None,
        }
    }

    fn card(&self) -> Option<&Card> {
        let Ask::Create(new) = &self.asked.ask else { return None };
        match &new.paying.as_ref()?.method {
            Method::Card(card) => Some(card),
            Method::Upi { .. } | Method::Wallet { .. } | Method::Token { .. } => None,
        }
    }

    /// Does what is asked, or answers as it did the first time, a day long.
    fn act(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let Some(key) = self.key.as_ref().filter(|_| gateway.modes.idempotency) else {
            return self.signed(self.first_time(gateway, twist, now));
        };
        let found = lock(&self.books).kept.find(self.maker.owner, key, self.fingerprint, now, KEY_LIFE_SECONDS);
        self.signed(match found {
            Found::Same(answer) => answer.with("idempotent-replayed", "true").into(),
            Found::Another => {
                let message = "Keys for idempotent requests can only be used with the same parameters they were first \
                               used with.";
                let body = json!({ "error": { "type": "idempotency_error", "message": message } });
                Answer::json(StatusCode::BAD_REQUEST, &body).into()
            }
            Found::New => {
                let effects = self.first_time(gateway, twist, now);
                lock(&self.books).kept.keep(self.maker.owner, key, self.fingerprint, now, &effects.answer);
                effects
            }
        })
    }
}

impl StripeCall {
    fn first_time(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        acts::perform(self, gateway, twist, now).unwrap_or_else(|refused| refused.answer().into())
    }

    fn signed(&self, mut effects: Effects) -> Effects {
        effects.answer = effects.answer.with("request-id", &format!("req_{}", self.ground.serials.next()));
        if let Some(key) = &self.key {
            effects.answer = effects.answer.with("idempotency-key", key);
        }
        effects
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}
