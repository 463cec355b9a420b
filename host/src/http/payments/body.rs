//! The bodies of `POST /v1/payments` and `POST /v1/payments/{id}/confirm`, read into what the flows take.

use serde_json::Value;

use super::method::{self, Month};
use crate::{
    connector::types::Customer,
    domain::{
        id::{GatewayAccountId, OrderId},
        money::{AMOUNT_MAX_MINOR, Money},
        payment::CaptureMethod,
    },
    flow::{Confirmation, Fault, NewPayment},
    http::json::{Fields, kinds, read},
};

const DESCRIPTION_MAX_CHARACTERS: usize = 1_000;
const METADATA_ENTRIES_MAX: usize = 50;
const METADATA_NAME_MAX_CHARACTERS: usize = 40;
const METADATA_VALUE_MAX_CHARACTERS: usize = 500;
const PARAMETERS_MAX: usize = 100;
const PARAMETER_NAME_MAX_CHARACTERS: usize = 100;
/// A challenge's answer is a few thousand characters of base64.
const PARAMETER_MAX_CHARACTERS: usize = 32_768;

/// `POST /v1/payments`
pub fn new_payment(body: &Value, now: Month) -> Result<NewPayment, Vec<Fault>> {
    read(body, |fields| {
        let amount = fields.required("amount", kinds::whole(1..=AMOUNT_MAX_MINOR));
        let currency = fields.required("currency", kinds::currency);
        let confirm = fields.optional("confirm", kinds::flag).unwrap_or(false);
        if confirm && !fields.has("payment_method") {
            fields.fault("payment_method", "is required where `confirm` is true");
        }
        let method = fields.nested("payment_method", |fields| method::method(fields, now));
        let capture_method: Option<CaptureMethod> =
            fields.optional("capture_method", kinds::word(&["automatic", "manual"]));
        let order = fields.optional("order", kinds::id::<OrderId>);
        let description = fields.optional("description", kinds::text(1..=DESCRIPTION_MAX_CHARACTERS));
        let metadata = metadata(fields);
        let return_url = fields.optional("return_url", kinds::web_url);
        let gateway_account = fields.optional("gateway_account", kinds::id::<GatewayAccountId>);
        let customer = fields.nested("customer", method::customer);
        let (customer, country) = customer.unwrap_or_else(|| (Customer::default(), None));
        let money = match Money::to_move(amount?, currency?) {
            Ok(money) => money,
            Err(fault) => {
                fields.fault("amount", fault.to_string());
                return None;
            }
        };
        Some(NewPayment {
            money,
            capture_method: capture_method.unwrap_or(CaptureMethod::Automatic),
            method,
            confirm,
            order,
            description,
            metadata,
            return_url,
            gateway_account,
            customer,
            country,
        })
    })
}

/// `POST /v1/payments/{id}/confirm`
pub fn confirmation(body: &Value, now: Month) -> Result<Confirmation, Vec<Fault>> {
    read(body, |fields| {
        Some(Confirmation {
            method: fields.nested("payment_method", |fields| method::method(fields, now)),
            order: fields.optional("order", kinds::id::<OrderId>),
            return_url: fields.optional("return_url", kinds::web_url),
            gateway_account: fields.optional("gateway_account", kinds::id::<GatewayAccountId>),
            parameters: fields.entries("parameters", PARAMETERS_MAX, |name, value| {
                check_name(name, PARAMETER_NAME_MAX_CHARACTERS)?;
                kinds::text(0..=PARAMETER_MAX_CHARACTERS)(value)
            }),
        })
    })
}

/// Names and texts of the merchant's own.
pub fn metadata(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    let entries = fields.entries("metadata", METADATA_ENTRIES_MAX, |name, value| {
        check_name(name, METADATA_NAME_MAX_CHARACTERS)?;
        kinds::text(0..=METADATA_VALUE_MAX_CHARACTERS)(value)
    });
    entries.unwrap_or_default()
}

fn check_name(name: &str, characters_max: usize) -> Result<(), String> {
    kinds::check_text(name, &(1..=characters_max)).map_err(|why| format!("the name {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Month = (2030, 6);

    fn faults(body: &Value) -> Vec<String> {
        let told = new_payment(body, NOW).err().unwrap_or_default();
        told.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn the_least_payment_takes_the_defaults() {
        let payment = new_payment(&json!({"amount": 1250, "currency": "EUR"}), NOW).ok().unwrap();
        assert_eq!((payment.money.minor(), payment.money.currency().code()), (1250, "EUR"));
        assert_eq!(payment.capture_method, CaptureMethod::Automatic);
        assert!(!payment.confirm && payment.method.is_none() && payment.metadata.is_empty());
    }

    #[test]
    fn every_fault_has_its_pointer() {
        let body = json!({
            "amount": 0, "currency": "eur", "confirm": "yes", "capture_method": "later", "order": "ord_1",
            "description": "", "metadata": {"": "x", "n": 5}, "return_url": "shop", "gateway_account": "pay_1",
            "customer": {"email": 1}, "ammount": 5,
        });
        insta::assert_snapshot!(faults(&body).join("\n"), @r"
        /amount: must be at least 1
        /currency: must be three capital letters, as in `EUR`
        /confirm: must be true or false, not a string
        /capture_method: must be one of: automatic, manual
        /order: is not an id: `ord_` must be followed by 26 characters of lower-case base32
        /description: must not be empty
        /metadata/: the name must not be empty
        /metadata/n: must be a string, not a number
        /return_url: is not an absolute URL: relative URL without a base
        /gateway_account: is not an id: an id that begins with `gwa_` is needed here
        /customer/email: must be a string, not a number
        /ammount: is not known here; did you mean `amount`?
        ");
    }

    #[test]
    fn currencies_are_those_that_money_is_paid_in() {
        for refused in ["XXX", "XTS", "XAU", "ABC", "EU", "EURO", "usd"] {
            assert_eq!(faults(&json!({"amount": 1, "currency": refused})).len(), 1, "{refused}");
        }
        assert_eq!(faults(&json!({"amount": 1, "currency": 978})), ["/currency: must be a string, not a number"]);
    }

    #[test]
    fn to_confirm_needs_a_method() {
        assert_eq!(
            faults(&json!({"amount": 1, "currency": "EUR", "confirm": true})),
            ["/payment_method: is required where `confirm` is true"]
        );
    }

    #[test]
    fn metadata_is_bounded() {
        let many: serde_json::Map<_, _> = (0..51).map(|n| (n.to_string(), json!("x"))).collect();
        let body = |metadata: Value| json!({"amount": 1, "currency": "EUR", "metadata": metadata});
        assert_eq!(faults(&body(many.into())), ["/metadata: must have at most 50 entries, not 51"]);
        assert_eq!(faults(&body(json!({"x".repeat(41): "x"}))).len(), 1);
        assert_eq!(faults(&body(json!({"x": "x".repeat(501)}))).len(), 1);
        assert!(faults(&body(json!({"x".repeat(40): "ä".repeat(500)}))).is_empty());
    }

    #[test]
    fn a_confirmation_may_be_empty_and_may_bring_parameters() {
        let empty = confirmation(&json!({}), NOW).ok().unwrap();
        assert!(empty.method.is_none() && empty.parameters.is_none());
        let back = confirmation(&json!({"parameters": {"cres": "abc"}}), NOW).ok().unwrap();
        assert_eq!(back.parameters, Some(vec![("cres".to_owned(), "abc".to_owned())]));
        assert!(confirmation(&json!({"amount": 5}), NOW).is_err());
        assert!(confirmation(&json!({"parameters": {"a": 1}}), NOW).is_err());
    }
}
