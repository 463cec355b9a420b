//! What a client may ask, read from method, path, query and body.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::errors::{invalid, invalid_because, no_such_id, no_such_path, of as refused};
use super::state::{Order, Paid, State};
use crate::faces::Request;
use crate::faces::answer::Answer;
use crate::faces::money::exponent;
use crate::gateway::Maker;
use crate::gateway::ask::{AMOUNT_MAX_MINOR, Card, Method, NewCapture, NewCharge, NewRefund, UpiFlow};

/// In paise: Razorpay's least amount in rupees is one.
const INR_MIN_MINOR: i64 = 100;
const RECEIPT_MAX_CHARS: usize = 40;
const NOTES_MAX: usize = 15;
const NOTE_MAX_CHARS: usize = 256;
/// In minutes.
const AUTOMATIC_EXPIRY_MIN: u64 = 12;
const MANUAL_EXPIRY_MAX: u64 = 7200;
const REFUND_KEY_MIN_CHARS: usize = 10;
/// How many items a list has where nobody says, and at most.
const PAGE: usize = 10;
const PAGE_MAX: usize = 100;

/// One call, understood.
pub enum Asked {
    /// `POST /v1/orders`
    Order(NewOrder),
    /// `POST /v1/payments/create/json`
    Payment(Box<NewPayment>),
    /// `POST /v1/payments/{id}/capture`
    Capture { charge: String, currency: String, capture: NewCapture },
    /// `POST /v1/payments/{id}/refund`
    Refund { charge: String, refund: Box<AskedRefund> },
    /// `GET /v1/payments/{id}`
    ShowPayment(String),
    /// `GET /v1/orders/{id}`
    ShowOrder(String),
    /// `GET /v1/orders?receipt=…`
    Orders { receipt: String, page: Page },
    /// `GET /v1/orders/{id}/payments`
    PaymentsOf(String),
    /// `GET /v1/payments/{id}/refunds`
    RefundsOf { charge: String, page: Page },
    /// `GET /v1/refunds/{id}`
    ShowRefund(String),
}

pub struct NewOrder {
    pub amount: i64,
    pub currency: String,
    pub receipt: Option<String>,
    pub notes: Value,
    pub capture_at_once: bool,
}

/// No `Debug`: it holds a card number.
pub struct NewPayment {
    pub order: String,
    pub charge: NewCharge,
    pub paid: Paid,
    pub notes: Value,
    pub email: String,
    pub contact: String,
    pub description: Option<String>,
}

pub struct AskedRefund {
    /// Nothing: all that is left.
    pub amount: Option<i64>,
    pub receipt: Option<String>,
    pub notes: Value,
    pub speed: &'static str,
    pub key: Option<String>,
    pub fingerprint: u64,
}

/// Which part of a list.
#[derive(Clone, Copy)]
pub struct Page {
    pub skip: usize,
    pub count: usize,
}

impl AskedRefund {
    /// As the ledger takes it, where so much is left.
    pub fn new_refund(&self, left: i64, id: &str) -> NewRefund {
        let reference = self.receipt.clone().or_else(|| self.key.clone()).unwrap_or_else(|| id.to_owned());
        NewRefund { reference, amount: self.amount.unwrap_or(left) }
    }
}

/// Reads a call.
///
/// # Errors
/// Razorpay's answer to what cannot be used.
pub fn read(request: &Request, maker: Maker, state: &State) -> Result<Asked, Answer> {
    let page = || page(request.query);
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["v1", "orders"]) => order(&body(request)?).map(Asked::Order),
        ("POST", ["v1", "payments", "create", "json"]) => {
            payment(&body(request)?, maker, state).map(|payment| Asked::Payment(Box::new(payment)))
        }
        ("POST", ["v1", "payments", id, "capture"]) => capture(request, &charge_of(id)?, &body(request)?),
        ("POST", ["v1", "payments", id, "refund"]) => {
            Ok(Asked::Refund { charge: charge_of(id)?, refund: Box::new(refund(request, &body(request)?)?) })
        }
        ("GET", ["v1", "orders"]) => {
            let receipt = queried(request.query, "receipt").unwrap_or_default();
            Ok(Asked::Orders { receipt, page: page()? })
        }
        ("GET", ["v1", "orders", id]) => Ok(Asked::ShowOrder((*id).to_owned())),
        ("GET", ["v1", "orders", id, "payments"]) => Ok(Asked::PaymentsOf((*id).to_owned())),
        ("GET", ["v1", "payments", id]) => charge_of(id).map(Asked::ShowPayment),
        ("GET", ["v1", "payments", id, "refunds"]) => Ok(Asked::RefundsOf { charge: charge_of(id)?, page: page()? }),
        ("GET", ["v1", "refunds", id]) => {
            let id = id.strip_prefix("rfnd_").ok_or_else(no_such_id)?;
            Ok(Asked::ShowRefund(["re_", id].concat()))
        }
        _ => Err(no_such_path()),
    }
}

/// The ledger's id of a payment: Razorpay's with another prefix.
pub fn charge_of(payment: &str) -> Result<String, Answer> {
    payment.strip_prefix("pay_").map(|id| ["ch_", id].concat()).ok_or_else(no_such_id)
}

fn body(request: &Request) -> Result<Map<String, Value>, Answer> {
    // Serde's own message could quote a card number.
    serde_json::from_slice(request.body).map_err(|_| invalid("The request body is no JSON object.", None))
}

fn order(body: &Map<String, Value>) -> Result<NewOrder, Answer> {
    let (amount, currency) = (amount(body)?, currency(body)?);
    fits(amount, &currency)?;
    let receipt = text(body, "receipt")?;
    if receipt.as_ref().is_some_and(|receipt| receipt.chars().count() > RECEIPT_MAX_CHARS) {
        return Err(invalid("The receipt may not be greater than 40 characters.", Some("receipt")));
    }
    let capture_at_once = capture_settings(body.get("payment").and_then(Value::as_object))?;
    Ok(NewOrder { amount, currency, receipt, notes: notes(body)?, capture_at_once })
}

/// Whether payments of an order are captured by themselves; they are where nobody says.
fn capture_settings(payment: Option<&Map<String, Value>>) -> Result<bool, Answer> {
    let Some(payment) = payment else { return Ok(true) };
    let automatic = match payment.get("capture").and_then(Value::as_str) {
        Some("automatic") => true,
        Some("manual") => false,
        _ => return Err(invalid("The selected capture is invalid.", Some("capture"))),
    };
    let options = payment.get("capture_options").and_then(Value::as_object);
    let minutes = |name: &str| options.and_then(|options| options.get(name)).and_then(Value::as_u64);
    let period = minutes("automatic_expiry_period");
    if automatic && period.is_none_or(|minutes| minutes < AUTOMATIC_EXPIRY_MIN) {
        let name = "automatic_expiry_period";
        return Err(invalid("The automatic expiry period should be at least 12 minutes.", Some(name)));
    }
    let manual = minutes("manual_expiry_period").unwrap_or(MANUAL_EXPIRY_MAX);
    if manual > MANUAL_EXPIRY_MAX || period.is_some_and(|automatic| manual < automatic) {
        return Err(invalid("The manual expiry period is invalid.", Some("manual_expiry_period")));
    }
    Ok(automatic)
}

fn payment(body: &Map<String, Value>, maker: Maker, state: &State) -> Result<NewPayment, Answer> {
    let (amount, currency) = (amount(body)?, currency(body)?);
    let of_merchant = |order: &&Order| order.owner == maker.owner;
    let order = text(body, "order_id")?.and_then(|id| state.order(&id).filter(of_merchant));
    let no_order = || invalid_because("invalid_order_id", "The order id is missing or invalid.", Some("order_id"));
    let order = order.ok_or_else(no_order)?;
    if (amount, &currency) != (order.amount, &order.currency) {
        let sentence = "Your payment amount is different from your order amount.";
        return Err(invalid_because("order_amount_mismatch", sentence, Some("amount")));
    }
    let required = |name: &str| {
        let value = text(body, name)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| invalid(&format!("The {name} field is required."), Some(name)))
    };
    let (email, contact) = (required("email")?, required("contact")?);
    required("ip")?;
    let (method, paid) = method(body, &currency)?;
    // What the bank's check of the browser needs.
    if matches!(paid, Paid::Card { .. }) && !body.get("browser").is_some_and(Value::is_object) {
        return Err(invalid("The browser field is required.", Some("browser")));
    }
    let charge = NewCharge {
        reference: order.receipt.clone().unwrap_or_else(|| order.id.clone()),
        amount,
        currency,
        capture: order.capture_at_once,
        method,
        return_url: text(body, "callback_url")?,
    };
    charge.check().map_err(refused)?;
    let (notes, description) = (notes(body)?, text(body, "description")?);
    Ok(NewPayment { order: order.id.clone(), charge, paid, notes, email, contact, description })
}

fn method(body: &Map<String, Value>, currency: &str) -> Result<(Method, Paid), Answer> {
    match body.get("method").and_then(Value::as_str) {
        Some("card") if body.contains_key("token") => {
            let token = text(body, "token")?.unwrap_or_default();
            Ok((Method::Token { token }, Paid::Token))
        }
        Some("card") => card(body),
        Some("upi") if currency != "INR" => {
            Err(invalid_because("invalid_currency", "UPI does not support this currency.", Some("currency")))
        }
        Some("upi") => {
            let upi = body.get("upi").and_then(Value::as_object);
            let told = |name: &str| upi.and_then(|upi| upi.get(name)).and_then(Value::as_str);
            let vpa = told("vpa").map(str::to_owned);
            let flow = match told("flow") {
                Some("intent") => UpiFlow::Intent,
                Some("collect") => UpiFlow::Collect,
                _ => return Err(invalid("The selected flow is invalid.", Some("flow"))),
            };
            Ok((Method::Upi { flow, vpa: vpa.clone() }, Paid::Upi { vpa }))
        }
        _ => Err(invalid("The selected method is invalid.", Some("method"))),
    }
}

fn card(body: &Map<String, Value>) -> Result<(Method, Paid), Answer> {
    /// No `Debug`: it holds a card number.
    #[derive(Deserialize)]
    struct Given {
        number: String,
        expiry_month: String,
        expiry_year: String,
        cvv: Option<String>,
    }
    let given = body.get("card").cloned().unwrap_or_default();
    let given: Given =
        serde_json::from_value(given).map_err(|_| invalid("The card field is required.", Some("card")))?;
    // Years come as `30` and as `2030`.
    let year = if given.expiry_year.len() == 2 { ["20", &given.expiry_year].concat() } else { given.expiry_year };
    let card = Card { number: given.number, expiry_month: given.expiry_month, expiry_year: year, cvc: given.cvv };
    let paid = Paid::Card { last4: card.last4(), network: network(&card.number) };
    Ok((Method::Card(card), paid))
}

fn network(number: &str) -> &'static str {
    match number.as_bytes() {
        [b'4', ..] => "Visa",
        [b'3', b'4' | b'7', ..] => "American Express",
        [b'3', ..] => "Diners Club",
        [b'6', ..] => "RuPay",
        [b'2' | b'5', ..] => "MasterCard",
        _ => "Unknown",
    }
}

fn capture(request: &Request, charge: &str, body: &Map<String, Value>) -> Result<Asked, Answer> {
    only(body, &["amount", "currency"])?;
    let reference = request.header("x-request-id").unwrap_or(charge).to_owned();
    let capture = NewCapture { reference, amount: amount(body)?, last: true };
    Ok(Asked::Capture { charge: charge.to_owned(), currency: currency(body)?, capture })
}

fn refund(request: &Request, body: &Map<String, Value>) -> Result<AskedRefund, Answer> {
    only(body, &["amount", "speed", "notes", "receipt"])?;
    let key = request.header("x-refund-idempotency").map(str::to_owned);
    let usable = |key: &String| {
        key.len() >= REFUND_KEY_MIN_CHARS && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if key.as_ref().is_some_and(|key| !usable(key)) {
        return Err(invalid("The idempotency key is invalid.", None));
    }
    let speed = match body.get("speed").and_then(Value::as_str) {
        None | Some("normal") => "normal",
        Some("optimum") => "optimum",
        Some(_) => return Err(invalid("The selected speed is invalid.", Some("speed"))),
    };
    let amount = if body.contains_key("amount") { Some(amount(body)?) } else { None };
    let (receipt, notes) = (text(body, "receipt")?, notes(body)?);
    let fingerprint = crate::faces::kept::fingerprint(request);
    Ok(AskedRefund { amount, receipt, notes, speed, key, fingerprint })
}

/// Whether an amount is one that Razorpay takes.
fn fits(amount: i64, currency: &str) -> Result<(), Answer> {
    if currency == "INR" && amount < INR_MIN_MINOR {
        return Err(invalid("The amount must be at least INR 1.00", Some("amount")));
    }
    if exponent(currency) == 3 && amount % 10 != 0 {
        let sentence = "The last digit of an amount with three decimals must be 0.";
        return Err(invalid_because("invalid_amount", sentence, Some("amount")));
    }
    Ok(())
}

fn amount(body: &Map<String, Value>) -> Result<i64, Answer> {
    let given = body.get("amount").ok_or_else(|| invalid("The amount field is required.", Some("amount")))?;
    let amount = given.as_i64().filter(|amount| (1..=AMOUNT_MAX_MINOR).contains(amount));
    amount.ok_or_else(|| invalid("The amount must be an integer.", Some("amount")))
}

fn currency(body: &Map<String, Value>) -> Result<String, Answer> {
    let given = text(body, "currency")?.filter(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()));
    given.ok_or_else(|| invalid_because("invalid_currency", "The currency is not supported.", Some("currency")))
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Answer> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(&format!("The {name} must be a string."), Some(name))),
    }
}

/// An object; none at all is shown as an empty list.
fn notes(body: &Map<String, Value>) -> Result<Value, Answer> {
    let Some(notes) = body.get("notes").filter(|notes| !notes.is_null()) else { return Ok(json!([])) };
    let too_long = |text: &str| text.chars().count() > NOTE_MAX_CHARS;
    let fits = notes.as_object().is_some_and(|notes| {
        let bad = |(name, value): (&String, &Value)| too_long(name) || value.as_str().is_none_or(too_long);
        notes.len() <= NOTES_MAX && !notes.iter().any(bad)
    });
    if fits { Ok(notes.clone()) } else { Err(invalid("The notes are invalid.", Some("notes"))) }
}

/// Razorpay refuses what it does not know.
fn only(body: &Map<String, Value>, known: &[&str]) -> Result<(), Answer> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(extra) => Err(invalid(&format!("{extra} is/are not required and should not be sent"), None)),
        None => Ok(()),
    }
}

fn queried(query: Option<&str>, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default()).ok()?;
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn page(query: Option<&str>) -> Result<Page, Answer> {
    let number = |name: &str, default: usize| {
        let given = queried(query, name).map(|value| value.parse::<usize>());
        given.unwrap_or(Ok(default)).map_err(|_| invalid(&format!("The {name} must be an integer."), Some(name)))
    };
    Ok(Page { skip: number("skip", 0)?, count: number("count", PAGE)?.clamp(1, PAGE_MAX) })
}
