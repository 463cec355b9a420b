//! What Stripe is asked: paths and parameters, understood without any effect.

use std::collections::BTreeMap;

use axum::http::StatusCode;

use super::books::{Books, Intent, OPERATION};
use super::cards::{Paying, stored};
use super::errors::{Code, Refused};
use super::form::{Page, Params};
use super::units::from_stripe;
use crate::faces::Request;
use crate::gateway::ask::{Card, Method, NewCharge};

/// In the metadata of our host's captures: the operation.
const CAPTURE: &str = "interlock_capture";
/// How our host's operations are called.
const OPERATION_PREFIX: &str = "op_";
/// Parameters of a new payment; lists and objects by their names alone.
const CREATE: [&str; 23] = [
    "allowed_payment_method_types",
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "currency",
    "customer",
    "description",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "expand",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_data",
    "payment_method_options",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor_suffix",
    "use_stripe_sdk",
];
const CONFIRM: [&str; 8] = [
    "error_on_requires_action",
    "expand",
    "off_session",
    "payment_method",
    "payment_method_data",
    "payment_method_options",
    "return_url",
    "use_stripe_sdk",
];
const CAPTURED: [&str; 4] = ["amount_to_capture", "expand", "final_capture", "metadata"];
const CANCEL: [&str; 2] = ["cancellation_reason", "expand"];
const REFUND: [&str; 6] = ["amount", "charge", "expand", "metadata", "payment_intent", "reason"];
const LIST: [&str; 5] = ["charge", "expand", "limit", "payment_intent", "starting_after"];
const SEARCH: [&str; 3] = ["expand", "limit", "query"];

/// One request.
pub enum Ask {
    Create(Box<New>),
    Confirm {
        id: String,
        paying: Option<Paying>,
        return_url: Option<String>,
        never_ask: bool,
    },
    /// Amounts in ISO 4217's minor unit; what is held where there is none.
    Capture {
        id: String,
        amount: Option<i64>,
        last: bool,
        metadata: BTreeMap<String, String>,
    },
    Cancel {
        id: String,
        reason: Option<String>,
    },
    Show {
        id: String,
    },
    List(Page),
    /// Payments with this entry in their metadata.
    Search {
        name: String,
        value: String,
    },
    /// The rest where there is no amount.
    Refund {
        intent: String,
        amount: Option<i64>,
        reason: Option<String>,
        metadata: BTreeMap<String, String>,
    },
    ShowRefund {
        id: String,
    },
    ListRefunds {
        intent: Option<String>,
        page: Page,
    },
}

/// A payment to be made. Amount in ISO 4217's minor unit.
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
pub struct New {
    pub amount: i64,
    pub currency: String,
    pub manual: bool,
    pub multicapture: bool,
    pub challenge_all: bool,
    pub metadata: BTreeMap<String, String>,
    pub description: Option<String>,
    pub customer: Option<String>,
    pub return_url: Option<String>,
    pub paying: Option<Paying>,
    pub confirm: bool,
    /// A customer who has to act is a decline.
    pub never_ask: bool,
}

/// What is asked, and how.
pub struct Asked {
    pub ask: Ask,
    /// Whether the reply is to hold the charge whole.
    pub expand: bool,
    /// The host's operation.
    pub reference: Option<String>,
    pub amount: Option<i64>,
}

/// Reads a request of the merchant `owner`. `fresh` makes an id for a payment method.
pub fn read(request: &Request, books: &Books, owner: u64, fresh: impl Fn() -> String) -> Result<Asked, Refused> {
    let (method, segments) = (request.method.as_str(), request.segments());
    let params = |known: &[&str]| match method {
        "POST" => Params::read(request.body, known),
        _ => Params::read(request.query.unwrap_or_default().as_bytes(), known),
    };
    let known = |id: &str| books.intent(id, owner).ok_or_else(|| Refused::missing("payment_intent", id, "intent"));
    let (ask, params) = match (method, segments.as_slice()) {
        ("POST", ["v1", "payment_intents"]) => {
            let params = params(&CREATE)?;
            (Ask::Create(Box::new(new(&params, fresh)?)), params)
        }
        ("GET", ["v1", "payment_intents"]) => {
            let params = params(&LIST)?;
            (Ask::List(params.page()?), params)
        }
        ("GET", ["v1", "payment_intents", "search"]) => {
            let params = params(&SEARCH)?;
            (search(params.required("query")?)?, params)
        }
        ("GET", ["v1", "payment_intents", id]) => (Ask::Show { id: known(id)?.id.clone() }, params(&["expand"])?),
        ("POST", ["v1", "payment_intents", id, verb]) => of_intent(known(id)?, verb, request, &params, fresh)?,
        ("POST", ["v1", "refunds"]) => {
            let params = params(&REFUND)?;
            (refund(&params, books, owner)?, params)
        }
        ("GET", ["v1", "refunds"]) => {
            let params = params(&LIST)?;
            let intent = params.text("payment_intent").map(known).transpose()?.map(|intent| intent.id.clone());
            (Ask::ListRefunds { intent, page: params.page()? }, params)
        }
        ("GET", ["v1", "refunds", id]) => (Ask::ShowRefund { id: (*id).to_owned() }, params(&["expand"])?),
        _ => return Err(Refused::nowhere(method, request.path)),
    };
    let expand = params.expands("latest_charge") || params.expands("data.latest_charge");
    let (reference, amount) = named(&ask, request.header("idempotency-key"), books, owner);
    Ok(Asked { ask, expand, reference, amount })
}

/// Which operation of our host is meant, and which amount it is about.
fn named(ask: &Ask, key: Option<&str>, books: &Books, owner: u64) -> (Option<String>, Option<i64>) {
    let by_key = || key.filter(|key| key.starts_with(OPERATION_PREFIX)).and_then(|key| key.split('-').next());
    let by_key = || by_key().map(str::to_owned);
    let of = |id: &str| books.intent(id, owner).and_then(|intent| intent.metadata.get(OPERATION).cloned());
    match ask {
        Ask::Create(new) => (new.metadata.get(OPERATION).cloned().or_else(by_key), Some(new.amount)),
        Ask::Confirm { id, .. } | Ask::Show { id } => (of(id), None),
        Ask::Capture { metadata, amount, .. } => {
            (metadata.get(CAPTURE).cloned().or_else(by_key), amount.filter(|amount| *amount > 0))
        }
        Ask::Cancel { .. } => (by_key(), None),
        Ask::Refund { metadata, amount, .. } => (metadata.get(OPERATION).cloned().or_else(by_key), *amount),
        Ask::Search { value, .. } => (Some(value.clone()), None),
        Ask::List(_) | Ask::ShowRefund { .. } | Ask::ListRefunds { .. } => (None, None),
    }
}

fn new(params: &Params, fresh: impl Fn() -> String) -> Result<New, Refused> {
    params.required("amount")?;
    let currency = params.required("currency")?.to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|sign| sign.is_ascii_uppercase()) {
        return Err(Refused::request(&format!("Invalid currency: {}", currency.to_ascii_lowercase())).param("currency"));
    }
    let amount = amount(params, "amount", &currency)?.filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| {
        Refused::request("This value must be greater than or equal to 1.")
            .code(Code("amount_too_small"))
            .param("amount")
    })?;
    if params.has("allowed_payment_method_types") && params.has("automatic_payment_methods") {
        return Err(Refused::request("These parameters cannot be combined").code(Code("parameters_exclusive")));
    }
    let card = |option: &str| format!("payment_method_options[card][{option}]");
    let three_d_secure = params.word(&card("request_three_d_secure"), &["automatic", "any", "challenge"])?;
    let multicapture = params.word(&card("request_multicapture"), &["if_available", "never"])?;
    let capture_method = params.word("capture_method", &["automatic", "automatic_async", "manual"])?;
    let new = New {
        amount,
        manual: capture_method == Some("manual"),
        multicapture: multicapture == Some("if_available"),
        challenge_all: matches!(three_d_secure, Some("any" | "challenge")),
        metadata: params.metadata()?,
        description: params.text("description").map(str::to_owned),
        customer: params.text("customer").map(str::to_owned),
        return_url: params.text("return_url").map(str::to_owned),
        paying: paying(params, fresh)?,
        confirm: params.flag("confirm")? == Some(true),
        never_ask: params.flag("error_on_requires_action")? == Some(true),
        currency,
    };
    for only_confirmed in ["return_url", "error_on_requires_action", "off_session"] {
        if params.has(only_confirmed) && !new.confirm {
            let message = format!("{only_confirmed} can only be used with confirm=true");
            return Err(Refused::request(&message).param(only_confirmed));
        }
    }
    Ok(new)
}

/// How it is paid, where that is said.
fn paying(params: &Params, fresh: impl Fn() -> String) -> Result<Option<Paying>, Refused> {
    if let Some(id) = params.text("payment_method") {
        return stored(id).map(Some);
    }
    if !params.has("payment_method_data") {
        return Ok(None);
    }
    if params.required("payment_method_data[type]")? != "card" {
        return Err(Refused::request("Only cards are known here").param("payment_method_data[type]"));
    }
    let field = |name: &str| format!("payment_method_data[card][{name}]");
    let method = match params.text(&field("token")) {
        Some(token) if !token.starts_with("tok_") => return Err(Refused::missing("token", token, "card[token]")),
        Some(token) => Method::Token { token: token.to_owned() },
        None => Method::Card(Card {
            number: params.required(&field("number"))?.to_owned(),
            expiry_month: format!("{:0>2}", params.required(&field("exp_month"))?),
            expiry_year: full_year(params.required(&field("exp_year"))?),
            cvc: params.text(&field("cvc")).map(str::to_owned),
        }),
    };
    checked(&method)?;
    Ok(Some(Paying { method, id: format!("pm_{}", fresh()) }))
}

/// A year of two digits is one of this century.
fn full_year(year: &str) -> String {
    if year.len() == 2 { format!("20{year}") } else { year.to_owned() }
}

/// What cannot be a card is refused before there is a payment.
fn checked(method: &Method) -> Result<(), Refused> {
    let probe = NewCharge {
        reference: "probe".to_owned(),
        amount: 1,
        currency: "EUR".to_owned(),
        capture: true,
        method: method.clone(),
        return_url: None,
    };
    probe.check().map_err(|refusal| {
        let code = match refusal.code {
            "invalid_expiry" => "invalid_expiry_month",
            "invalid_cvc" => "invalid_cvc",
            _ => "incorrect_number",
        };
        Refused::new(StatusCode::PAYMENT_REQUIRED, "card_error", "Your card details are wrong.").code(Code(code))
    })
}

/// What is done with a payment.
fn of_intent(
    intent: &Intent,
    verb: &str,
    request: &Request,
    params: &dyn Fn(&[&str]) -> Result<Params, Refused>,
    fresh: impl Fn() -> String,
) -> Result<(Ask, Params), Refused> {
    let id = intent.id.clone();
    Ok(match verb {
        "confirm" => {
            let params = params(&CONFIRM)?;
            let paying = paying(&params, fresh)?;
            let never_ask = params.flag("error_on_requires_action")? == Some(true);
            let return_url = params.text("return_url").map(str::to_owned);
            (Ask::Confirm { id, paying, return_url, never_ask }, params)
        }
        "capture" => {
            let params = params(&CAPTURED)?;
            let amount = amount(&params, "amount_to_capture", &intent.currency)?;
            let last = params.flag("final_capture")? != Some(false);
            (Ask::Capture { id, amount, last, metadata: params.metadata()? }, params)
        }
        "cancel" => {
            let params = params(&CANCEL)?;
            let reasons = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
            let reason = params.word("cancellation_reason", &reasons)?.map(str::to_owned);
            (Ask::Cancel { id, reason }, params)
        }
        _ => return Err(Refused::nowhere("POST", request.path)),
    })
}

fn refund(params: &Params, books: &Books, owner: u64) -> Result<Ask, Refused> {
    let intent = match (params.text("payment_intent"), params.text("charge")) {
        (Some(id), _) => {
            books.intent(id, owner).ok_or_else(|| Refused::missing("payment_intent", id, "payment_intent"))?
        }
        (None, Some(charge)) => {
            let found = books.of_charge(charge).filter(|intent| intent.maker.owner == owner);
            found.ok_or_else(|| Refused::missing("charge", charge, "charge"))?
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refused::request(message));
        }
    };
    let reason = params.word("reason", &["duplicate", "fraudulent", "requested_by_customer"])?.map(str::to_owned);
    Ok(Ask::Refund {
        intent: intent.id.clone(),
        amount: amount(params, "amount", &intent.currency)?,
        reason,
        metadata: params.metadata()?,
    })
}

/// An amount in ISO 4217's minor unit.
fn amount(params: &Params, name: &str, currency: &str) -> Result<Option<i64>, Refused> {
    let Some(amount) = params.integer(name)? else { return Ok(None) };
    from_stripe(amount, currency)
        .map(Some)
        .ok_or_else(|| Refused::request("The amount has too many decimals for its currency").param(name))
}

/// `metadata['name']:'value'`, the one kind of question that is understood here.
fn search(query: &str) -> Result<Ask, Refused> {
    let refused = || Refused::request("The search query cannot be read").param("query");
    let query = query.trim().replace('"', "'");
    let rest = query.strip_prefix("metadata['").ok_or_else(refused)?;
    let (name, value) = rest.split_once("']:'").ok_or_else(refused)?;
    let value = value.strip_suffix('\'').ok_or_else(refused)?;
    Ok(Ask::Search { name: name.to_owned(), value: value.to_owned() })
}
