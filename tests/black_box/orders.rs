//! Orders: made, found, called off; and paid, by however many payments, never beyond their amount.

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, Caller, World, bodies, plain};
use serde_json::{Value, json};

/// An order of 1000 cents under this reference.
fn order(reference: &str) -> Value {
    json!({ "reference": reference, "amount": 1000, "currency": "EUR" })
}

/// Makes one, and tells its id.
async fn new_order(world: &World) -> String {
    world.post("/v1/orders", &world.fresh_key(), &order(&world.fresh_key())).await.expect(201).id()
}

/// The order as it is now.
async fn read(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/v1/orders/{id}")).await.expect(200).json
}

/// Status, and what is paid and given back.
async fn sums(world: &World, id: &str) -> (String, i64, i64) {
    let order = read(&world.on(0), id).await;
    let number = |name: &str| order[name].as_i64().unwrap();
    (order["status"].as_str().unwrap().to_owned(), number("amount_paid"), number("amount_refunded"))
}

/// What merchants were told of it, in order: each event with the status that the order had then.
async fn told(world: &World, id: &str) -> Vec<String> {
    let payloads = format!(
        "select payload from outbox where aggregatetype = 'order' and aggregateid = '{id}' order by outbox.sequence"
    );
    let events = world.db_texts(&payloads).await;
    let events = events.iter().enumerate().map(|(index, payload)| {
        let event: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(event["sequence"], index + 1);
        assert_eq!(event["data"]["object"]["id"], id);
        format!("{} {}", event["type"].as_str().unwrap(), event["data"]["object"]["status"].as_str().unwrap())
    });
    events.collect()
}

/// A payment of so much for the order, confirmed at once.
fn payment(order: &str, amount: i64) -> Value {
    bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": amount, "order": order }))
}

async fn pay(world: &World, order: &str, amount: i64) -> Answer {
    world.post("/v1/payments", &world.fresh_key(), &payment(order, amount)).await
}

async fn cancel(world: &World, id: &str) -> Answer {
    world.post(&format!("/v1/orders/{id}/cancel"), &world.fresh_key(), &json!({})).await
}

#[tokio::test]
async fn an_order_looks_like_this() {
    let world = World::start().await;
    let body = bodies::with(order("cart-17"), &json!({ "metadata": { "shelf": "3" } }));
    let made = world.post("/v1/orders", "k", &body).await.expect(201);
    insta::assert_json_snapshot!(plain(&made.json), @r#"
    {
      "amount": 1000,
      "amount_paid": 0,
      "amount_refunded": 0,
      "created_at": "…",
      "currency": "EUR",
      "id": "ord_…",
      "metadata": {
        "shelf": "3"
      },
      "object": "order",
      "reference": "cart-17",
      "status": "open",
      "updated_at": "…",
      "version": 1
    }
    "#);
    assert_eq!(read(&world.on(0), &made.id()).await, made.json);
    let payments = world.get(&format!("/v1/orders/{}/payments", made.id())).await.expect(200);
    assert_eq!(payments.json, json!({ "object": "list", "data": [], "next_cursor": null }));
}

/// The shop's connection breaks and it sends the same again; then a different order under the same key by mistake.
#[tokio::test]
async fn an_order_is_made_once_under_its_key() {
    let world = World::start().await;
    let made = world.post("/v1/orders", "k", &order("a")).await.expect(201);
    let again = world.post("/v1/orders", "k", &order("a")).await.expect(201);
    assert!(again.is_replay() && again.bytes == made.bytes);
    world.post("/v1/orders", "k", &order("b")).await.expect_problem(422, "idempotency_key_reused");
    world.on(0).post_plain("/v1/orders", &order("b")).await.expect_problem(400, "idempotency_key_missing");
    let wrong = world.post("/v1/orders", "k2", &json!({ "amount": 0, "currency": "XXX" })).await;
    let wrong = wrong.expect_problem(422, "invalid_request");
    assert_eq!(wrong.pointers(), ["/reference", "/amount", "/currency"]);
    assert_eq!(world.db_count("select count(*) from orders").await, 1);
}

/// A reference names one order of a merchant. What is refused stores nothing: the key can be used for what was meant.
#[tokio::test]
async fn a_reference_names_one_order() {
    let world = World::start().await;
    let first = world.post("/v1/orders", "a", &order("cart")).await.expect(201);
    let second = world.post("/v1/orders", "b", &order("cart")).await.expect_problem(409, "order_exists");
    assert!(second.json["detail"].as_str().unwrap().contains(&first.id()), "{}", second.text());
    world.post("/v1/orders", "b", &order("cart-2")).await.expect(201);
    let other = world.new_merchant("Other").await;
    world.of(&other).post("/v1/orders", "a", &order("cart")).await.expect(201);
}

/// Twenty workers of a shop make the same order, each under a key of its own: one of them does.
#[tokio::test]
async fn of_twenty_orders_with_one_reference_one_is_made() {
    let world = World::builder().hosts(2).start().await;
    let callers = [world.on(0), world.on(1)];
    let answers = join_all((0..20).map(|number| {
        let caller = callers[number % 2].clone();
        async move { caller.post("/v1/orders", &format!("worker-{number}"), &order("cart")).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "order_exists");
    }
    assert_eq!(world.db_count("select count(*) from idempotency_keys where key like 'worker-%'").await, 1);
}

/// Found by its reference, by its status, page by page; never by another merchant.
#[tokio::test]
async fn orders_are_found() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(
            world.post("/v1/orders", &world.fresh_key(), &order(&format!("cart {number}"))).await.expect(201).id(),
        );
    }
    cancel(&world, &ids[1]).await.expect(200);
    ids.reverse();
    let listed = async |query: &str| -> Vec<String> {
        let list = world.get(&format!("/v1/orders{query}")).await.expect(200).json;
        list["data"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("?reference=cart%202").await, [ids[2].clone()]);
    assert_eq!(listed("?reference=cart%202&status=cancelled").await, [""; 0]);
    assert_eq!(listed("?reference=cart").await, [""; 0]);
    assert_eq!(listed("?status=cancelled").await, [ids[3].clone()]);

    let page = world.get("/v1/orders?limit=2").await.expect(200).json;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&format!("?limit=3&cursor={cursor}")).await, ids[2..]);
    for wrong in ["?status=done", "?reference=", "?limit=0", "?cursor=pay_1", "?amount=5"] {
        world.get(&format!("/v1/orders{wrong}")).await.expect_problem(422, "invalid_request");
    }

    let other = world.of(&world.new_merchant("Other").await);
    assert_eq!(other.get("/v1/orders").await.expect(200).json["data"], json!([]));
    for path in [String::new(), "/payments".to_owned()] {
        other.get(&format!("/v1/orders/{}{path}", ids[0])).await.expect_problem(404, "not_found");
    }
    let foreign = other.post(&format!("/v1/orders/{}/cancel", ids[0]), "k", &json!({})).await;
    foreign.expect_problem(404, "not_found");
    world.get("/v1/orders/x").await.expect_problem(404, "not_found");
}

/// Called off once, told once, whoever asks and however often.
#[tokio::test]
async fn an_order_is_cancelled_once() {
    let world = World::builder().hosts(2).start().await;
    let id = new_order(&world).await;
    let path = format!("/v1/orders/{id}/cancel");
    world.post(&path, "x", &json!({ "reason": "why" })).await.expect_problem(422, "invalid_request");
    let callers = [world.on(0), world.on(1)];
    let answers = join_all((0..10).map(|number| {
        let (caller, path) = (callers[number % 2].clone(), path.clone());
        async move { caller.post(&path, &format!("worker-{number}"), &json!({})).await.expect(200) }
    }))
    .await;
    for answer in &answers {
        assert_eq!((&answer.json["status"], &answer.json["version"]), (&json!("cancelled"), &json!(2)));
    }
    let again = world.post(&path, "worker-0", &json!({})).await.expect(200);
    assert!(again.is_replay() && again.bytes == answers[0].bytes);
    assert_eq!(told(&world, &id).await, ["order.cancelled cancelled"]);
    world.post("/v1/orders/ord_00000000000000000000000000/cancel", "k", &json!({})).await.expect(404);
}

/// A payment holds its share. Whoever is refused holds no lock: the very next request finds the order as it is.
#[tokio::test]
async fn an_order_that_is_asked_for_is_not_cancelled() {
    let world = World::start().await;
    let id = new_order(&world).await;
    assert_eq!(world.db_run("update orders set amount_reserved = 1").await, 1);
    for _ in 0..3 {
        cancel(&world, &id).await.expect_problem(409, "order_not_cancelable");
    }
    assert_eq!(world.db_run("update orders set amount_reserved = 0").await, 1);
    assert_eq!(told(&world, &id).await, [""; 0]);
    cancel(&world, &id).await.expect(200);
}

/// Half by one card, half by another. A third payment finds nothing left, and no gateway hears of it.
#[tokio::test]
async fn two_payments_pay_one_order() {
    let world = World::start().await;
    let id = new_order(&world).await;
    let first = pay(&world, &id, 500).await.expect(201);
    assert_eq!((&first.json["status"], &first.json["order"]), (&json!("succeeded"), &json!(id)));
    assert_eq!(sums(&world, &id).await, ("partially_paid".to_owned(), 500, 0));
    pay(&world, &id, 501).await.expect_problem(409, "order_not_payable");
    let second = pay(&world, &id, 500).await.expect(201);
    assert_eq!(sums(&world, &id).await, ("paid".to_owned(), 1000, 0));
    pay(&world, &id, 1).await.expect_problem(409, "order_not_payable");
    cancel(&world, &id).await.expect_problem(409, "order_not_cancelable");
    assert_eq!(told(&world, &id).await, ["order.partially_paid partially_paid", "order.paid paid"]);
    assert_eq!(world.simulator.calls("POST").await, 2);

    let payments = world.get(&format!("/v1/orders/{id}/payments")).await.expect(200).json;
    let listed = payments["data"].as_array().unwrap();
    assert_eq!(
        listed.iter().map(|payment| &payment["id"]).collect::<Vec<_>>(),
        [&second.json["id"], &first.json["id"]]
    );
    for payment in listed {
        let attempts = world.attempts(payment["id"].as_str().unwrap()).await;
        assert_eq!(payment["attempts"].as_array().unwrap(), &attempts);
        assert_eq!((attempts.len(), &attempts[0]["status"]), (1, &json!("succeeded")));
    }
    let page = world.get(&format!("/v1/orders/{id}/payments?limit=1")).await.expect(200).json;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("/v1/orders/{id}/payments?cursor={cursor}")).await.expect(200).json;
    assert_eq!(rest["data"][0]["id"], first.json["id"]);
}

/// A payment of euros does not pay an order of euros that is another merchant's, nor one of dollars.
#[tokio::test]
async fn a_payment_fits_its_order() {
    let world = World::start().await;
    let id = new_order(&world).await;
    let dollars = bodies::with(payment(&id, 500), &json!({ "currency": "USD" }));
    world.post("/v1/payments", "usd", &dollars).await.expect_problem(422, "order_mismatch");
    let other = world.of(&world.new_merchant("Other").await);
    let foreign = other.post("/v1/payments", "k", &payment(&id, 500)).await.expect_problem(422, "invalid_request");
    assert_eq!(foreign.pointers(), ["/order"]);
    cancel(&world, &id).await.expect(200);
    pay(&world, &id, 500).await.expect_problem(409, "order_not_payable");
    assert!(world.simulator.charges().await.is_empty());
}

/// A payment keeps the order it was created with; one without takes the order that its confirm brings.
#[tokio::test]
async fn a_payment_does_not_change_its_order() {
    let world = World::start().await;
    let (own, another) = (new_order(&world).await, new_order(&world).await);
    let confirm = async |payment: &Answer, order: &str| {
        let body = json!({ "order": order, "payment_method": bodies::card(bodies::GOOD) });
        world.post(&format!("/v1/payments/{}/confirm", payment.id()), &world.fresh_key(), &body).await
    };
    let made = bodies::with(bodies::unconfirmed(), &json!({ "amount": 400, "order": own }));
    let made = world.post("/v1/payments", "a", &made).await.expect(201);
    confirm(&made, &another).await.expect_problem(422, "order_mismatch");
    // Nothing is reserved by a payment that nobody has confirmed.
    assert_eq!(world.db_count("select sum(amount_reserved)::bigint from orders").await, 0);
    assert_eq!(confirm(&made, &own).await.expect(200).json["order"], json!(own));
    assert_eq!(sums(&world, &own).await.1, 400);

    let free = bodies::with(bodies::unconfirmed(), &json!({ "amount": 400 }));
    let free = world.post("/v1/payments", "b", &free).await.expect(201);
    assert_eq!(confirm(&free, &another).await.expect(200).json["order"], json!(another));
    assert_eq!(sums(&world, &another).await, ("partially_paid".to_owned(), 400, 0));
}

/// A bank declines: the order is as if nothing had been, and another card pays it.
#[tokio::test]
async fn a_decline_gives_the_order_free() {
    let world = World::start().await;
    let id = new_order(&world).await;
    let declined = bodies::with(payment(&id, 1000), &json!({ "payment_method": bodies::card(bodies::DECLINES) }));
    assert_eq!(world.post("/v1/payments", "a", &declined).await.expect(201).payment_status(), "failed");
    assert_eq!(sums(&world, &id).await, ("open".to_owned(), 0, 0));
    assert_eq!(pay(&world, &id, 1000).await.expect(201).payment_status(), "succeeded");
    assert_eq!(told(&world, &id).await, ["order.paid paid"]);
}

/// The gateway took the money and its answer was lost. Until that is found out nobody else may pay the order.
#[tokio::test]
async fn an_order_stays_reserved_while_nobody_knows() {
    let world = World::start().await;
    let id = new_order(&world).await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let unknown = pay(&world, &id, 600).await.expect(202);
    assert_eq!(unknown.payment_status(), "pending_verification");
    assert_eq!(sums(&world, &id).await, ("open".to_owned(), 0, 0));
    pay(&world, &id, 600).await.expect_problem(409, "order_not_payable");
    cancel(&world, &id).await.expect_problem(409, "order_not_cancelable");
    assert_eq!(pay(&world, &id, 400).await.expect(201).payment_status(), "succeeded");

    let sync = format!("/v1/payments/{}/sync", unknown.id());
    world.post(&sync, "sync", &json!({})).await;
    world.payment_becomes(&unknown.id(), "succeeded").await;
    assert_eq!(sums(&world, &id).await, ("paid".to_owned(), 1000, 0));
    assert_eq!(told(&world, &id).await, ["order.partially_paid partially_paid", "order.paid paid"]);
}

/// Twenty customers at once for what ten can have: ten pay, and the gateway has exactly the order's amount.
#[tokio::test]
async fn payments_at_once_never_exceed_the_order() {
    let world = World::builder().hosts(2).start().await;
    let id = new_order(&world).await;
    let callers = [world.on(0), world.on(1)];
    let answers = join_all((0..20).map(|number| {
        let (caller, body) = (callers[number % 2].clone(), payment(&id, 100));
        async move { caller.post("/v1/payments", &format!("customer-{number}"), &body).await }
    }))
    .await;
    let (paid, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status < 300);
    assert_eq!(paid.len(), 10, "{:?}", refused.iter().map(Answer::text).collect::<Vec<_>>());
    for answer in refused {
        answer.expect_problem(409, "order_not_payable");
    }
    for answer in paid {
        world.payment_becomes(&answer.id(), "succeeded").await;
    }
    assert_eq!(sums(&world, &id).await, ("paid".to_owned(), 1000, 0));
    let charges = world.simulator.charges().await;
    assert_eq!(charges.iter().map(|charge| charge["captured"].as_i64().unwrap()).sum::<i64>(), 1000);
    let told = told(&world, &id).await;
    assert_eq!((told.len(), told.last().map(String::as_str)), (10, Some("order.paid paid")));
}

/// Held first, taken later and in part: what is not taken is free for another payment.
#[tokio::test]
async fn a_hold_reserves_and_its_rest_is_given_back() {
    let world = World::start().await;
    let id = new_order(&world).await;
    let hold = bodies::with(payment(&id, 1000), &json!({ "capture_method": "manual" }));
    let first = world.post("/v1/payments", "a", &hold).await.expect(201);
    assert_eq!((first.payment_status(), sums(&world, &id).await.0.as_str()), ("authorized", "open"));
    pay(&world, &id, 1).await.expect_problem(409, "order_not_payable");
    let capture = format!("/v1/payments/{}/capture", first.id());
    world.post(&capture, "capture", &json!({ "amount": 400 })).await.expect(200);
    assert_eq!(sums(&world, &id).await, ("partially_paid".to_owned(), 400, 0));

    let hold = bodies::with(payment(&id, 600), &json!({ "capture_method": "manual" }));
    let second = world.post("/v1/payments", "b", &hold).await.expect(201);
    let void = format!("/v1/payments/{}/cancel", second.id());
    assert_eq!(world.post(&void, "void", &json!({})).await.expect(200).payment_status(), "cancelled");
    assert_eq!(pay(&world, &id, 600).await.expect(201).payment_status(), "succeeded");
    assert_eq!(sums(&world, &id).await, ("paid".to_owned(), 1000, 0));
}

/// Given back in two parts. An order is paid once: what was given back is not asked for again.
#[tokio::test]
async fn refunds_are_refunds_of_the_order() {
    let world = World::start().await;
    let id = new_order(&world).await;
    let refunds = format!("/v1/payments/{}/refunds", pay(&world, &id, 1000).await.expect(201).id());
    world.post(&refunds, "a", &json!({ "amount": 300 })).await.expect(201);
    assert_eq!(sums(&world, &id).await, ("partially_refunded".to_owned(), 1000, 300));
    world.post(&refunds, "b", &json!({})).await.expect(201);
    assert_eq!(sums(&world, &id).await, ("refunded".to_owned(), 1000, 1000));
    assert_eq!(told(&world, &id).await, ["order.paid paid", "order.refunded refunded"]);
    pay(&world, &id, 1).await.expect_problem(409, "order_not_payable");
}
