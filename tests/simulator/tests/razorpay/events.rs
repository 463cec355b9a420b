//! What the face of Razorpay tells: events, signed.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Merchant, WEBHOOK_SECRET, card, mac, names, told};
use crate::receiver::Webhook;

/// Signed over the body alone; the event's id stands outside. Each event is a snapshot.
#[tokio::test]
async fn a_capture_at_once_is_told_in_three_signed_events() {
    let (merchant, receiver) = Merchant::told().await;
    merchant.paid("op_1", "automatic").await;
    let webhooks = receiver.wait_for(3).await;
    assert_eq!(
        told(&webhooks),
        names(&[("order.paid", "captured"), ("payment.authorized", "authorized"), ("payment.captured", "captured")])
    );
    let mut ids = std::collections::BTreeSet::new();
    for webhook in &webhooks {
        assert_eq!(webhook.headers["x-razorpay-signature"], mac(WEBHOOK_SECRET, &webhook.bytes));
        assert!(ids.insert(webhook.headers["x-razorpay-event-id"].to_str().unwrap().to_owned()));
    }
    let paid = webhooks.iter().map(Webhook::json).find(|body| body["event"] == "order.paid").unwrap();
    assert_eq!(paid["payload"]["order"]["entity"]["receipt"], "op_1");
}

#[tokio::test]
async fn refunds_and_declines_are_told() {
    let (merchant, receiver) = Merchant::told().await;
    let id = merchant.paid("op_1", "automatic").await;
    receiver.wait_for(3).await;
    merchant.world.faults(json!({"times": 1, "fault": {"pending": {"ms": 20}}})).await;
    let pending = merchant.refund(&id, "op_refund_1", json!({"amount": 300, "receipt": "op_refund_1"})).await.json();
    assert_eq!(pending["status"], "pending");
    let webhooks = receiver.wait_for(5).await;
    assert_eq!(told(&webhooks[3..]), names(&[("refund.created", "pending"), ("refund.processed", "processed")]));
    merchant.world.faults(json!({"times": 1, "fault": {"refund_fails_later": {"ms": 20}}})).await;
    merchant.refund(&id, "op_refund_2", json!({"amount": 300, "receipt": "op_refund_2"})).await;
    let webhooks = receiver.wait_for(8).await;
    assert_eq!(
        told(&webhooks[5..]),
        names(&[("refund.created", "processed"), ("refund.failed", "failed"), ("refund.processed", "processed")])
    );
    merchant.pay("op_2", "automatic", card("4000000000000002")).await;
    assert_eq!(told(&receiver.wait_for(9).await[8..]), names(&[("payment.failed", "failed")]));
}

/// Failed for want of an answer, and authorized later: as Razorpay does for three days.
#[tokio::test]
async fn a_failed_payment_may_be_authorized_late() {
    let (merchant, receiver) = Merchant::told().await;
    let failed = merchant.pay("op_1", "manual", card("4000000000000259")).await.json();
    let id = failed["error"]["metadata"]["payment_id"].as_str().unwrap().to_owned();
    receiver.wait_for(1).await;
    merchant.world.post("/__settle", "", json!({"reference": "op_1"})).await;
    let webhooks = receiver.wait_for(2).await;
    assert_eq!(told(&webhooks), names(&[("payment.authorized", "authorized"), ("payment.failed", "failed")]));
    let payment = merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!((&payment["status"], &payment["error_reason"]), (&json!("authorized"), &Value::Null));
}

/// Nobody captured it in time: Razorpay gives it back by a refund that nobody asked for.
#[tokio::test]
async fn what_nobody_captures_is_given_back() {
    let (merchant, receiver) = Merchant::told().await;
    let id = merchant.paid("op_1", "manual").await;
    receiver.wait_for(1).await;
    let lapsed = merchant.world.call(Method::POST, &format!("/razorpay/__lapse/{id}"), "", &Value::Null).await;
    assert_eq!(lapsed.status, 200);
    let webhooks = receiver.wait_for(3).await;
    assert_eq!(told(&webhooks[1..]), names(&[("refund.created", "processed"), ("refund.processed", "processed")]));
    let body = webhooks[1].json();
    let (refund, payment) = (&body["payload"]["refund"]["entity"], &body["payload"]["payment"]["entity"]);
    assert_eq!(
        (&refund["receipt"], &refund["payment_id"], &refund["amount"]),
        (&Value::Null, &json!(id), &json!(1000))
    );
    assert_eq!((&payment["captured"], &payment["status"]), (&json!(false), &json!("refunded")));
    let capture =
        merchant.post(&format!("/v1/payments/{id}/capture"), json!({"amount": 1000, "currency": "INR"})).await;
    assert_eq!(
        capture.json()["error"]["description"],
        "Only payments which have been authorized and not yet captured can be captured"
    );
    assert_eq!(merchant.world.ledger().await["totals"]["INR"]["held"], 0);
    assert_eq!(merchant.world.call(Method::POST, "/razorpay/__lapse/pay_0", "", &Value::Null).await.status, 404);
}
