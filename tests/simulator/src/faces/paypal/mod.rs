//! The face of PayPal: OAuth, Orders v2, Payments v2, webhooks.
//!
//! Money is asked for when an order is captured or authorized, or when a card's order is made: until then there is
//! nothing in the ledger. The ledger's references are the merchant's: `custom_id` of the order, `invoice_id` of a capture
//! or refund, `PayPal-Request-Id` of a void.

mod acts;
mod errors;
mod events;
mod pages;
mod read;
mod state;
mod tokens;
mod views;

use std::sync::Arc;

use axum::http::StatusCode;

use super::answer::Answer;
use super::kept::fingerprint;
use super::{Call, Caller, Deed, Effects, Face, Ground, Notice, Request, Signed, Signing, Trouble, hmac};
use crate::gateway::ask::{Card, Method};
use crate::gateway::{Change, Gateway, Maker, Twist};
use acts::Acted;
use read::Ask;
use state::{Asked, Made, Shared, State, lock};
use views::Views;

/// The face's name.
const NAME: &str = "paypal";
/// How long an id of the Orders API is known.
const ORDERS_ID_S: u64 = 6 * 3600;
/// And one of the Payments API.
const PAYMENTS_ID_S: u64 = 45 * 86_400;
/// The header with it.
const REQUEST_ID: &str = "paypal-request-id";
/// The webhook's id at PayPal, which goes into what is signed.
const WEBHOOK_ID: &str = "1JE4291016473214C";

/// See the module's documentation.
pub struct Paypal {
    ground: Arc<Ground>,
    state: Shared,
}

impl Paypal {
    pub fn new(ground: Arc<Ground>) -> Self {
        Self { ground, state: Shared::default() }
    }

    fn base(&self) -> String {
        format!("{}/{NAME}", self.ground.url)
    }
}

impl Face for Paypal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caller(&self, request: &Request) -> Result<Caller, Answer> {
        tokens::caller(request, &self.state)
    }

    fn read(&self, request: &Request, maker: Maker) -> Result<Box<dyn Call>, Answer> {
        let (state, ground) = (self.state.clone(), self.ground.clone());
        if request.path == tokens::PATH {
            let client_id = tokens::read(request)?;
            return Ok(Box::new(TokenCall { client_id, state, ground }));
        }
        let ask = Ask::read(request.method.as_str(), &request.segments(), request.body)?;
        let key = request.header(REQUEST_ID).filter(|key| !key.is_empty() && request.method == "POST");
        if key.is_none() && matches!(ask, Ask::Create(_)) {
            return Err(errors::invalid("PAYPAL_REQUEST_ID_REQUIRED", "/payment_source"));
        }
        let (reference, amount) = named(&ask, &lock(&self.state), key);
        Ok(Box::new(PaypalCall {
            is_order: request.path.starts_with("/v2/checkout/"),
            in_full: request.method == "GET" || request.header("prefer") == Some("return=representation"),
            key: key.map(str::to_owned),
            fingerprint: fingerprint(request),
            base: self.base(),
            ask,
            maker,
            reference,
            amount,
            state,
            ground,
        }))
    }

    fn refuse(&self, trouble: Trouble) -> Answer {
        match trouble {
            Trouble::Unauthenticated => tokens::unknown_token(),
            Trouble::TooLarge => {
                errors::plain(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", "The request is too large.")
            }
            // PayPal has one word for both.
            Trouble::Conflict | Trouble::NotProcessed => errors::conflict(),
            Trouble::RateLimited => {
                let message = "Too many requests. Blocked due to rate limiting.";
                errors::plain(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_REACHED", message)
            }
            Trouble::Internal => {
                let message = "An internal server error occurred.";
                errors::plain(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
            }
        }
    }

    fn tell(&self, gateway: &Gateway, changes: &[Change], now: u64) -> Vec<Notice> {
        let base = self.base();
        let views = Views { gateway, base: &base };
        let state = lock(&self.state);
        let told = changes.iter().filter_map(|it| events::notice(&views, &state, it, &self.ground.serials, now));
        told.collect()
    }

    /// PayPal signs with RSA, and only PayPal can check it. So this is as good as any.
    fn sign(&self, notice: &Notice, signing: &Signing) -> Signed {
        let transmission = format!("69cd13f0-d67a-11e5-baa3-{}", notice.id.trim_start_matches("WH-").to_lowercase());
        let time = views::time(signing.now);
        let over = [transmission.as_bytes(), b"|", time.as_bytes(), b"|", WEBHOOK_ID.as_bytes(), b"|", &notice.body];
        let computed = || hmac::base64(signing.secret.as_bytes(), &over);
        let signature = signing.signature.map_or_else(computed, str::to_owned);
        let certificate = format!("{}/v1/notifications/certs/CERT-360caa42-fca2a594-5edc0ebc", self.base());
        let headers = vec![
            ("PAYPAL-TRANSMISSION-ID", transmission),
            ("PAYPAL-TRANSMISSION-TIME", time),
            ("PAYPAL-TRANSMISSION-SIG", signature),
            ("PAYPAL-CERT-URL", certificate),
            ("PAYPAL-AUTH-ALGO", "SHA256withRSA".to_owned()),
        ];
        Signed { headers, body: notice.body.clone() }
    }

    fn reset(&self) {
        lock(&self.state).forget();
    }

    fn key_header(&self) -> &'static str {
        REQUEST_ID
    }

    fn visit(&self, request: &Request, _gateway: &mut Gateway, _now: u64) -> Effects {
        pages::visit(request, &self.state)
    }
}

/// The merchant's id of what a call is about, and the amount of it.
fn named(ask: &Ask, state: &State, key: Option<&str>) -> (Option<String>, Option<i64>) {
    let of_order = |id: &str| {
        let order = state.any_order(id);
        (order.map(|order| order.reference().to_owned()), order.map(|order| order.amount))
    };
    match ask {
        Ask::Create(new) => (new.custom_id.clone(), Some(new.amount)),
        Ask::Order(id) | Ask::Finish { order: id, .. } => of_order(id),
        Ask::Authorization(id) => state.order_of(id).map_or((None, None), |order| of_order(&order.id)),
        Ask::Capture { capture, .. } => (capture.invoice_id.clone(), capture.amount.as_ref().map(|(minor, _)| *minor)),
        Ask::Void(id) => (key.map(str::to_owned), state.order_of(id).map(|order| order.amount)),
        Ask::Refund { refund, .. } => (refund.custom_id.clone(), refund.amount.as_ref().map(|(minor, _)| *minor)),
        Ask::CaptureShown(id) => {
            let order = state.order_of(id);
            let capture = order.and_then(|order| order.capture(id));
            let own = order.map(|order| order.reference().to_owned());
            (capture.and_then(|capture| capture.step.clone()).or(own), capture.map(|capture| capture.amount))
        }
        Ask::RefundShown(id) => {
            let refund = state.order_of(id).and_then(|order| order.refunds.iter().find(|refund| refund.id == *id));
            (refund.and_then(|refund| refund.custom_id.clone()), refund.map(|refund| refund.amount))
        }
    }
}

/// Somebody asks for a token.
struct TokenCall {
    client_id: String,
    state: Shared,
    ground: Arc<Ground>,
}

impl Call for TokenCall {
    fn deed(&self) -> Deed {
        Deed::Other
    }

    fn reference(&self) -> Option<&str> {
        None
    }

    fn amount(&self) -> Option<i64> {
        None
    }

    fn act(&self, _gateway: &mut Gateway, _twist: Twist, now: u64) -> Effects {
        tokens::give(&self.state, &self.ground.serials, &self.client_id, now).into()
    }
}

/// A call of the Orders or the Payments API.
struct PaypalCall {
    ask: Ask,
    maker: Maker,
    key: Option<String>,
    fingerprint: u64,
    is_order: bool,
    /// Whether the answer is to show all of it.
    in_full: bool,
    base: String,
    reference: Option<String>,
    amount: Option<i64>,
    state: Shared,
    ground: Arc<Ground>,
}

impl Call for PaypalCall {
    fn deed(&self) -> Deed {
        match &self.ask {
            Ask::Create(new) if matches!(new.method, Method::Wallet { token: None }) => Deed::Other,
            Ask::Create(_) | Ask::Finish { .. } => Deed::Charge,
            Ask::Capture { .. } => Deed::Capture,
            Ask::Void(_) => Deed::Cancel,
            Ask::Refund { .. } => Deed::Refund,
            Ask::Order(_) | Ask::Authorization(_) | Ask::CaptureShown(_) | Ask::RefundShown(_) => Deed::Other,
        }
    }

    fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    fn amount(&self) -> Option<i64> {
        self.amount
    }

    fn card(&self) -> Option<&Card> {
        match &self.ask {
            Ask::Create(new) => match &new.method {
                Method::Card(card) => Some(card),
                Method::Upi { .. } | Method::Wallet { .. } | Method::Token { .. } => None,
            },
            _ => None,
        }
    }

    fn act(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let state = &mut *lock(&self.state);
        match self.made_before(gateway, state, now) {
            Ok(None) => {}
            Ok(Some(made)) => return self.show(gateway, state, &made, StatusCode::OK).into(),
            Err(refusal) => return refusal.into(),
        }
        let serials = &self.ground.serials;
        let acted =
            self.perform(acts::Deed { gateway, state, serials, maker: self.maker, base: &self.base, twist, now });
        let Acted { made, status, change, timer } = match acted {
            Ok(acted) => acted,
            // Nothing was made: the same id may try again.
            Err(refusal) => return refusal.into(),
        };
        if let Some(key) = &self.key {
            let asked = Asked { fingerprint: self.fingerprint, at: now, made: made.clone() };
            state.asked.insert((self.maker.owner, key.clone()), asked);
        }
        let answer = self.show(gateway, state, &made, status);
        Effects { answer, changes: change.into_iter().collect(), timers: timer.into_iter().collect() }
    }
}

impl PaypalCall {
    fn perform(&self, mut deed: acts::Deed) -> Result<Acted, Answer> {
        match &self.ask {
            Ask::Create(new) => deed.create(new),
            Ask::Finish { order, intent } => deed.finish(order, *intent),
            Ask::Capture { authorization, capture } => deed.capture(authorization, capture),
            Ask::Void(authorization) => deed.void(authorization, self.key.as_deref()),
            Ask::Refund { capture, refund } => deed.refund(capture, refund),
            Ask::Order(id) => deed.shown(Made::Order(id.clone())),
            Ask::Authorization(id) => deed.shown(Made::Authorization(id.clone())),
            Ask::CaptureShown(id) => deed.shown(Made::Capture(id.clone())),
            Ask::RefundShown(id) => deed.shown(Made::Refund(id.clone())),
        }
    }

    /// What the same request made before. PayPal shows how it stands by now.
    fn made_before(&self, gateway: &Gateway, state: &State, now: u64) -> Result<Option<Made>, Answer> {
        let life_s = if self.is_order { ORDERS_ID_S } else { PAYMENTS_ID_S };
        let Some(key) = self.key.as_ref().filter(|_| gateway.modes.idempotency) else { return Ok(None) };
        let asked = state.asked.get(&(self.maker.owner, key.clone()));
        match asked.filter(|asked| now.saturating_sub(asked.at) < life_s) {
            None => Ok(None),
            Some(asked) if asked.fingerprint == self.fingerprint => Ok(Some(asked.made.clone())),
            Some(_) => Err(errors::unprocessable("DUPLICATE_REQUEST_ID")),
        }
    }

    /// A void says nothing where it is not asked to.
    fn show(&self, gateway: &Gateway, state: &State, made: &Made, status: StatusCode) -> Answer {
        if matches!(self.ask, Ask::Void(_)) && !self.in_full {
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        let views = Views { gateway, base: &self.base };
        match views.show(state, made, self.in_full) {
            Some(view) => Answer::json(status, &view),
            None => errors::not_found(),
        }
    }
}
