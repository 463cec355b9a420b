//! The request that makes a payment and charges it.

use interlock_connector::request::Form;
use interlock_connector::types::{
    Authorize, CaptureMethod, Context, Failure, Operation, Pairs, PaymentMethod, Request, Segment,
};

use crate::ask;

/// What Stripe takes of one entry of metadata: bytes of a name, characters of a value.
const NAME_MAX_BYTES: usize = 40;
const VALUE_MAX_CHARS: usize = 500;
/// Entries of the merchant's, of the 50 that Stripe takes.
const ENTRIES_MAX: usize = 40;
/// How the names of our own entries begin.
const OURS: &str = "interlock_";

/// `POST /v1/payment_intents`, confirmed at once, of an `amount` in Stripe's unit.
pub fn create(ctx: &Context, operation: &Operation, asked: &Authorize, amount: u64) -> Result<Request, Failure> {
    let manual = asked.capture == CaptureMethod::Manual;
    let form = Form::new()
        .integer("amount", amount)
        .field("currency", asked.amount.currency.to_ascii_lowercase())
        .field("confirm", "true")
        .field("capture_method", if manual { "manual" } else { "automatic" })
        // Whatever the dashboard allows besides: nothing else is read here.
        .field("allowed_payment_method_types[0]", "card")
        .field("payment_method_options[card][request_three_d_secure]", ctx.required("three_d_secure")?);
    let form = if manual && multicapture(ctx) {
        form.field("payment_method_options[card][request_multicapture]", "if_available")
    } else {
        form
    };
    let form = method(form, asked);
    let form = match asked.return_url.as_deref() {
        Some(url) => form.field("return_url", url),
        // Nowhere to come back to: a payment that wants the customer is declined, not left lying.
        None => form.field("error_on_requires_action", "true"),
    };
    let form = form
        .optional_field("description", asked.description.as_deref())
        .field(ask::OPERATION, operation.id.as_str())
        .field(ask::PAYMENT, operation.payment_id.as_str())
        .optional_field("metadata[order_reference]", asked.order_reference.as_deref().filter(|text| fits(text)));
    let form = notes(form, &asked.metadata);
    ask::write(ctx, operation, "/v1/payment_intents", ask::expanded(form))
}

/// Whether authorizations are asked for that can be captured several times.
pub fn multicapture(ctx: &Context) -> bool {
    ctx.setting("multicapture") == Some("if_available")
}

fn method(form: Form, asked: &Authorize) -> Form {
    match &asked.method {
        PaymentMethod::Card(card) => {
            let form = form
                .field("payment_method_data[type]", "card")
                .field("payment_method_data[card][number]", Segment::CardNumber)
                .field("payment_method_data[card][exp_month]", Segment::CardExpiryMonth)
                .field("payment_method_data[card][exp_year]", Segment::CardExpiryYear);
            let form = if card.has_cvc { form.field("payment_method_data[card][cvc]", Segment::CardCvc) } else { form };
            let form = if card.has_holder {
                form.field("payment_method_data[billing_details][name]", Segment::CardHolder)
            } else {
                form.optional_field("payment_method_data[billing_details][name]", asked.customer.name.as_deref())
            };
            billing(form, asked)
        }
        PaymentMethod::Wallet(_) => billing(
            form.field("payment_method_data[type]", "card")
                .field("payment_method_data[card][token]", Segment::WalletToken)
                .optional_field("payment_method_data[billing_details][name]", asked.customer.name.as_deref()),
            asked,
        ),
        PaymentMethod::GatewayToken => {
            // One that belongs to a customer of Stripe's is charged with that customer or not at all.
            let customer = asked.customer.reference.as_deref().filter(|reference| reference.starts_with("cus_"));
            form.field("payment_method", Segment::GatewayToken).optional_field("customer", customer)
        }
        // The descriptor has no such method, so it is never asked for.
        PaymentMethod::Upi(_) => form,
    }
}

fn billing(form: Form, asked: &Authorize) -> Form {
    form.optional_field("payment_method_data[billing_details][email]", asked.customer.email.as_deref())
        .optional_field("payment_method_data[billing_details][phone]", asked.customer.phone.as_deref())
}

/// The merchant's notes, as far as Stripe takes them: a payment is worth more than its notes.
fn notes(form: Form, metadata: &Pairs) -> Form {
    let taken: Pairs = metadata
        .iter()
        .filter(|(name, value)| {
            (1..=NAME_MAX_BYTES).contains(&name.len())
                && !name.contains(['[', ']'])
                && !name.starts_with(OURS)
                && name != "order_reference"
                && fits(value)
        })
        .take(ENTRIES_MAX)
        .cloned()
        .collect();
    form.pairs("metadata", &taken)
}

/// An empty value would unset the entry.
fn fits(value: &str) -> bool {
    !value.is_empty() && value.chars().count() <= VALUE_MAX_CHARS
}
