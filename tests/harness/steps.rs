//! What tests of operations do again and again: a payment brought to where the test begins, and one step further.

use serde_json::{Value, json};

use super::{Answer, Caller, Door, Gateway, Merchant, World, bodies, eventually};

impl Caller {
    /// A payment with this card, of this amount, taken at once or held, confirmed under `key`.
    pub async fn pay(&self, key: &str, number: &str, amount: i64, capture_method: &str) -> Answer {
        let changes = json!({ "amount": amount, "capture_method": capture_method });
        self.post("/v1/payments", key, &bodies::with(bodies::payment(number), &changes)).await
    }

    /// The id of a payment that has succeeded.
    pub async fn paid(&self, key: &str, amount: i64) -> String {
        let answer = self.pay(key, bodies::GOOD, amount, "automatic").await.expect(201);
        assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
        answer.id()
    }

    /// The id of a payment whose money is held.
    pub async fn held(&self, key: &str, amount: i64) -> String {
        let answer = self.pay(key, bodies::GOOD, amount, "manual").await.expect(201);
        assert_eq!(answer.payment_status(), "authorized", "{}", answer.text());
        answer.id()
    }

    /// A payment that waits for its customer at the gateway's page.
    pub async fn challenged(&self, key: &str, amount: i64, capture_method: &str) -> Answer {
        let answer = self.pay(key, bodies::CHALLENGED, amount, capture_method).await.expect(201);
        assert_eq!(answer.payment_status(), "requires_action", "{}", answer.text());
        answer
    }

    /// `POST /v1/payments/{id}/{verb}`
    pub async fn step(&self, id: &str, verb: &str, key: &str, body: &Value) -> Answer {
        self.post(&format!("/v1/payments/{id}/{verb}"), key, body).await
    }

    /// The payment as it is now.
    pub async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/v1/payments/{id}")).await.expect(200).json
    }

    /// Waits until the payment is as `wanted` has it, member by member.
    pub async fn payment_has(&self, id: &str, wanted: &Value) -> Value {
        eventually(&format!("{id} has {wanted}"), async || {
            let payment = self.payment(id).await;
            let has = wanted.as_object().is_some_and(|wanted| {
                wanted.iter().all(|(name, value)| payment.get(name).unwrap_or(&Value::Null) == value)
            });
            if has { Ok(payment) } else { Err(payment.to_string()) }
        })
        .await
    }

    /// The refund as it is now.
    pub async fn refund(&self, id: &str) -> Value {
        self.get(&format!("/v1/refunds/{id}")).await.expect(200).json
    }

    /// Waits until the refund has this status.
    pub async fn refund_becomes(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), async || {
            let refund = self.refund(id).await;
            if refund["status"] == status { Ok(refund) } else { Err(refund.to_string()) }
        })
        .await
    }

    /// The states that the payment went through, each once however much happened in it.
    pub async fn states(&self, id: &str) -> Vec<String> {
        let trail = self.get(&format!("/v1/payments/{id}/events")).await.expect(200).json;
        let lines = trail["data"].as_array().cloned().unwrap_or_default();
        let mut states: Vec<_> = lines.iter().map(|line| line["to"].as_str().unwrap_or_default().to_owned()).collect();
        states.dedup();
        states
    }
}

impl World {
    /// One step of a payment under a fresh key, at the first host.
    pub async fn step(&self, id: &str, verb: &str, body: &Value) -> Answer {
        self.on(0).step(id, verb, &self.fresh_key(), body).await
    }

    /// An address that leads to whichever host is up, and to which the gateway sends this merchant's webhooks.
    pub async fn listen(&self, merchant: &Merchant) -> Door {
        self.listen_at(&merchant.account, self.gateway.merchant).await
    }

    /// The same for the account that signs in to the gateway with this key.
    pub async fn listen_at(&self, account: &str, api_key: &str) -> Door {
        self.listen_to(self.gateway, account, &json!({ "api_key": api_key })).await
    }

    /// The same for an account at this gateway, with changes to what the gateway is told.
    pub async fn listen_to(&self, gateway: &Gateway, account: &str, changes: &Value) -> Door {
        let door = Door::open(self.addresses()).await;
        let url = format!("{}/webhooks/{account}", door.url);
        self.simulator.control("/__webhooks", &bodies::with(gateway.target(&url), changes)).await;
        door
    }

    /// The types of the events about an object, in their order. Their sequence must have no gap.
    pub async fn events_of(&self, object: &str) -> Vec<String> {
        let rows = self
            .db_texts(&format!(
                "select sequence || ' ' || type from outbox where aggregateid = '{object}' order by sequence"
            ))
            .await;
        let numbered = rows.iter().enumerate().map(|(place, row)| {
            let (sequence, kind) = row.split_once(' ').expect("a number and a type");
            assert_eq!(sequence, (place + 1).to_string(), "{rows:?}");
            kind.to_owned()
        });
        numbered.collect()
    }

    /// The reasons of the reviews about a payment, oldest first.
    pub async fn reviews_of(&self, payment: &str) -> Vec<String> {
        let id: interlock::domain::id::PaymentId = payment.parse().expect("a payment's id");
        let id = id.uuid();
        self.db_texts(&format!("select reason from reviews where payment_id = '{id}' order by opened_at")).await
    }

    /// The public ids of a payment's operations of one kind, oldest first.
    pub async fn operations_of(&self, payment: &str, kind: &str) -> Vec<String> {
        let id: interlock::domain::id::PaymentId = payment.parse().expect("a payment's id");
        let rows = self
            .db_texts(&format!(
                "select operation_id::text from operations where payment_id = '{}' and kind = '{kind}' order by created_at",
                id.uuid()
            ))
            .await;
        rows.iter()
            .map(|row| interlock::domain::id::OperationId::from_uuid(row.parse().expect("an id")).to_string())
            .collect()
    }
}
