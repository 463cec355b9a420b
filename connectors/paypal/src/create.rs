//! `POST /v2/checkout/orders`: the order that every payment begins with.

use interlock_connector::request::{JsonObject, idempotency_key, json_object};
use interlock_connector::types::{
    Authorize, CaptureMethod, Card, Context, Effect, Failure, Operation, PaymentMethod, Request, Segment,
};

use crate::ask::{shortened, write};

/// In characters.
const DESCRIPTION_MAX_CHARS: usize = 127;
const REFERENCE_ID_MAX_CHARS: usize = 256;
const BRAND_NAME_MAX_CHARS: usize = 127;

/// The setting that turns 3-D Secure off.
const NEVER: &str = "NEVER";

/// The request. A card, and what PayPal keeps of an earlier payment, is charged with it; without either the payer is
/// sent to PayPal, and nothing moves before we ask for it.
pub fn order(ctx: &Context, operation: &Operation, authorize: &Authorize, value: &str) -> Result<Request, Failure> {
    let charges = match &authorize.method {
        PaymentMethod::Card(_) | PaymentMethod::GatewayToken => true,
        PaymentMethod::Wallet(wallet) if wallet.provider == "paypal" => wallet.has_token,
        PaymentMethod::Wallet(_) | PaymentMethod::Upi(_) => {
            return Err(Failure::new("PayPal is not asked for this method"));
        }
    };
    let body = json_object(|order| {
        order.string("intent", if authorize.capture == CaptureMethod::Automatic { "CAPTURE" } else { "AUTHORIZE" });
        order.array("purchase_units", |units| units.object(|unit| purchase_unit(unit, operation, authorize, value)));
        order.object("payment_source", |source| match &authorize.method {
            PaymentMethod::Card(card) => source.object("card", |it| card_source(it, ctx, authorize, Some(card))),
            PaymentMethod::GatewayToken => source.object("card", |it| card_source(it, ctx, authorize, None)),
            PaymentMethod::Wallet(_) | PaymentMethod::Upi(_) => {
                source.object("paypal", |it| paypal_source(it, ctx, authorize, charges));
            }
        });
    });
    let request = write(ctx, "/v2/checkout/orders", &idempotency_key(operation, 1), body)?;
    Ok(if charges { request } else { request.effect(Effect::Prepares) })
}

/// PayPal refuses an `invoice_id` that it has seen before: should our key be forgotten, that one is not.
fn purchase_unit(unit: &mut JsonObject<'_>, operation: &Operation, authorize: &Authorize, value: &str) {
    let text = |text: &Option<String>, max_chars| {
        text.as_deref().filter(|text| !text.is_empty()).map(|text| shortened(text, max_chars).to_owned())
    };
    unit.optional_string("reference_id", text(&authorize.order_reference, REFERENCE_ID_MAX_CHARS).as_deref());
    unit.optional_string("description", text(&authorize.description, DESCRIPTION_MAX_CHARS).as_deref());
    unit.string("custom_id", &operation.id);
    unit.string("invoice_id", &operation.id);
    unit.object("amount", |amount| {
        amount.string("currency_code", &authorize.amount.currency);
        amount.string("value", value);
    });
}

/// A card by its number, or by what PayPal's vault calls it.
fn card_source(source: &mut JsonObject<'_>, ctx: &Context, authorize: &Authorize, card: Option<&Card>) {
    match card {
        Some(card) => {
            source.hole("number", Segment::CardNumber);
            source.template("expiry", [Segment::CardExpiryYear, "-".into(), Segment::CardExpiryMonth]);
            if card.has_cvc {
                source.hole("security_code", Segment::CardCvc);
            }
            if card.has_holder {
                source.hole("name", Segment::CardHolder);
            }
        }
        None => source.hole("vault_id", Segment::GatewayToken),
    }
    // Who cannot come back is not sent anywhere.
    let Some(back) = authorize.return_url.as_deref() else { return };
    if let Some(method) = ctx.setting("three_d_secure").filter(|method| *method != NEVER) {
        source.object("attributes", |attributes| {
            attributes.object("verification", |verification| verification.string("method", method));
        });
    }
    source.object("experience_context", |context| pages(context, back));
}

/// The wallet: by its token where the payer has paid before, else by PayPal's page.
fn paypal_source(source: &mut JsonObject<'_>, ctx: &Context, authorize: &Authorize, has_token: bool) {
    if has_token {
        source.hole("vault_id", Segment::WalletToken);
    }
    source.object("experience_context", |context| {
        let brand_name = ctx.setting("brand_name").filter(|name| !name.is_empty());
        context.optional_string("brand_name", brand_name.map(|name| shortened(name, BRAND_NAME_MAX_CHARS)));
        context.optional_string("shipping_preference", ctx.setting("shipping_preference"));
        context.string("user_action", "PAY_NOW");
        if let Some(back) = authorize.return_url.as_deref() {
            pages(context, back);
        }
    });
}

/// Both ways lead back to the host, which asks how things stand: what the browser brings along proves nothing.
fn pages(context: &mut JsonObject<'_>, back: &str) {
    context.string("return_url", back);
    context.string("cancel_url", back);
}
