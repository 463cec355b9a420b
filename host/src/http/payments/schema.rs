//! The bodies of payments as the documentation shows them. They are read by [`super::body`] and [`super::method`], which
//! tell every fault at once; a test holds the two against each other.

#![expect(dead_code, reason = "these types are read by the documentation alone")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// A new payment.
#[derive(ToSchema)]
pub struct CreatePayment {
    /// In the currency's minor unit: 1 to 999999999999.
    #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 10_000)]
    amount: i64,
    /// ISO 4217, capitals.
    #[schema(example = "USD")]
    currency: String,
    /// Needed where `confirm` is true.
    payment_method: Option<PaymentMethodInput>,
    /// `automatic` (the default) or `manual`
    #[schema(example = "automatic")]
    capture_method: Option<String>,
    /// Try to pay at once; else `POST /v1/payments/{id}/confirm` does.
    #[schema(default = false)]
    confirm: Option<bool>,
    /// `ord_…`: what is being paid for.
    order: Option<String>,
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// At most 50 entries; names of 1 to 40 characters, values of at most 500.
    metadata: Option<BTreeMap<String, String>>,
    /// Where a redirect brings the customer back to: http or https.
    #[schema(max_length = 2048)]
    return_url: Option<String>,
    /// `gwa_…`: the only account that may take it. Else the accounts are tried in their order.
    gateway_account: Option<String>,
    customer: Option<CustomerInput>,
}

/// What a confirm may bring; all of it is optional.
#[derive(ToSchema)]
pub struct ConfirmPayment {
    /// Else the method that the payment was created with.
    payment_method: Option<PaymentMethodInput>,
    /// `ord_…`
    order: Option<String>,
    #[schema(max_length = 2048)]
    return_url: Option<String>,
    /// `gwa_…`
    gateway_account: Option<String>,
    /// What the customer's browser brought back from an action.
    parameters: Option<BTreeMap<String, String>>,
}

/// How the customer pays: the type, and the one field that goes with it.
#[derive(ToSchema)]
pub struct PaymentMethodInput {
    /// `card`, `upi`, `wallet` or `gateway_token`
    #[schema(example = "card")]
    r#type: String,
    /// `tok_…`: a card that the vault already holds.
    token: Option<String>,
    card: Option<CardInput>,
    upi: Option<UpiMethodInput>,
    wallet: Option<WalletInput>,
    /// A token that the gateway's own browser library made.
    gateway_token: Option<String>,
}

/// A card. It goes through the vault and is never shown again.
#[derive(ToSchema)]
pub struct CardInput {
    /// May be grouped by spaces or dashes.
    #[schema(example = "4242424242424242")]
    number: String,
    #[schema(minimum = 1, maximum = 12, example = 12)]
    expiry_month: i64,
    /// Four digits.
    #[schema(example = 2030)]
    expiry_year: i64,
    #[schema(example = "123")]
    cvc: Option<String>,
    #[schema(max_length = 100)]
    holder: Option<String>,
}

/// One of the three ways of UPI.
#[derive(ToSchema)]
pub struct UpiMethodInput {
    /// `collect`, `intent` or `qr`
    flow: String,
    /// With `collect`: the address that is asked to approve, as in `name@bank`.
    vpa: Option<String>,
}

/// A wallet; without a token the customer is redirected.
#[derive(ToSchema)]
pub struct WalletInput {
    #[schema(example = "apple_pay")]
    provider: String,
    token: Option<String>,
}

/// Who pays.
#[derive(ToSchema)]
pub struct CustomerInput {
    /// The merchant's own name for the customer.
    reference: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    /// IPv4 or IPv6.
    ip: Option<String>,
    user_agent: Option<String>,
    /// ISO 3166-1 alpha-2, capitals. Routing rules may ask for it; gateways do not get it.
    #[schema(example = "DE")]
    country: Option<String>,
    browser: Option<BrowserInput>,
}

/// What 3-D Secure asks of a browser.
#[derive(ToSchema)]
pub struct BrowserInput {
    accept: String,
    language: String,
    color_depth: i64,
    screen_height: i64,
    screen_width: i64,
    timezone_offset_minutes: i64,
    java: Option<bool>,
    java_script: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        super::{body, method},
        *,
    };
    use crate::http::{docs, json::read};

    const NOW: method::Month = (2030, 6);

    /// What is documented is what is read, field by field.
    #[test]
    fn the_documentation_names_the_fields_that_are_read() {
        docs::assert_reads::<CreatePayment>(|value| body::new_payment(value, NOW).err());
        docs::assert_reads::<ConfirmPayment>(|value| body::confirmation(value, NOW).err());
        docs::assert_reads::<CustomerInput>(|value| read(value, method::customer).err());
        docs::assert_reads::<CardInput>(|value| read(value, |fields| method::card(fields, NOW)).err());
        let inside = |outer: &'static str, value: &Value| {
            let whole = json!({"type": outer, outer: value});
            let faults = read(&whole, |fields| method::method(fields, NOW)).err()?;
            Some(docs::under(&format!("/{outer}"), faults))
        };
        docs::assert_reads::<UpiMethodInput>(|value| inside("upi", value));
        docs::assert_reads::<WalletInput>(|value| inside("wallet", value));
        docs::assert_reads::<BrowserInput>(|value| {
            let faults = read(&json!({"browser": value}), method::customer).err()?;
            Some(docs::under("/browser", faults))
        });
    }
}
