//! One item of a webhook as it came, and what its signature is made over.
//!
//! It is read leniently: Adyen's JSON has had numbers and booleans as texts and as themselves, and members that are null
//! or missing. An item that were refused for its shape would hold up all behind it, so shapes are no reason to refuse one.

use interlock_connector::types::{Failure, Money};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::currency::Amount;

/// An item, as far as it is needed. All but `reason` and `additional_data` is signed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    #[serde(default, deserialize_with = "text")]
    pub psp_reference: String,
    /// The payment's, where the item is about a change to it; else empty.
    #[serde(default, deserialize_with = "text")]
    pub original_reference: String,
    #[serde(default, deserialize_with = "text")]
    pub merchant_account_code: String,
    #[serde(default, deserialize_with = "text")]
    pub merchant_reference: String,
    #[serde(default, deserialize_with = "or_empty")]
    amount: Told,
    #[serde(default, deserialize_with = "text")]
    pub event_code: String,
    /// `true` or `false`.
    #[serde(default, deserialize_with = "text")]
    pub success: String,
    #[serde(default, deserialize_with = "text")]
    pub reason: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub additional_data: AdditionalData,
}

/// An amount as it is told; what is no number is still signed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    #[serde(deserialize_with = "text")]
    value: String,
    #[serde(deserialize_with = "text")]
    currency: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct AdditionalData {
    #[serde(rename = "hmacSignature", deserialize_with = "text")]
    hmac_signature: String,
    #[serde(rename = "authCode", deserialize_with = "text")]
    pub auth_code: String,
    #[serde(rename = "networkTxReference", deserialize_with = "text")]
    pub network_tx_reference: String,
    #[serde(rename = "refusalReasonRaw", deserialize_with = "text")]
    pub refusal_reason_raw: String,
    /// What a cancel-or-refund has come to: `cancel` or `refund`.
    #[serde(rename = "modification.action", deserialize_with = "text")]
    pub modification_action: String,
}

impl Item {
    /// Adyen repeats an item under the same three. A capture that failed and was made again comes under those of the
    /// first: only its reason tells it apart.
    pub fn event_id(&self) -> String {
        let again = if self.is_recapture() { ":recaptured" } else { "" };
        [&self.psp_reference, ":", &self.event_code, ":", &self.success, again].concat()
    }

    fn is_recapture(&self) -> bool {
        self.event_code == "CAPTURE"
            && matches!(self.reason.as_str(), "Transaction Recaptured" | "Transaction Auto-recaptured")
    }

    /// None where there is none.
    pub fn signature(&self) -> Option<&str> {
        some(&self.additional_data.hmac_signature)
    }

    /// What the signature is made over.
    /// <https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures>
    pub fn signed_text(&self) -> String {
        self.signed_texts().join(":")
    }

    /// Whether one of the signed texts could be two.
    pub fn is_ambiguous(&self) -> bool {
        self.signed_texts().iter().any(|text| text.contains(':'))
    }

    fn signed_texts(&self) -> [&str; 8] {
        [
            &self.psp_reference,
            &self.original_reference,
            &self.merchant_account_code,
            &self.merchant_reference,
            &self.amount.value,
            &self.amount.currency,
            &self.event_code,
            &self.success,
        ]
    }

    /// The amount as Interlock counts it.
    pub fn money(&self) -> Result<Money, Failure> {
        let value = self.amount.value.parse().map_err(|_| Failure::new("it names no amount"))?;
        Amount { value, currency: self.amount.currency.clone() }.money()
    }

    /// The payment's reference at Adyen.
    pub fn payment(&self) -> &str {
        some(&self.original_reference).unwrap_or(&self.psp_reference)
    }
}

/// The text; none for an empty one.
pub fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A text, or what else stands there as one; nothing for null and for what has members.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    })
}

/// An object's members; nothing for what is no object.
fn or_empty<'de, D: Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(if value.is_object() { serde_json::from_value(value).unwrap_or_default() } else { T::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Item {
        serde_json::from_str(json).unwrap()
    }

    /// Whatever the shape, the same text is signed.
    #[test]
    fn numbers_and_booleans_are_read_as_their_texts() {
        let usual = r#"{"pspReference":"A","originalReference":"B","merchantAccountCode":"M","merchantReference":"op_1",
            "amount":{"value":1250,"currency":"EUR"},"eventCode":"CAPTURE","success":"true"}"#;
        let odd = r#"{"pspReference":"A","originalReference":"B","merchantAccountCode":"M","merchantReference":"op_1",
            "amount":{"value":"1250","currency":"EUR"},"eventCode":"CAPTURE","success":true}"#;
        assert_eq!(read(usual).signed_text(), "A:B:M:op_1:1250:EUR:CAPTURE:true");
        assert_eq!(read(odd).signed_text(), read(usual).signed_text());
        assert_eq!(read(odd).money().unwrap(), Money::new(1250, "EUR"));
    }

    #[test]
    fn what_is_missing_or_null_is_empty() {
        let item = read(r#"{"pspReference":"A","eventCode":"REPORT_AVAILABLE","amount":null,"additionalData":null}"#);
        assert_eq!(item.signed_text(), "A::::::REPORT_AVAILABLE:");
        assert!(item.signature().is_none() && item.money().is_err());
        assert_eq!(item.payment(), "A");
        let nested = read(r#"{"additionalData":{"hmacSignature":{}},"amount":[1],"success":[]}"#);
        assert_eq!((nested.signature(), nested.signed_text().as_str()), (None, ":::::::"));
    }
}
