//! Where the machine does not decide: reviews with their story, a person's verdict, and the log of what persons did.

use interlock_tests::harness::{Answer, Builder, Merchant, World, bodies, eventually, merchant};
use serde_json::{Value, json};

use super::{
    fault_kit::quick,
    webhook_kit::{captured, forge, latest_charge, listen},
};

/// A world in which nobody can find out what became of a payment whose reply was lost.
fn unknowable() -> Builder {
    quick()
        .setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2")
        .account_setting("resend", "never")
        .account_setting("lookup", "none")
}

/// A payment that the gateway has taken, and of which nobody but a person can know.
async fn in_review(world: &World) -> String {
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    world.payment_becomes(&answer.id(), "manual_review").await;
    answer.id()
}

/// The reviews that a query finds, by id.
async fn found(world: &World, query: &str) -> Vec<String> {
    let list = world.operator().get(&format!("/admin/reviews?{query}")).await.expect(200).json;
    let reviews = list["data"].as_array().cloned().unwrap_or_default();
    reviews.iter().map(|review| review["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The open review of a payment, with its story.
async fn story(world: &World, payment: &str) -> Value {
    let ids = found(world, &format!("status=open&payment={payment}")).await;
    assert_eq!(ids.len(), 1, "{payment} has one open review: {ids:?}");
    world.operator().get(&format!("/admin/reviews/{}", ids[0])).await.expect(200).json
}

/// What an operator decides about a payment.
async fn resolve(world: &World, payment: &str, body: &Value) -> Answer {
    world.operator().post_plain(&format!("/admin/payments/{payment}/resolve"), body).await
}

/// A review of a payment that goes on without it, as a gateway's contradiction opens one.
async fn db_open_review(world: &World, payment: &Value) {
    let reference = payment["gateway_reference"].as_str().unwrap();
    let opened = world
        .db_run(&format!(
            "insert into reviews (merchant_id, review_id, payment_id, reason, detail, opened_at)
             select merchant_id, gen_random_uuid(), payment_id, 'contradiction', '{{}}', now()
               from payments where gateway_reference = '{reference}'"
        ))
        .await;
    assert_eq!(opened, 1);
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// The gateway took the money, the reply was lost, and to every question the gateway answers with an error. The person
/// who must decide sees all of it: what was sent, holes as holes, what came back, what was asked, and what may be said now.
#[tokio::test]
async fn a_review_tells_the_whole_story_and_no_secret() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2").account_setting("resend", "never").start().await;
    world
        .simulator
        .add_faults(&json!([
            { "match": { "method": "POST" }, "times": 1, "fault": "act_then_drop" },
            { "match": { "method": "GET" }, "fault": "status_500" },
        ]))
        .await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    let payment = world.payment_becomes(&answer.id(), "manual_review").await;
    let review = story(&world, &answer.id()).await;
    assert_eq!((&review["status"], &review["reason"]), (&json!("open"), &json!("unresolved")));
    assert_eq!((&review["merchant"], &review["payment"]), (&json!(world.merchant.id), &json!(answer.id())));
    let story = &review["story"];
    assert_eq!(story["payment"], payment);
    assert_eq!(story["totals"]["amount_captured"], 0);
    assert_eq!(texts(&story["attempts"], "status"), ["manual_review"]);
    assert_eq!(
        texts(&story["events"], "to"),
        ["created", "processing", "pending_verification", "manual_review"],
        "{story:#}"
    );

    let operations = &story["operations"];
    assert_eq!(texts(operations, "kind"), ["authorize", "sync", "sync"], "{operations:#}");
    assert_eq!(operations[0]["id"], review["operation"]);
    assert_eq!(operations[0]["status"], "manual_review");
    assert_eq!(operations[0]["unresolved"]["due_at"], Value::Null, "it waits for nobody but a person");
    let sent = &operations[0]["exchanges"][0];
    assert_eq!((&sent["effect"], &sent["request"]["method"]), (&json!("moves_money"), &json!("POST")));
    assert_eq!(texts(&sent["replies"], "kind"), ["unknown"], "{sent:#}");
    let asked = &operations[2]["exchanges"][0];
    assert_eq!((&asked["request"]["method"], &asked["replies"][0]["status"]), (&json!("GET"), &json!(500)));
    assert_eq!(story["gateway_last_said"]["operation"], operations[2]["id"]);
    assert_eq!(story["gateway_last_said"]["http_status"], 500);
    assert_eq!(texts(&story["resolutions"], "outcome"), ["succeeded", "failed", "cancelled"]);

    let text = review.to_string();
    assert!(text.contains("{{card_number}}") && text.contains("{{secret:api_key}}"), "{text}");
    for secret in [bodies::GOOD, "737", merchant::GATEWAY_API_KEY, &world.merchant.key] {
        let shown = text.match_indices(secret).filter(|(at, _)| secret != "737" || text[..*at].ends_with('"')).count();
        assert_eq!(shown, 0, "{secret} in {text}");
    }
}

/// While a person is to decide, the gateway tells by itself that it was paid. The payment does not move, and the person
/// sees it: it is what the gateway said last.
#[tokio::test]
async fn what_a_gateway_tells_meanwhile_is_evidence() {
    let world = unknowable().start().await;
    listen(&world, 0, &world.merchant, merchant::GATEWAY_WEBHOOK_SECRET).await;
    let id = in_review(&world).await;
    assert_eq!(story(&world, &id).await["story"]["gateway_last_said"], Value::Null);
    let charge = latest_charge(&world).await;
    assert_eq!(forge(&world, "charge.updated", &captured(&charge), &json!({})).await, Some(200));
    let told = eventually("the event was applied", async || {
        let told = story(&world, &id).await["story"].clone();
        let is_done = told["webhooks"][0]["status"] == "done";
        if is_done { Ok(told) } else { Err(told["webhooks"].to_string()) }
    })
    .await;
    assert_eq!(told["payment"]["status"], "manual_review");
    assert_eq!(told["webhooks"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["webhooks"][0]["verified"], true);
    let said = &told["gateway_last_said"];
    assert_eq!((&said["by"], &said["operation"]), (&json!("webhook"), &json!(charge.operation)));
    assert_eq!(said["outcome"]["Captured"]["gateway_reference"], json!(charge.id), "{said:#}");
}

/// Reviews of all merchants are in one list, newest first, and are found by what they are about.
#[tokio::test]
async fn reviews_are_found_by_what_they_are_about() {
    let world = unknowable().start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let payment = in_review(&world).await;
        ids.extend(found(&world, &format!("payment={payment}")).await);
    }
    ids.reverse();
    assert_eq!(ids.len(), 3);
    assert_eq!(found(&world, "").await, ids);
    assert_eq!(found(&world, "status=open&reason=unresolved").await, ids);
    assert_eq!(found(&world, &format!("merchant={}", world.merchant.id)).await, ids);
    let other = Merchant::make(&world.operator(), "Other").await;
    for nothing in ["status=closed", "reason=surplus", &format!("merchant={}", other.id)] {
        assert_eq!(found(&world, nothing).await, [""; 0], "{nothing}");
    }
    let operator = world.operator();
    let page = operator.get("/admin/reviews?limit=2").await.expect(200).json;
    assert_eq!(texts(&page["data"], "id"), ids[..2]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = operator.get(&format!("/admin/reviews?limit=2&cursor={cursor}")).await.expect(200).json;
    assert_eq!((texts(&rest["data"], "id"), &rest["next_cursor"]), (ids[2..].to_vec(), &Value::Null));

    let refused = operator.get("/admin/reviews?status=later&payment=x&limit=0&what=1").await;
    assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/status", "/limit", "/payment", "/what"]);
    for unknown in ["x", "rvw_00000000000000000000000000"] {
        operator.get(&format!("/admin/reviews/{unknown}")).await.expect_problem(404, "not_found");
    }
}

/// A person says how it ended, once: the payment is that, its event is sent, the review is closed, the lease is gone, the
/// merchant's key tells it, and the audit log has who and why.
#[tokio::test]
async fn a_person_decides_and_it_is_written_down() {
    for outcome in ["succeeded", "failed", "cancelled"] {
        // What the gateway's books say is not what a person says here.
        let world = unknowable().gateway_misbehaves().start().await;
        let id = in_review(&world).await;
        let review = story(&world, &id).await;
        let version = review["story"]["payment"]["version"].as_i64().unwrap();
        let note = format!("The gateway's dashboard says {outcome}.");
        let body = json!({ "outcome": outcome, "note": note, "version": version });
        let resolved = resolve(&world, &id, &body).await.expect(200);
        assert_eq!(resolved.payment_status(), outcome, "{}", resolved.text());
        assert_eq!(resolved.json, world.payment(&id).await);
        assert_eq!(world.db_count("select count(*) from work").await, 0, "nothing waits any more");
        assert_eq!(world.states(&id).await.last().map(String::as_str), Some(outcome));
        let types = world.db_texts("select type from outbox order by created_at, sequence").await;
        assert_eq!(types.last().map(String::as_str), Some(format!("payment.{outcome}").as_str()));

        assert_eq!(found(&world, "status=open").await, [""; 0]);
        let closed = world.operator().get(&format!("/admin/reviews/{}", review["id"].as_str().unwrap())).await;
        let closed = closed.expect(200).json;
        assert_eq!((&closed["status"], &closed["story"]["resolutions"]), (&json!("closed"), &json!([])));
        assert_eq!(closed["resolution"]["operator"]["note"], json!(note), "{closed:#}");

        let log = world.operator().get("/admin/audit_log?action=payment.resolve").await.expect(200).json;
        let entry = &log["data"][0];
        assert_eq!((&entry["actor"], &entry["subject"]), (&json!("operator"), &json!(id)), "{log:#}");
        assert_eq!(entry["request_id"].as_str(), resolved.header("request-id"));
        assert!(entry["detail"].to_string().contains(&note), "{entry:#}");

        // It was said once. Whoever decided on what was there before decides anew.
        resolve(&world, &id, &body).await.expect_problem(409, "stale");
        let body = bodies::with(body, &json!({ "version": resolved.json["version"] }));
        resolve(&world, &id, &body).await.expect_problem(409, "payment_not_resolvable");
        world.check_invariants().await;
    }
}

/// A refund whose reply was lost, and nobody to ask: the payment goes on without it, its amount stays reserved, and the
/// story says that it is the refund which waits. Said to have happened it is booked; said not to, its amount is free again.
#[tokio::test]
async fn a_refund_that_nobody_knows_of_is_decided_by_itself() {
    for (outcome, refund_is, payment_is, left) in
        [("succeeded", "succeeded", "partially_refunded", 750), ("failed", "failed", "succeeded", 1250)]
    {
        let world = unknowable().gateway_misbehaves().start().await;
        let paid = world.pay(bodies::GOOD).await.expect(201);
        let refunds = format!("/v1/payments/{}/refunds", paid.id());
        world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
        let refund = world.post(&refunds, "r", &json!({ "amount": 500 })).await.expect(202);
        let path = format!("/v1/refunds/{}", refund.id());
        eventually("nobody can be asked any more", async || {
            let refund = world.get(&path).await.expect(200);
            if refund.payment_status() == "manual_review" { Ok(()) } else { Err(refund.text()) }
        })
        .await;
        assert_eq!(world.payment(&paid.id()).await["status"], "succeeded");
        let too_much = world.post(&refunds, "s", &json!({ "amount": 751 })).await;
        too_much.expect_problem(422, "amount_too_large");

        let review = story(&world, &paid.id()).await;
        let resolutions = &review["story"]["resolutions"];
        assert_eq!(texts(resolutions, "outcome"), ["succeeded", "failed"], "{review:#}");
        assert_eq!(texts(resolutions, "operation"), [refund.id(), refund.id()]);
        assert_eq!(review["story"]["totals"]["amount_refunding"], 500);
        let close = format!("/admin/reviews/{}/close", review["id"].as_str().unwrap());
        let closed = world.operator().post_plain(&close, &json!({ "note": "No time." })).await;
        closed.expect_problem(409, "review_not_closable");

        let body = json!({
            "outcome": outcome, "note": "I called them.", "operation": refund.id(),
            "version": review["story"]["payment"]["version"],
        });
        let resolved = resolve(&world, &paid.id(), &body).await.expect(200);
        assert_eq!(resolved.payment_status(), payment_is, "{}", resolved.text());
        assert_eq!(world.get(&path).await.expect(200).payment_status(), refund_is);
        assert_eq!(found(&world, "status=open").await, [""; 0]);
        let beyond = world.post(&refunds, "t", &json!({ "amount": left + 1 })).await;
        beyond.expect_problem(422, "amount_too_large");
        world.check_invariants().await;
    }
}

/// What the operator says is so already: nothing of the payment changes, and its reviews are closed by it.
#[tokio::test]
async fn a_verdict_on_what_is_settled_closes_its_reviews() {
    let world = unknowable().start().await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    db_open_review(&world, &paid.json).await;
    let say = |outcome: &str| json!({ "outcome": outcome, "note": "I looked.", "version": paid.json["version"] });
    resolve(&world, &paid.id(), &say("failed")).await.expect_problem(409, "payment_not_resolvable");
    assert_eq!(found(&world, "status=open").await.len(), 1);
    let resolved = resolve(&world, &paid.id(), &say("succeeded")).await.expect(200);
    assert_eq!(resolved.json, paid.json);
    assert_eq!(found(&world, "status=open").await, [""; 0]);
    resolve(&world, &paid.id(), &say("succeeded")).await.expect_problem(409, "payment_not_resolvable");
    assert_eq!(world.db_count("select count(*) from audit_log where action = 'payment.resolve'").await, 1);
}

/// Two persons decide at once, and differently: one of them is told that it is decided.
#[tokio::test]
async fn of_two_verdicts_one_counts() {
    let world = unknowable().gateway_misbehaves().start().await;
    let id = in_review(&world).await;
    let version = world.payment(&id).await["version"].clone();
    let say = |outcome: &str| json!({ "outcome": outcome, "note": "I looked.", "version": version });
    let (first, second) = (say("succeeded"), say("failed"));
    let (first, second) = tokio::join!(resolve(&world, &id, &first), resolve(&world, &id, &second));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", first.text(), second.text());
    let (counts, late) = if first.status == 200 { (first, second) } else { (second, first) };
    // Where the first is not done yet, else after it.
    assert!(["operation_in_progress", "stale"].contains(&late.json["code"].as_str().unwrap()), "{}", late.text());
    assert_eq!(world.payment(&id).await["status"], counts.payment_status());
    assert_eq!(world.db_count("select count(*) from audit_log where action = 'payment.resolve'").await, 1);
}

/// A verdict without a reason, or about something that was not read, is no verdict.
#[tokio::test]
async fn a_verdict_needs_a_reason_and_the_version_that_was_read() {
    let world = unknowable().start().await;
    let id = in_review(&world).await;
    let good = json!({ "outcome": "succeeded", "note": "Seen in the dashboard.", "version": 1 });
    for (changes, pointer) in [
        (json!({ "outcome": null }), "/outcome"),
        (json!({ "outcome": "refunded" }), "/outcome"),
        (json!({ "note": null }), "/note"),
        (json!({ "note": "" }), "/note"),
        (json!({ "note": "x".repeat(2001) }), "/note"),
        (json!({ "version": null }), "/version"),
        (json!({ "version": 0 }), "/version"),
        (json!({ "version": "1" }), "/version"),
        (json!({ "operation": "x" }), "/operation"),
        (json!({ "merchant": "pay_1" }), "/merchant"),
        (json!({ "reason": "because" }), "/reason"),
    ] {
        let body = bodies::with(good.clone(), &changes);
        let refused = resolve(&world, &id, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), [pointer], "{changes}");
    }
    resolve(&world, &id, &good).await.expect_problem(409, "stale");
    for unknown in ["x", "pay_00000000000000000000000000"] {
        resolve(&world, unknown, &good).await.expect_problem(404, "not_found");
    }
    // Another merchant's payment is not there for the one that is named.
    let other = Merchant::make(&world.operator(), "Other").await;
    let theirs = bodies::with(good.clone(), &json!({ "merchant": other.id }));
    resolve(&world, &id, &theirs).await.expect_problem(404, "not_found");
    // One that no review and no work knows is found by its merchant.
    let paid = world.pay(bodies::GOOD).await.expect(201);
    let done = bodies::with(good, &json!({ "version": paid.json["version"] }));
    resolve(&world, &paid.id(), &done).await.expect_problem(404, "not_found");
    let done = bodies::with(done, &json!({ "merchant": world.merchant.id }));
    resolve(&world, &paid.id(), &done).await.expect_problem(409, "payment_not_resolvable");

    assert_eq!(world.payment(&id).await["status"], "manual_review");
    assert_eq!(world.db_count("select count(*) from audit_log where action = 'payment.resolve'").await, 0);
}

/// A gateway contradicted itself about a payment that is paid: somebody looks, finds nothing to do, and says so. A review
/// whose payment waits for a verdict cannot be put aside like that.
#[tokio::test]
async fn a_review_that_nothing_hangs_on_is_closed_with_a_note() {
    let world = unknowable().start().await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    db_open_review(&world, &paid.json).await;
    let review = story(&world, &paid.id()).await;
    assert_eq!(review["story"]["resolutions"], json!([]));
    let (operator, close) = (world.operator(), format!("/admin/reviews/{}/close", review["id"].as_str().unwrap()));
    let refused = operator.post_plain(&close, &json!({ "note": "" })).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/note"]);
    let closed = operator.post_plain(&close, &json!({ "note": "A test of theirs." })).await.expect(200);
    assert_eq!(
        (&closed.json["status"], &closed.json["resolution"]["operator"]["note"]),
        (&json!("closed"), &json!("A test of theirs."))
    );
    operator.post_plain(&close, &json!({ "note": "Me too." })).await.expect_problem(409, "review_not_closable");
    assert_eq!(world.payment(&paid.id()).await, paid.json, "the payment does not notice");
    let log = operator.get("/admin/audit_log?action=review.close").await.expect(200).json;
    assert_eq!(texts(&log["data"], "subject"), [review["id"].as_str().unwrap()]);
    assert_eq!(log["data"][0]["request_id"].as_str(), closed.header("request-id"));

    let waiting = story(&world, &in_review(&world).await).await;
    let close = format!("/admin/reviews/{}/close", waiting["id"].as_str().unwrap());
    operator.post_plain(&close, &json!({ "note": "No time." })).await.expect_problem(409, "review_not_closable");
    assert_eq!(found(&world, "status=open").await.len(), 1);
}

/// Who did what: every change by an operator, with the request that made it, and nothing where nothing changed.
#[tokio::test]
async fn what_operators_change_is_in_the_audit_log() {
    let world = World::start().await;
    let operator = world.operator();
    let made = operator.post_plain("/admin/merchants", &json!({ "name": "Audited" })).await.expect(201);
    let keys = format!("/admin/merchants/{}/api_keys", made.id());
    let key = operator.post_plain(&keys, &json!({})).await.expect(201);
    let revoked = operator.delete(&format!("{keys}/{}", key.id())).await.expect(200);
    operator.delete(&format!("{keys}/{}", key.id())).await.expect(404);

    let log = operator.get(&format!("/admin/audit_log?merchant={}", made.id())).await.expect(200).json;
    assert_eq!(texts(&log["data"], "action"), ["api_key.revoke", "api_key.create", "merchant.create"]);
    assert_eq!(texts(&log["data"], "subject"), [key.id(), key.id(), made.id()]);
    let requests: Vec<_> = [&revoked, &key, &made].map(|answer| answer.header("request-id").unwrap()).into();
    assert_eq!(texts(&log["data"], "request_id"), requests);
    assert!(!log.to_string().contains(key.json["key"].as_str().unwrap()), "a key is never written down");

    // What the hosts found in their folder at the start, and what was rolled back since.
    let log = operator.get("/admin/audit_log?action=connector.install").await.expect(200).json;
    assert_eq!(texts(&log["data"], "actor"), vec!["connectors folder"; log["data"].as_array().unwrap().len()]);
    let first = operator.get("/admin/audit_log?limit=1").await.expect(200).json;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = operator.get(&format!("/admin/audit_log?limit=1&cursor={cursor}")).await.expect(200).json;
    assert_eq!(
        (texts(&first["data"], "action"), texts(&second["data"], "action")),
        (vec!["api_key.revoke".to_owned()], vec!["api_key.create".to_owned()],)
    );
    let refused = operator.get("/admin/audit_log?action=&merchant=x").await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/merchant", "/action"]);
}

/// What is under way, waits for the gateway or the customer, is being asked about, or waits for a person.
#[tokio::test]
async fn unresolved_operations_are_listed_by_status() {
    let world = unknowable().setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "4000").setting("INTERLOCK_LEASE_MS", "6000");
    let world = world.start().await;
    let reviewed = in_review(&world).await;
    let pending = world.pay(bodies::PENDING).await.expect(202).id();
    let challenged = world.pay(bodies::CHALLENGED).await.expect(201).id();
    world.pay(bodies::GOOD).await.expect(201);
    // An account whose schedule of questions is long is not there, so this one is under way for as long as it takes.
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 3_000 } })).await;
    let (caller, body) = (world.on(0), bodies::payment(bodies::GOOD));
    let slow = tokio::spawn(async move { caller.post("/v1/payments", "slow", &body).await });
    let operator = world.operator();
    let listed = async |query: &str| operator.get(&format!("/admin/operations?{query}")).await.expect(200).json;
    eventually("the slow one is under way", async || {
        let list = listed("status=under_way").await;
        if list["data"].as_array().is_some_and(|data| data.len() == 1) { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    assert_eq!(texts(&listed("status=manual_review").await["data"], "payment"), [reviewed.as_str()]);
    assert_eq!(texts(&listed("status=pending").await["data"], "payment"), [pending.as_str(), challenged.as_str()]);
    assert_eq!(listed("status=unknown").await["data"], json!([]));
    let all = listed("limit=3").await;
    assert_eq!(texts(&all["data"], "payment"), [reviewed, pending, challenged]);
    assert_eq!(texts(&all["data"], "kind"), ["authorize"; 3]);
    assert_eq!(all["data"][0]["gateway_account"], world.merchant.account);
    assert_eq!((&all["data"][0]["amount"], &all["data"][0]["due_at"]), (&json!(1250), &Value::Null));
    let cursor = all["next_cursor"].as_str().unwrap();
    let rest = listed(&format!("limit=3&cursor={cursor}")).await;
    assert_eq!(texts(&rest["data"], "status"), ["under_way"]);
    let refused = operator.get("/admin/operations?status=done").await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/status"]);
    slow.await.unwrap().expect(201);
}

/// What to alarm on: how many reviews are open.
#[tokio::test]
async fn open_reviews_are_a_metric() {
    let mut world = unknowable().start().await;
    in_review(&world).await;
    // A host counts when it starts, and every minute from then on.
    let second = world.add_host(&[]).await;
    eventually("the second host has counted it", async || {
        let metrics = world.operator_at(second).get("/metrics").await.expect(200).text();
        // Hosts are processes of their own, so is what they count.
        if metrics.contains("interlock_reviews_open 1") { Ok(()) } else { Err(metrics) }
    })
    .await;
}
