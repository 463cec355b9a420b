//! The requests that the gateway understands.

use interlock_connector::request::{idempotency_key, json_object, path_segment, secret, with_query};
use interlock_connector::types::{
    Authorize, Capture, CaptureMethod, Context, Failure, Operation, PaymentMethod, Request, Segment, Template, Upi,
};

/// `POST /charges`
pub fn create(ctx: &Context, operation: &Operation, authorize: &Authorize) -> Result<Request, Failure> {
    let body = json_object(|charge| {
        charge.string("reference", &operation.id);
        charge.integer("amount", authorize.amount.minor_units);
        charge.string("currency", &authorize.amount.currency);
        charge.boolean("capture", authorize.capture == CaptureMethod::Automatic);
        charge.object("method", |method| match &authorize.method {
            PaymentMethod::Card(card) => {
                method.string("type", "card");
                method.hole("number", Segment::CardNumber);
                method.hole("expiry_month", Segment::CardExpiryMonth);
                method.hole("expiry_year", Segment::CardExpiryYear);
                if card.has_cvc {
                    method.hole("cvc", Segment::CardCvc);
                }
                if card.has_holder {
                    method.hole("holder", Segment::CardHolder);
                }
            }
            PaymentMethod::Upi(upi) => {
                method.string("type", "upi");
                match upi {
                    Upi::Collect(vpa) => {
                        method.string("flow", "collect");
                        method.string("vpa", vpa);
                    }
                    Upi::Intent => method.string("flow", "intent"),
                    Upi::Qr => method.string("flow", "qr"),
                }
            }
            PaymentMethod::Wallet(wallet) => {
                method.string("type", "wallet");
                method.string("provider", &wallet.provider);
                if wallet.has_token {
                    method.hole("token", Segment::WalletToken);
                }
            }
            PaymentMethod::GatewayToken => {
                method.string("type", "token");
                method.hole("token", Segment::GatewayToken);
            }
        });
        charge.optional_string("return_url", authorize.return_url.as_deref());
    });
    write(ctx, operation, "/charges", body)
}

/// `POST /charges/{id}/capture`
pub fn capture(ctx: &Context, operation: &Operation, charge: &str, capture: &Capture) -> Result<Request, Failure> {
    let body = json_object(|body| {
        body.string("reference", &operation.id);
        body.integer("amount", capture.amount.minor_units);
        body.boolean("final", capture.is_final);
    });
    write(ctx, operation, &["/charges/", &path_segment(charge), "/capture"].concat(), body)
}

/// `POST /charges/{id}/cancel`
pub fn cancel(ctx: &Context, operation: &Operation, charge: &str) -> Result<Request, Failure> {
    let body = json_object(|body| body.string("reference", &operation.id));
    write(ctx, operation, &["/charges/", &path_segment(charge), "/cancel"].concat(), body)
}

/// `POST /charges/{id}/refunds`
pub fn refund(ctx: &Context, operation: &Operation, charge: &str, minor_units: u64) -> Result<Request, Failure> {
    let body = json_object(|body| {
        body.string("reference", &operation.id);
        body.integer("amount", minor_units);
    });
    write(ctx, operation, &["/charges/", &path_segment(charge), "/refunds"].concat(), body)
}

/// `GET /charges/{id}`
pub fn charge(ctx: &Context, id: &str) -> Result<Request, Failure> {
    read(ctx.url("base_url", &["/charges/", &path_segment(id)].concat())?)
}

/// `GET /charges?reference=…`
pub fn charge_by_reference(ctx: &Context, reference: &str) -> Result<Request, Failure> {
    read(with_query(&ctx.url("base_url", "/charges")?, [("reference", reference)]))
}

/// `GET /refunds?reference=…`
pub fn refund_by_reference(ctx: &Context, reference: &str) -> Result<Request, Failure> {
    read(with_query(&ctx.url("base_url", "/refunds")?, [("reference", reference)]))
}

/// Whether the gateway finds things by our reference, so that its 404 proves something.
pub fn has_lookup(ctx: &Context) -> bool {
    ctx.setting("lookup") != Some("none")
}

#[expect(clippy::unnecessary_wraps, reason = "so that the callers' last line is the request")]
fn read(url: String) -> Result<Request, Failure> {
    Ok(Request::get(url).header("authorization", bearer()))
}

/// No operation of this gateway writes twice, so every key is the operation's first.
fn write(ctx: &Context, operation: &Operation, path: &str, body: Template) -> Result<Request, Failure> {
    Ok(Request::post(ctx.url("base_url", path)?)
        .header("authorization", bearer())
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(body)
        .resendable(ctx.setting("resend") != Some("never")))
}

fn bearer() -> [Segment; 2] {
    ["Bearer ".into(), secret("api_key")]
}
