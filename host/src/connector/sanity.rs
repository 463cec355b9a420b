//! Checks what a component returned before anyone reads it.
//!
//! The sandbox has bounded its size and the ABI its types; here is what types cannot say: lengths that our columns and
//! our merchants' screens can bear, currencies that look like currencies, addresses a browser may be sent to, and no
//! NUL, which Postgres cannot store. The meaning (does the amount equal ours, may this state follow that one) is the
//! domain's.

use url::Url;

use super::{
    run::{RunError, shortened},
    types::{
        Accepted, ActionNeeded, Approval, Body, Computation, CustomerAction, Decline, Delivery, EventKind, Failure,
        Line, Material, Money, Opening, OperationKind, Outcome, Pairs, Request, Response, Segment,
    },
};

/// References, further values and the like: how many, and how long.
const PAIRS_MAX: usize = 32;
const NAME_MAX_BYTES: usize = 64;
const VALUE_MAX_BYTES: usize = 1024;
/// One reference of the gateway; the longest known ones have about 100 characters.
const REFERENCE_MAX_BYTES: usize = 255;
/// The network's code for a decline; the longest known ones are a code with some words behind it.
const NETWORK_CODE_MAX_BYTES: usize = 64;
/// Text that is written for people.
const TEXT_MAX_BYTES: usize = 1024;
/// An address the customer is sent to, and what a form carries there (a 3-D Secure request has several KiB).
const URL_MAX_BYTES: usize = 8 << 10;
const FIELDS_MAX: usize = 64;
const FIELD_MAX_BYTES: usize = 64 << 10;
/// What a QR code can hold at most, in its largest version.
const QR_MAX_BYTES: usize = 2953;
const ACTIONS_MAX: usize = 8;
const EVENTS_MAX: usize = 1000;
const ACKNOWLEDGEMENT_MAX_BYTES: usize = 64 << 10;
const KEEPS_MAX: usize = 8;
/// The end of the year 9999: later times are mistakes, and few libraries can write them.
const TIME_MAX_MS: u64 = 253_402_300_799_999;
/// What a `bigint` holds.
const MINOR_UNITS_MAX: u64 = i64::MAX as u64;

type Checked = Result<(), RunError>;

fn bad(detail: impl Into<String>) -> RunError {
    RunError::BadOutcome { detail: detail.into() }
}

fn require(holds: bool, detail: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(bad(detail())) }
}

/// An outcome of an operation of `kind`.
pub fn outcome(outcome: &Outcome, kind: OperationKind) -> Checked {
    match outcome {
        Outcome::Authorized(a) | Outcome::Captured(a) | Outcome::Cancelled(a) | Outcome::Refunded(a) => approval(a),
        Outcome::Declined(decline) => self::decline(decline),
        Outcome::ActionRequired(needed) => action(needed),
        Outcome::ReadyToComplete(references) => pairs("references", references),
        Outcome::Pending(accepted) | Outcome::Expired(accepted) => self::accepted(accepted),
        Outcome::NotProcessed(_) => Ok(()),
        Outcome::NeverReceived => {
            require(kind == OperationKind::Sync, || "`never-received` is an answer to a sync alone".to_owned())
        }
    }
}

/// A failure is believed whatever it says: the operation is unknown by it. Only its text is cut to what we keep.
pub fn failure(failure: &Failure) -> Failure {
    let message = shortened(&failure.message, TEXT_MAX_BYTES);
    Failure { message: message.replace('\0', "\u{fffd}") }
}

/// A request that is about to be written down. Everything else about it is judged where it is sent.
pub fn request(request: &Request) -> Checked {
    storable("url", &request.url)?;
    for (name, value) in &request.headers {
        storable("header", name)?;
        segments(value)?;
    }
    match &request.body {
        Body::Empty => {}
        Body::Json(template) => segments(template)?,
        Body::Form(fields) => fields.iter().try_for_each(|(name, value)| {
            storable("form field", name)?;
            segments(value)
        })?,
        Body::Raw((content_type, template)) => {
            storable("content type", content_type)?;
            segments(template)?;
        }
    }
    request.computed.iter().try_for_each(|computed| {
        storable("computed", &computed.name)?;
        if let Computation::Mac((_, secret)) = &computed.computation {
            storable("computed", secret)?;
        }
        computed.over.iter().try_for_each(|material| match material {
            Material::Literal(text) | Material::Computed(text) => storable("computed", text),
            Material::RenderedUrl | Material::RenderedBody => Ok(()),
        })
    })
}

fn segments(template: &[Segment]) -> Checked {
    template.iter().try_for_each(|segment| match segment {
        Segment::Text(text) | Segment::Secret(text) | Segment::Session(text) | Segment::Computed(text) => {
            storable("text of the request", text)
        }
        Segment::BasicAuth((first, second)) => {
            storable("basic-auth", first)?;
            storable("basic-auth", second)
        }
        Segment::CardNumber
        | Segment::CardCvc
        | Segment::CardHolder
        | Segment::CardExpiryMonth
        | Segment::CardExpiryYear
        | Segment::CardExpiryYearShort
        | Segment::WalletToken
        | Segment::GatewayToken => Ok(()),
    })
}

/// How to open a session.
pub fn opening(opening: &Opening) -> Checked {
    request(&opening.request)?;
    require((1..=KEEPS_MAX).contains(&opening.keep.len()), || {
        format!("a session keeps 1 to {KEEPS_MAX} values, not {}", opening.keep.len())
    })?;
    opening.keep.iter().try_for_each(|keep| {
        filled("keep.name", &keep.name, NAME_MAX_BYTES)?;
        pointer("keep.pointer", &keep.pointer)?;
        keep.lifetime_pointer.as_deref().map_or(Ok(()), |text| pointer("keep.lifetime-pointer", text))?;
        require(keep.lifetime_seconds > 0, || "keep.lifetime-seconds is 0".to_owned())
    })
}

/// What was read from a webhook.
pub fn delivery(delivery: &Delivery) -> Checked {
    require(delivery.events.len() <= EVENTS_MAX, || format!("more than {EVENTS_MAX} events in one delivery"))?;
    for event in &delivery.events {
        filled("event.id", &event.id, REFERENCE_MAX_BYTES)?;
        time("event.occurred-at", event.occurred_at)?;
        optional("event.operation-id", event.operation_id.as_deref(), REFERENCE_MAX_BYTES)?;
        optional("event.gateway-reference", event.gateway_reference.as_deref(), REFERENCE_MAX_BYTES)?;
        pairs("event.references", &event.references)?;
        match &event.kind {
            EventKind::Outcome((kind, outcome)) => self::outcome(outcome, *kind)?,
            EventKind::Approved(approved) => approval(approved)?,
            EventKind::Notice(notice) => filled("event.kind.notice", notice, TEXT_MAX_BYTES)?,
        }
    }
    acknowledgement(&delivery.acknowledgement)
}

/// The lines of a settlement file.
pub fn lines(lines: &[Line]) -> Checked {
    lines.iter().try_for_each(|line| {
        text("line.gateway-reference", &line.gateway_reference, REFERENCE_MAX_BYTES)?;
        optional("line.operation-id", line.operation_id.as_deref(), REFERENCE_MAX_BYTES)?;
        currency("line.gross", &line.gross.currency)?;
        currency("line.fee", &line.fee.currency)?;
        require(is_date(&line.settled_on), || format!("line.settled-on is {:?}, not YYYY-MM-DD", cut(&line.settled_on)))
    })
}

fn approval(approval: &Approval) -> Checked {
    filled("gateway-reference", &approval.gateway_reference, REFERENCE_MAX_BYTES)?;
    money("amount", &approval.amount)?;
    approval.captured_total.as_ref().map_or(Ok(()), |total| money("captured-total", total))?;
    approval.refunded_total.as_ref().map_or(Ok(()), |total| money("refunded-total", total))?;
    pairs("references", &approval.references)?;
    optional("network-reference", approval.network_reference.as_deref(), REFERENCE_MAX_BYTES)?;
    optional("authorization-code", approval.authorization_code.as_deref(), REFERENCE_MAX_BYTES)?;
    time("capture-before", approval.capture_before)?;
    pairs("extra", &approval.extra)
}

fn decline(decline: &Decline) -> Checked {
    text("gateway-code", &decline.gateway_code, REFERENCE_MAX_BYTES)?;
    decline.network_code.as_deref().map_or(Ok(()), |code| printable("network-code", code, NETWORK_CODE_MAX_BYTES))?;
    text("message", &decline.message, TEXT_MAX_BYTES)?;
    optional("gateway-reference", decline.gateway_reference.as_deref(), REFERENCE_MAX_BYTES)?;
    pairs("references", &decline.references)
}

fn accepted(accepted: &Accepted) -> Checked {
    optional("gateway-reference", accepted.gateway_reference.as_deref(), REFERENCE_MAX_BYTES)?;
    pairs("references", &accepted.references)
}

fn action(needed: &ActionNeeded) -> Checked {
    optional("gateway-reference", needed.gateway_reference.as_deref(), REFERENCE_MAX_BYTES)?;
    pairs("references", &needed.references)?;
    time("expires-at", needed.expires_at)?;
    require((1..=ACTIONS_MAX).contains(&needed.actions.len()), || {
        format!("the customer is offered 1 to {ACTIONS_MAX} actions, not {}", needed.actions.len())
    })?;
    needed.actions.iter().try_for_each(|action| match action {
        CustomerAction::Redirect(redirect) => {
            address("redirect.url", &redirect.url, |scheme| matches!(scheme, "http" | "https"))?;
            require(redirect.fields.len() <= FIELDS_MAX, || format!("redirect.fields has more than {FIELDS_MAX}"))?;
            redirect.fields.iter().try_for_each(|(name, value)| {
                filled("redirect.fields", name, NAME_MAX_BYTES)?;
                text("redirect.fields", value, FIELD_MAX_BYTES)
            })
        }
        CustomerAction::DisplayQr(code) => filled("display-qr", code, QR_MAX_BYTES),
        // A link that opens an app. What would run as a script or read a file on the customer's side is none.
        CustomerAction::OpenApp(link) => address("open-app", link, |scheme| {
            !matches!(scheme, "javascript" | "data" | "file" | "blob" | "vbscript" | "about")
        }),
        CustomerAction::AwaitApproval => Ok(()),
    })
}

fn acknowledgement(response: &Response) -> Checked {
    require((200..600).contains(&response.status), || format!("acknowledgement.status is {}", response.status))?;
    require(response.body.len() <= ACKNOWLEDGEMENT_MAX_BYTES, || {
        format!("acknowledgement.body has more than {ACKNOWLEDGEMENT_MAX_BYTES} bytes")
    })?;
    pairs("acknowledgement.headers", &response.headers)?;
    response.headers.iter().try_for_each(|(name, value)| {
        let name_is_good = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        require(name_is_good && http::HeaderValue::from_str(value).is_ok(), || {
            format!("acknowledgement.headers: {:?} is no header", cut(name))
        })
    })
}

fn money(what: &str, money: &Money) -> Checked {
    require(money.minor_units <= MINOR_UNITS_MAX, || format!("{what} is larger than any amount"))?;
    currency(what, &money.currency)
}

fn currency(what: &str, code: &str) -> Checked {
    require(is_currency(code), || format!("{what}: the currency {:?} is not three capitals", cut(code)))
}

/// Whether `code` has the form of an ISO 4217 code.
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn time(what: &str, unix_ms: Option<u64>) -> Checked {
    require(unix_ms.is_none_or(|ms| ms <= TIME_MAX_MS), || format!("{what} lies beyond the year 9999"))
}

fn pairs(what: &str, pairs: &Pairs) -> Checked {
    require(pairs.len() <= PAIRS_MAX, || format!("{what} has more than {PAIRS_MAX} entries"))?;
    pairs.iter().try_for_each(|(name, value)| {
        filled(what, name, NAME_MAX_BYTES)?;
        text(what, value, VALUE_MAX_BYTES)
    })
}

fn address(what: &str, address: &str, may: impl FnOnce(&str) -> bool) -> Checked {
    filled(what, address, URL_MAX_BYTES)?;
    require(Url::parse(address).is_ok_and(|url| may(url.scheme())), || {
        format!("{what}: {:?} is no address for a customer", cut(address))
    })
}

fn pointer(what: &str, pointer: &str) -> Checked {
    text(what, pointer, VALUE_MAX_BYTES)?;
    require(pointer.starts_with('/'), || format!("{what}: {:?} is no JSON pointer", cut(pointer)))
}

fn filled(what: &str, value: &str, max_bytes: usize) -> Checked {
    require(!value.is_empty(), || format!("{what} is empty"))?;
    text(what, value, max_bytes)
}

/// What somebody types into a search or a rule: visible ASCII and spaces.
fn printable(what: &str, value: &str, max_bytes: usize) -> Checked {
    filled(what, value, max_bytes)?;
    let is_printable = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    require(is_printable, || format!("{what}: {:?} is not printable ASCII", cut(value)))
}

fn optional(what: &str, value: Option<&str>, max_bytes: usize) -> Checked {
    value.map_or(Ok(()), |value| text(what, value, max_bytes))
}

fn text(what: &str, value: &str, max_bytes: usize) -> Checked {
    require(value.len() <= max_bytes, || format!("{what} has more than {max_bytes} bytes"))?;
    storable(what, value)
}

fn storable(what: &str, value: &str) -> Checked {
    require(!value.contains('\0'), || format!("{what} holds a NUL"))
}

/// Enough of a bad value to recognise it.
fn cut(value: &str) -> &str {
    shortened(value, 64)
}
