//! The requests that Razorpay understands.

use interlock_connector::request::{JsonObject, basic_auth, idempotency_key, json_object, path_segment, with_query};
use interlock_connector::types::{
    Authorize, Browser, CaptureMethod, Context, Customer, Effect, Failure, Money, Operation, PaymentMethod, Refund,
    Request, Segment, Template, Upi,
};

/// The note by which a payment and a refund tell of which operation they are.
pub const NOTE: &str = "interlock_operation";
/// The note by which a payment tells whether it is captured by itself. Its events do not say so otherwise.
const CAPTURE_NOTE: &str = "interlock_capture";
pub const AUTOMATIC: &str = "automatic";
pub const MANUAL: &str = "manual";
/// The note for the merchant's name of what is paid for.
const ORDER_NOTE: &str = "order_reference";
/// Orders and refunds in one page of a list; Razorpay gives no more.
pub const PAGE_MAX: usize = 100;

/// Razorpay takes 15 notes, of which two are ours.
const NOTES_MAX: usize = 13;
/// The longest name or value of a note, in characters.
const NOTE_MAX_CHARS: usize = 256;
/// Of `browser.language`.
const LANGUAGE_MAX_CHARS: usize = 8;

/// What a payment must say of its customer.
pub struct Payer<'a> {
    pub email: &'a str,
    pub contact: &'a str,
    pub ip: &'a str,
}

/// `POST /v1/orders`. It moves no money, and is sent once: a second one would be a second order.
pub fn order(ctx: &Context, operation: &Operation, authorize: &Authorize) -> Result<Request, Failure> {
    let (automatic, manual) = (minutes(ctx, "automatic_expiry_period")?, minutes(ctx, "manual_expiry_period")?);
    let body = json_object(|order| {
        amount(order, &authorize.amount);
        order.string("receipt", &operation.id);
        order.object("payment", |payment| {
            let is_automatic = authorize.capture == CaptureMethod::Automatic;
            payment.string("capture", capture_word(authorize.capture));
            payment.object("capture_options", |options| {
                if let Some(minutes) = automatic.filter(|_| is_automatic) {
                    options.integer("automatic_expiry_period", minutes);
                }
                if let Some(minutes) = manual {
                    options.integer("manual_expiry_period", minutes);
                }
                options.string("refund_speed", "normal");
            });
        });
    });
    Ok(post(ctx, "/v1/orders", body)?.effect(Effect::Prepares))
}

/// `POST /v1/payments/create/json`: the one payment under `order`. Sent once; Razorpay has no key for it.
pub fn payment(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    payer: &Payer<'_>,
    order: &str,
) -> Result<Request, Failure> {
    let body = json_object(|payment| {
        amount(payment, &authorize.amount);
        payment.string("order_id", order);
        payment.string("email", payer.email);
        payment.string("contact", payer.contact);
        method(payment, authorize);
        payment.string("ip", payer.ip);
        payment.optional_string("referer", ctx.setting("referer"));
        payment.optional_string("user_agent", authorize.customer.user_agent.as_deref());
        payment.optional_string("callback_url", authorize.return_url.as_deref());
        payment.optional_string("description", authorize.description.as_deref());
        payment.object("notes", |notes| {
            notes.string(NOTE, &idempotency_key(operation, 2));
            notes.string(CAPTURE_NOTE, capture_word(authorize.capture));
            let order = authorize.order_reference.as_deref().map(|text| (ORDER_NOTE, text));
            let told = authorize.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let told = told.filter(|(name, _)| ![NOTE, CAPTURE_NOTE, ORDER_NOTE].contains(name));
            for (name, value) in order.into_iter().chain(told).take(NOTES_MAX) {
                notes.string(cut(name, NOTE_MAX_CHARS), cut(value, NOTE_MAX_CHARS));
            }
        });
    });
    post(ctx, "/v1/payments/create/json", body)
}

/// `POST /v1/payments/{id}/capture`. The body takes nothing but the amount, and every request that writes has to name its
/// operation (the conformance kit sees to it): so our id goes along in a header that Razorpay does not read. A payment is
/// captured once, however often it is asked for: it may be sent again.
pub fn capture(ctx: &Context, operation: &Operation, payment: &str, of: &Money) -> Result<Request, Failure> {
    let path = ["/v1/payments/", &path_segment(payment), "/capture"].concat();
    let request = post(ctx, &path, json_object(|body| amount(body, of)))?;
    Ok(request.header("x-request-id", idempotency_key(operation, 1)).resendable(true))
}

/// `POST /v1/payments/{id}/refund`
pub fn refund(ctx: &Context, operation: &Operation, payment: &str, refund: &Refund) -> Result<Request, Failure> {
    let body = json_object(|body| {
        body.integer("amount", refund.amount.minor_units);
        body.optional_string("speed", ctx.setting("speed").filter(|speed| !speed.is_empty()));
        body.string("receipt", &operation.id);
        body.object("notes", |notes| {
            notes.string(NOTE, &operation.id);
            if let Some(reason) = &refund.reason {
                notes.string("reason", cut(reason, NOTE_MAX_CHARS));
            }
        });
    });
    let path = ["/v1/payments/", &path_segment(payment), "/refund"].concat();
    let request = post(ctx, &path, body)?.header("x-refund-idempotency", idempotency_key(operation, 1));
    Ok(request.resendable(true))
}

/// `GET /v1/payments/{id}`
pub fn payment_by_id(ctx: &Context, id: &str) -> Result<Request, Failure> {
    get(ctx, &["/v1/payments/", &path_segment(id)].concat(), &[])
}

/// `GET /v1/orders?receipt=…`
pub fn orders_by_receipt(ctx: &Context, receipt: &str) -> Result<Request, Failure> {
    get(ctx, "/v1/orders", &[("receipt", receipt), ("count", &PAGE_MAX.to_string())])
}

/// `GET /v1/orders/{id}/payments`
pub fn payments_of_order(ctx: &Context, order: &str) -> Result<Request, Failure> {
    get(ctx, &["/v1/orders/", &path_segment(order), "/payments"].concat(), &[])
}

/// `GET /v1/payments/{id}/refunds`, one page of it.
pub fn refunds_of_payment(ctx: &Context, payment: &str, skip: usize) -> Result<Request, Failure> {
    let path = ["/v1/payments/", &path_segment(payment), "/refunds"].concat();
    get(ctx, &path, &[("count", &PAGE_MAX.to_string()), ("skip", &skip.to_string())])
}

/// A setting that counts minutes; none where the account leaves it empty.
pub fn minutes(ctx: &Context, name: &str) -> Result<Option<u64>, Failure> {
    let told = ctx.setting(name).map(str::trim).filter(|text| !text.is_empty());
    let wrong = |_| Failure::new(["the setting ", name, " is no number of minutes"].concat());
    told.map(|text| text.parse().map_err(wrong)).transpose()
}

fn capture_word(capture: CaptureMethod) -> &'static str {
    match capture {
        CaptureMethod::Automatic => AUTOMATIC,
        CaptureMethod::Manual => MANUAL,
    }
}

fn amount(into: &mut JsonObject<'_>, money: &Money) {
    into.integer("amount", money.minor_units);
    into.string("currency", &money.currency);
}

fn method(payment: &mut JsonObject<'_>, authorize: &Authorize) {
    match &authorize.method {
        PaymentMethod::Card(card) => {
            payment.string("method", "card");
            payment.object("card", |into| {
                into.hole("number", Segment::CardNumber);
                if card.has_holder {
                    into.hole("name", Segment::CardHolder);
                } else {
                    into.optional_string("name", authorize.customer.name.as_deref());
                }
                into.hole("expiry_month", Segment::CardExpiryMonth);
                into.hole("expiry_year", Segment::CardExpiryYearShort);
                if card.has_cvc {
                    into.hole("cvv", Segment::CardCvc);
                }
            });
            authentication(payment, &authorize.customer);
        }
        PaymentMethod::GatewayToken => {
            payment.string("method", "card");
            payment.hole("token", Segment::GatewayToken);
            payment.object("card", |card| card.string("cvv", ""));
            authentication(payment, &authorize.customer);
        }
        PaymentMethod::Upi(upi) => {
            payment.string("method", "upi");
            payment.object("upi", |into| match upi {
                Upi::Collect(vpa) => {
                    into.string("flow", "collect");
                    into.string("vpa", vpa);
                }
                // The same flow: what differs is whether the customer opens the link or scans it.
                Upi::Intent | Upi::Qr => into.string("flow", "intent"),
            });
        }
        // The descriptor has none, so none is asked for; Razorpay would say so too.
        PaymentMethod::Wallet(wallet) => {
            payment.string("method", "wallet");
            payment.string("wallet", &wallet.provider);
        }
    }
}

/// What 3-D Secure wants to know of the browser.
fn authentication(payment: &mut JsonObject<'_>, customer: &Customer) {
    payment.object("authentication", |into| into.string("authentication_channel", "browser"));
    if let Some(browser) = &customer.browser {
        payment.object("browser", |into| describe(into, browser));
    }
}

fn describe(into: &mut JsonObject<'_>, browser: &Browser) {
    into.boolean("java_enabled", browser.java);
    into.boolean("javascript_enabled", browser.java_script);
    into.signed("timezone_offset", browser.timezone_offset_minutes.into());
    into.integer("color_depth", browser.color_depth.into());
    into.integer("screen_width", browser.screen_width.into());
    into.integer("screen_height", browser.screen_height.into());
    into.string("language", cut(&browser.language, LANGUAGE_MAX_CHARS));
}

/// At most so many characters of a text.
fn cut(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

fn get(ctx: &Context, path: &str, query: &[(&str, &str)]) -> Result<Request, Failure> {
    let url = with_query(&ctx.url("base_url", path)?, query.iter().copied());
    Ok(Request::get(url).header("authorization", authorization()))
}

fn post(ctx: &Context, path: &str, body: Template) -> Result<Request, Failure> {
    Ok(Request::post(ctx.url("base_url", path)?).header("authorization", authorization()).json(body))
}

fn authorization() -> [Segment; 2] {
    ["Basic ".into(), basic_auth("key_id", "key_secret")]
}
