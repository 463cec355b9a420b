//! What gateways tell: believed where it is proved, kept once, applied once, and never in the way of anybody else.

use interlock::domain::id::{GatewayAccountId, QuarantineId};
use interlock_tests::harness::{World, bodies, eventually, merchant, merchant::GATEWAY_WEBHOOK_SECRET};
use serde_json::{Value, json};
use uuid::Uuid;

use super::webhook_kit::{
    Charge, all_applied, captured, deliver, forge, latest_charge, listen, nobodys_charge, quarantined, signed, told,
    tried, wait_out, weather,
};

/// Longer than any test: what the gateway has open stays open.
const NEVER_MS: u32 = 10_000_000;

fn upi(vpa: &str) -> Value {
    json!({ "amount": 1250, "currency": "EUR", "confirm": true,
            "payment_method": { "type": "upi", "upi": { "flow": "collect", "vpa": vpa } } })
}

async fn kept(world: &World) -> i64 {
    world.db_count("select count(*) from webhook_inbox").await
}

/// The gateway accepts a card and decides later. Nobody asks it within the hour: it tells.
#[tokio::test]
async fn a_pending_card_succeeds_when_its_gateway_tells() {
    let world = told(300).await;
    let answer = world.pay(bodies::PENDING).await.expect(202);
    assert_eq!(answer.payment_status(), "processing");
    let payment = world.payment_becomes(&answer.id(), "succeeded").await;
    assert_eq!(payment["amount_captured"], 1250);
    assert_eq!(world.states(&answer.id()).await.last().map(String::as_str), Some("succeeded"));
    all_applied(&world).await;
    assert_eq!(kept(&world).await, 1);
    assert_eq!(world.db_count("select count(*) from webhook_inbox where verified").await, 1);
    assert_eq!(world.db_count("select count(*) from webhook_deliveries").await, 1);
    let metrics = world.operator().without_token().get("/metrics").await.text();
    let counted = "interlock_webhooks_received_total{connector=\"mock\",result=\"stored\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

/// The customer is asked on a phone, and approves or does not.
#[tokio::test]
async fn upi_ends_as_the_customer_decides() {
    let world = told(300).await;
    let approved = world.post("/v1/payments", "a", &upi("success@mock")).await.expect(202);
    let declined = world.post("/v1/payments", "d", &upi("failure@mock")).await.expect(202);
    world.payment_becomes(&approved.id(), "succeeded").await;
    let failed = world.payment_becomes(&declined.id(), "failed").await;
    assert_eq!(failed["last_error"]["code"], "payment_declined", "{failed}");
    assert_eq!(kept(&world).await, 2);
}

/// Gateways send twice, and the second time nothing happens: no row, no line in the audit trail, no event.
#[tokio::test]
async fn a_doubled_webhook_changes_nothing() {
    let world = told(200).await;
    weather(&world, "doubled").await;
    let answer = world.pay(bodies::PENDING).await.expect(202);
    let payment = world.payment_becomes(&answer.id(), "succeeded").await;
    eventually("both were answered", async || {
        let metrics = world.operator().without_token().get("/metrics").await.text();
        let repeated = "interlock_webhooks_received_total{connector=\"mock\",result=\"repeated\"} 1";
        if metrics.contains(repeated) { Ok(()) } else { Err(metrics) }
    })
    .await;
    all_applied(&world).await;
    assert_eq!(kept(&world).await, 1);
    assert_eq!(world.payment(&answer.id()).await, payment);
}

/// They overtake each other and come late, and every payment ends all the same.
#[tokio::test]
async fn webhooks_may_come_late_and_in_any_order() {
    for mode in ["reordered", "delayed"] {
        let world = told(200).await;
        weather(&world, mode).await;
        let mut payments = Vec::new();
        for _ in 0..4 {
            payments.push(world.pay(bodies::PENDING).await.expect(202).id());
        }
        for payment in payments {
            world.payment_becomes(&payment, "succeeded").await;
        }
        all_applied(&world).await;
        assert_eq!(kept(&world).await, 4, "{mode}");
    }
}

/// What is not rightly signed is not believed: 401, and nothing is kept.
#[tokio::test]
async fn a_forged_webhook_is_refused() {
    let world = told(NEVER_MS).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let charge = latest_charge(&world).await;
    let data = captured(&charge);
    let before = world.payment(&paid.id()).await;
    let hour_ago = u64::try_from(chrono::Utc::now().timestamp()).unwrap() - 3600;
    for (what, with) in [
        ("another secret", json!({ "secret": "not the one that was agreed on" })),
        ("a signature of an hour ago", json!({ "timestamp": hour_ago })),
        ("a signature of the future", json!({ "timestamp": hour_ago + 7200 })),
        ("no signature at all", json!({ "signature": "t=1,v1=" })),
        ("nonsense", json!({ "signature": "yes" })),
    ] {
        assert_eq!(forge(&world, "charge.updated", &data, &with).await, Some(401), "{what}");
    }
    let unsigned = deliver(&world, &world.merchant.account, &[], data.to_string()).await;
    unsigned.expect_problem(401, "webhook_refused");
    assert_eq!(kept(&world).await, 0);
    assert_eq!(world.payment(&paid.id()).await, before);
    assert!(world.operator().without_token().get("/metrics").await.text().contains("result=\"refused\"} 6"));
}

/// The address names an account; what names none is answered as if nothing were there.
#[tokio::test]
async fn a_webhook_for_nobody_is_not_found() {
    let world = told(NEVER_MS).await;
    let nobody = GatewayAccountId::from_uuid(Uuid::from_u128(7)).to_string();
    for account in [nobody.as_str(), "gwa_x", "x", &world.merchant.id] {
        deliver(&world, account, &[], "{}").await.expect_problem(404, "not_found");
    }
    world.on(0).without_token().get(&format!("/webhooks/{}", world.merchant.account)).await.expect(405);

    // One that is disabled takes no new payment, and still hears what became of the old ones.
    let account = format!("/v1/gateway_accounts/{}", world.merchant.account);
    world.on(0).patch(&account, &json!({ "enabled": false })).await.expect(200);
    assert_eq!(forge(&world, "account.notice", &json!({}), &json!({})).await, Some(200));
    // One that is deleted is gone, on this host at once.
    world.on(0).delete(&account).await.expect(200);
    assert_eq!(forge(&world, "account.notice", &json!({}), &json!({})).await, Some(404));
}

/// A delivery has its own bound, announced or not.
#[tokio::test]
async fn an_oversized_webhook_is_refused() {
    const MAX_BYTES: usize = 1024 * 1024;
    let world = told(NEVER_MS).await;
    let account = &world.merchant.account;
    deliver(&world, account, &[], vec![b'x'; MAX_BYTES + 1]).await.expect_problem(413, "body_too_large");
    deliver(&world, account, &[], vec![b'x'; MAX_BYTES]).await.expect_problem(401, "webhook_refused");
    assert_eq!(kept(&world).await, 0);
}

/// What is no outcome of ours is kept and waits for nobody.
#[tokio::test]
async fn a_notice_is_kept_and_done() {
    let world = told(NEVER_MS).await;
    assert_eq!(forge(&world, "report.ready", &json!({ "report": 7 }), &json!({})).await, Some(200));
    assert_eq!(kept(&world).await, 1);
    assert_eq!(world.db_count("select count(*) from webhook_work").await, 0);
    let notice = world.db_text("select event->'kind'->>'Notice' from webhook_inbox").await;
    assert_eq!(notice.as_deref(), Some("report.ready"));
}

/// An event may be faster than our own commit, so it waits. When nobody has begun that operation after minutes, a person
/// must look; and when what was missing is there, the person puts it back.
#[tokio::test]
async fn an_event_of_an_unknown_operation_waits_and_ends_in_quarantine() {
    let world = told(NEVER_MS).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let charge = latest_charge(&world).await;
    let data = captured(&Charge { id: charge.id, ..nobodys_charge() });
    assert_eq!(forge(&world, "charge.updated", &data, &json!({ "id": "gwe_lost" })).await, Some(200));
    tried(&world, 2).await;
    assert_eq!(quarantined(&world, 0).await, [] as [Value; 0]);
    wait_out(&world).await;

    let row = &quarantined(&world, 1).await[0];
    assert_eq!(
        (&row["merchant"], &row["gateway_account"]),
        (&json!(world.merchant.id), &json!(world.merchant.account))
    );
    assert_eq!(row["gateway_event_id"], "gwe_lost");
    assert_eq!(row["verified"], true);
    assert_eq!(row["event"]["operation_id"], nobodys_charge().operation);
    assert!(row["reason"].as_str().is_some_and(|reason| reason.contains("not there")), "{row}");
    let body: Value = serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["id"], "gwe_lost");
    assert!(
        world
            .operator()
            .without_token()
            .get("/metrics")
            .await
            .text()
            .contains("interlock_webhooks_quarantined_total 1")
    );

    // Put back before anything was mended: it waits again, and there is nothing to put back meanwhile.
    let replay = format!("/admin/quarantine/{}/replay", row["id"].as_str().unwrap());
    world.operator().post_plain(&replay, &json!({})).await.expect(202);
    world.operator().post_plain(&replay, &json!({})).await.expect_problem(409, "not_quarantined");
    tried(&world, 1).await;
    wait_out(&world).await;
    assert_eq!(quarantined(&world, 1).await[0]["id"], row["id"], "it keeps its name");

    // The gateway had named it wrongly, and tells nothing else.
    weather(&world, "lost").await;
    let mended = format!(
        "update webhook_inbox set event = jsonb_set(event, '{{operation_id}}', to_jsonb('{}'::text))",
        charge.operation
    );
    assert_eq!(world.db_run(&mended).await, 1);
    world.simulator.settle_all().await;
    world.operator().post_plain(&replay, &json!({})).await.expect(202);
    world.payment_becomes(&paid.id(), "succeeded").await;
    eventually("it is applied", async || {
        let again = world.operator().post_plain(&replay, &json!({})).await;
        if again.status == 404 { Ok(()) } else { Err(again.text()) }
    })
    .await;
    assert_eq!(
        world
            .db_count("select count(*) from audit_log where action = 'quarantine.replay' and actor like 'operator%'")
            .await,
        2
    );
}

/// Pages of it, newest first; and what is not there.
#[tokio::test]
async fn quarantine_has_pages() {
    let world = told(NEVER_MS).await;
    for number in 0..3 {
        let (data, with) = (captured(&nobodys_charge()), json!({ "id": format!("gwe_{number}") }));
        assert_eq!(forge(&world, "charge.updated", &data, &with).await, Some(200));
        tried(&world, 1).await;
        wait_out(&world).await;
        quarantined(&world, number + 1).await;
    }
    let operator = world.operator();
    let first = operator.get("/admin/quarantine?limit=2").await.expect(200).json;
    let ids = |page: &Value| {
        let rows = page["data"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["gateway_event_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ["gwe_2", "gwe_1"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = operator.get(&format!("/admin/quarantine?limit=2&cursor={cursor}")).await.expect(200).json;
    assert_eq!((ids(&last), &last["next_cursor"]), (vec!["gwe_0".to_owned()], &Value::Null));
    let nobody = QuarantineId::from_uuid(Uuid::from_u128(7));
    for id in [nobody.to_string().as_str(), "qrn_x", cursor.trim_start_matches("qrn_")] {
        let path = format!("/admin/quarantine/{id}/replay");
        operator.post_plain(&path, &json!({})).await.expect_problem(404, "not_found");
    }
    operator.without_token().get("/admin/quarantine").await.expect_problem(401, "unauthenticated");
}

/// An account speaks of its own operations, rightly signed or not: another one's are not its to end.
#[tokio::test]
async fn an_account_cannot_end_anothers_operation() {
    let world = told(NEVER_MS).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let charge = latest_charge(&world).await;
    let before = world.payment(&paid.id()).await;
    // The merchant's second account.
    let mut second = world.merchant.clone();
    let body = merchant::account_body(&world.simulator.url, &serde_json::Map::new());
    second.account = world.post("/v1/gateway_accounts", "second", &body).await.expect(201).id();
    // And a stranger's.
    let stranger = world.new_merchant("Stranger").await;
    for (who, id) in [(&second, "gwe_second"), (&stranger, "gwe_stranger")] {
        listen(&world, 0, who, GATEWAY_WEBHOOK_SECRET).await;
        let told = forge(&world, "charge.updated", &captured(&charge), &json!({ "id": id })).await;
        assert_eq!(told, Some(200));
    }
    let wrong = quarantined(&world, 1).await;
    assert_eq!(wrong[0]["gateway_event_id"], "gwe_second");
    assert!(wrong[0]["reason"].as_str().is_some_and(|reason| reason.contains("another account's")), "{wrong:?}");
    // For a stranger there is no such operation at all.
    tried(&world, 1).await;
    wait_out(&world).await;
    let wrong = quarantined(&world, 2).await;
    assert!(wrong[0]["reason"].as_str().is_some_and(|reason| reason.contains("not there")), "{wrong:?}");
    assert_eq!(world.payment(&paid.id()).await, before);
}

/// A secret is changed on both sides, one after the other: for a day both are good.
#[tokio::test]
async fn a_rotated_secret_proves_for_a_day() {
    const NEW: &str = "whsec_a_new_one_that_is_as_long_as_the_first";
    let world = told(NEVER_MS).await;
    let notice = async |secret: &str| forge(&world, "account.notice", &json!({}), &json!({ "secret": secret })).await;
    assert_eq!(notice(NEW).await, Some(401));
    let account = format!("/v1/gateway_accounts/{}", world.merchant.account);
    world.on(0).patch(&account, &json!({ "settings": { "webhook_secret": NEW } })).await.expect(200);
    assert_eq!(notice(NEW).await, Some(200));
    assert_eq!(notice(GATEWAY_WEBHOOK_SECRET).await, Some(200));

    // A day later.
    let day = "update gateway_accounts
                  set secrets = jsonb_set(secrets, '{webhook_secret,1,valid_until}', to_jsonb(now() - interval '1 second'))";
    assert_eq!(world.db_run(day).await, 1);
    eventually("the old one is over", async || match notice(GATEWAY_WEBHOOK_SECRET).await {
        Some(401) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(notice(NEW).await, Some(200));
}

/// What is said without a proof is not believed, and makes the host ask: the gateway is the one that knows.
#[tokio::test]
async fn an_event_without_proof_makes_the_host_ask() {
    let world = told(NEVER_MS).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let charge = latest_charge(&world).await;
    // Half of it captured: the mock connector gives such an event no proof, because it tells half the story.
    let half = bodies::with(captured(&charge), &json!({ "captured": 1 }));
    let asked_before = world.simulator.calls("GET").await;
    assert_eq!(forge(&world, "charge.updated", &half, &json!({ "id": "gwe_half" })).await, Some(200));
    all_applied(&world).await;
    eventually("the gateway was asked", async || match world.simulator.calls("GET").await {
        asked if asked > asked_before => Ok(()),
        asked => Err(format!("{asked}")),
    })
    .await;
    assert_eq!(world.payment(&paid.id()).await["status"], "processing");
    assert_eq!(world.db_count("select count(*) from webhook_inbox where verified").await, 0);

    // Whoever guesses the id of an event cannot keep the gateway from telling it.
    weather(&world, "lost").await;
    world.simulator.settle_all().await;
    let whole = captured(&charge);
    assert_eq!(forge(&world, "charge.updated", &whole, &json!({ "id": "gwe_half" })).await, Some(200));
    world.payment_becomes(&paid.id(), "succeeded").await;
    assert_eq!(world.db_count("select count(*) from webhook_inbox where verified").await, 1);
    assert_eq!(world.db_count("select count(*) from webhook_deliveries").await, 2);
}

/// What signs somebody in is given to the connector and not to the database.
#[tokio::test]
async fn credentials_of_a_webhook_are_not_kept() {
    let world = told(NEVER_MS).await;
    let (time, body) = (chrono::Utc::now().timestamp(), br#"{"id":"gwe_1","type":"notice","created":1}"#);
    let signature = signed(GATEWAY_WEBHOOK_SECRET, &[format!("{time}.").as_bytes(), body].concat());
    let headers = [
        ("mock-signature", format!("t={time},v1={signature}")),
        ("authorization", "Basic aHVudGVyMjpodW50ZXIy".to_owned()),
        ("x-echo", format!("key {}", merchant::GATEWAY_API_KEY)),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    deliver(&world, &world.merchant.account, &headers, body.to_vec()).await.expect(200);
    let kept = world.db_text("select headers::text from webhook_deliveries").await.unwrap();
    assert!(kept.contains("mock-signature") && kept.contains("[secret:api_key]"), "{kept}");
    assert!(!kept.contains("aHVudGVyMjpodW50ZXIy") && !kept.contains(merchant::GATEWAY_API_KEY), "{kept}");
}

/// After three months what was applied goes, and what waits for a person stays.
#[tokio::test]
async fn old_webhooks_go_unless_somebody_waits_for_them() {
    let mut world = told(NEVER_MS).await;
    for (id, data) in [("gwe_done", json!({})), ("gwe_waits", captured(&nobodys_charge()))] {
        let kind = if id == "gwe_done" { "account.notice" } else { "charge.updated" };
        assert_eq!(forge(&world, kind, &data, &json!({ "id": id })).await, Some(200));
    }
    wait_out(&world).await;
    quarantined(&world, 1).await;
    for table in ["webhook_inbox", "webhook_deliveries"] {
        let age = format!("update {table} set received_at = now() - interval '91 days'");
        assert_eq!(world.db_run(&age).await, 2);
    }
    assert_eq!(forge(&world, "account.notice", &json!({}), &json!({ "id": "gwe_new" })).await, Some(200));
    // The house is kept at every start.
    world.host_mut(0).terminate().await;
    world.host_mut(0).start_again(&[]).await;
    eventually("the old one is gone", async || {
        let left = world.db_texts("select gateway_event_id from webhook_inbox order by 1").await;
        let deliveries = world.db_count("select count(*) from webhook_deliveries").await;
        if left == ["gwe_new", "gwe_waits"] && deliveries == 2 {
            Ok(())
        } else {
            Err(format!("{left:?}, {deliveries}"))
        }
    })
    .await;
    quarantined(&world, 1).await;
}
