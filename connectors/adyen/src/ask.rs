//! The requests that Adyen understands. Each carries the operation's id twice: as the idempotency key, and in the
//! reference that webhooks and reports bring back.

use interlock_connector::request::{JsonObject, idempotency_key, json_object, path_segment, secret};
use interlock_connector::types::{
    Authorize, Cancel, CaptureMethod, Context, Customer, Failure, Operation, Refund, Request, Template,
};

use crate::currency::Amount;
use crate::method::Method;
use crate::reference::{Modification, of_modification};

/// Banks cut a longer text on the customer's statement.
const STATEMENT_MAX_BYTES: usize = 22;

/// `POST /payments`
pub fn payment(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    amount: &Amount,
    method: &Method<'_>,
) -> Result<Request, Failure> {
    let merchant_account = ctx.required("merchant_account")?;
    // Adyen wants an address with every payment. Where the merchant gives none, nobody is sent away who would come back.
    let return_url = authorize.return_url.as_deref().map_or_else(|| ctx.required("base_url"), Ok)?;
    let body = json_object(|payment| {
        of_amount(payment, amount);
        payment.string("merchantAccount", merchant_account);
        payment.string("reference", &operation.id);
        payment.object("paymentMethod", |object| method.write(object));
        payment.string("returnUrl", return_url);
        payment.string("channel", "Web");
        match authorize.capture {
            CaptureMethod::Automatic => payment.integer("captureDelayHours", 0),
            CaptureMethod::Manual => payment.object("additionalData", |data| data.string("manualCapture", "true")),
        }
        payment.object("authenticationData", |data| match authorize.return_url {
            // 3-D Secure on pages of Adyen's: the other way wants a script of Adyen's in the merchant's page.
            Some(_) => data.object("threeDSRequestData", |request| request.string("nativeThreeDS", "disabled")),
            // Who cannot come back is not sent anywhere.
            None => data.string("attemptAuthentication", "never"),
        });
        method.write_use(payment);
        of_customer(payment, &authorize.customer);
        payment.optional_string("merchantOrderReference", authorize.order_reference.as_deref());
        payment
            .optional_string("shopperStatement", authorize.description.as_deref().filter(|text| fits_statement(text)));
    });
    write(ctx, operation, "/v71/payments", body)
}

/// `POST /payments/details`, with what the browser brought back.
pub fn details(ctx: &Context, operation: &Operation, brought: &[(&str, &str)]) -> Result<Request, Failure> {
    let body = json_object(|body| {
        body.object("details", |details| brought.iter().for_each(|(name, value)| details.string(name, value)));
    });
    write(ctx, operation, "/v71/payments/details", body)
}

/// `POST /payments/{pspReference}/captures`
pub fn capture(ctx: &Context, operation: &Operation, payment: &str, amount: &Amount) -> Result<Request, Failure> {
    modification(ctx, operation, payment, Modification::Capture, |body| of_amount(body, amount))
}

/// `POST /payments/{pspReference}/cancels`
pub fn cancel(ctx: &Context, operation: &Operation, payment: &str) -> Result<Request, Failure> {
    modification(ctx, operation, payment, Modification::Cancel, |_| {})
}

/// `POST /cancels`, by our name of the payment: where its outcome was never known, or it is not authorised yet.
pub fn cancel_by_reference(ctx: &Context, operation: &Operation, cancel: &Cancel) -> Result<Request, Failure> {
    let merchant_account = ctx.required("merchant_account")?;
    let body = json_object(|body| {
        body.string("merchantAccount", merchant_account);
        body.string("paymentReference", &cancel.target_id);
        body.string("reference", &of_modification(operation, Modification::Cancel));
    });
    write(ctx, operation, "/v71/cancels", body)
}

/// `POST /payments/{pspReference}/refunds`
pub fn refund(
    ctx: &Context,
    operation: &Operation,
    payment: &str,
    refund: &Refund,
    amount: &Amount,
) -> Result<Request, Failure> {
    modification(ctx, operation, payment, Modification::Refund, |body| {
        of_amount(body, amount);
        body.optional_string("merchantRefundReason", refund.reason.as_deref().and_then(refund_reason));
    })
}

fn modification(
    ctx: &Context,
    operation: &Operation,
    payment: &str,
    kind: Modification,
    members: impl FnOnce(&mut JsonObject<'_>),
) -> Result<Request, Failure> {
    let merchant_account = ctx.required("merchant_account")?;
    let body = json_object(|body| {
        body.string("merchantAccount", merchant_account);
        body.string("reference", &of_modification(operation, kind));
        members(body);
    });
    let resource = match kind {
        Modification::Capture => "/captures",
        Modification::Cancel => "/cancels",
        Modification::Refund => "/refunds",
    };
    write(ctx, operation, &["/v71/payments/", &path_segment(payment), resource].concat(), body)
}

/// No operation writes twice, so every key is the operation's first.
fn write(ctx: &Context, operation: &Operation, path: &str, body: Template) -> Result<Request, Failure> {
    Ok(Request::post(ctx.url("base_url", path)?)
        .header("x-api-key", [secret("api_key")])
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(body)
        .resendable(true))
}

fn of_amount(body: &mut JsonObject<'_>, amount: &Amount) {
    body.object("amount", |object| {
        object.string("currency", &amount.currency);
        object.integer("value", amount.value);
    });
}

fn of_customer(payment: &mut JsonObject<'_>, customer: &Customer) {
    payment.optional_string("shopperIP", customer.ip.as_deref());
    payment.optional_string("shopperEmail", customer.email.as_deref());
    let phone = customer.phone.as_deref().filter(|phone| phone.starts_with('+'));
    payment.optional_string("telephoneNumber", phone);
    // Adyen wants all of it or nothing.
    if let (Some(browser), Some(user_agent)) = (&customer.browser, &customer.user_agent) {
        payment.object("browserInfo", |info| {
            info.string("acceptHeader", &browser.accept);
            info.integer("colorDepth", browser.color_depth.into());
            info.boolean("javaEnabled", browser.java);
            info.boolean("javaScriptEnabled", browser.java_script);
            info.string("language", &browser.language);
            info.integer("screenHeight", browser.screen_height.into());
            info.integer("screenWidth", browser.screen_width.into());
            info.signed("timeZoneOffset", browser.timezone_offset_minutes.into());
            info.string("userAgent", user_agent);
        });
    }
}

/// Whether the text may stand on a statement; any other is for the merchant's eyes alone, and Adyen would refuse it.
fn fits_statement(text: &str) -> bool {
    (1..=STATEMENT_MAX_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" .,'_-?+*/".contains(&byte))
}

/// Adyen's word for the reason, where the merchant's is one that it has.
fn refund_reason(reason: &str) -> Option<&'static str> {
    const REASONS: [(&str, &str); 7] = [
        ("fraud", "FRAUD"),
        ("fraudulent", "FRAUD"),
        ("customer request", "CUSTOMER REQUEST"),
        ("requested_by_customer", "CUSTOMER REQUEST"),
        ("return", "RETURN"),
        ("duplicate", "DUPLICATE"),
        ("other", "OTHER"),
    ];
    REASONS.iter().find(|(known, _)| reason.eq_ignore_ascii_case(known)).map(|(_, word)| *word)
}
