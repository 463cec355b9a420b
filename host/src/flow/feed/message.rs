//! An event of the log as the message that a sink publishes.

use serde::Deserialize;

use crate::{
    domain::id::{EventId, MerchantId},
    sink::Message,
    store::outbox::Event,
};

/// The one event that is not for streams: a merchant asks for it, for one endpoint alone.
const TEST: &str = "webhook_endpoint.test";

/// The message; none for what no stream is to have.
pub(super) fn of(event: Event) -> Option<Message> {
    (event.kind != TEST).then(|| Message {
        id: EventId::from_uuid(event.cursor.id).to_string(),
        key: key(&event.about, event.about_id, &event.payload),
        kind: event.kind,
        merchant: MerchantId::from_uuid(event.merchant_id).to_string(),
        body: event.payload,
    })
}

/// What messages are kept in order by: of a refund its payment, so that all about a payment is in one place, and else
/// what the event is about.
fn key(about: &str, about_id: String, payload: &str) -> String {
    #[derive(Deserialize)]
    struct Payload {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        payment: Option<String>,
    }
    let payment = || serde_json::from_str::<Payload>(payload).ok()?.data.object.payment;
    let payment = if about == "refund" { payment() } else { None };
    payment.unwrap_or(about_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_goes_by_its_payment() {
        let payload = r#"{"id":"evt_1","data":{"object":{"id":"op_1","payment":"pay_1"}}}"#;
        let key = |about, about_id: &str, payload| key(about, about_id.to_owned(), payload);
        assert_eq!(key("refund", "op_1", payload), "pay_1");
        assert_eq!(key("payment", "pay_2", payload), "pay_2");
        assert_eq!(key("order", "ord_1", payload), "ord_1");
        assert_eq!(key("refund", "op_1", "{}"), "op_1");
    }
}
