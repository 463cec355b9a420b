//! Versions that do badly are taken back or out by themselves, once, on every host, and payments go on with the version
//! before.

use futures_util::future::join_all;
use interlock_tests::harness::{Caller, World, bodies, eventually};
use serde_json::{Value, json};

use super::{
    fault_kit::{quick, victim},
    life_kit::{active, audit, becomes, canary, digest_of, follows, life, notices, pay, rollback},
};

/// Pays so many times at once; the digests with which the payments began.
async fn pays(world: &World, caller: &Caller, count: usize) -> Vec<Value> {
    join_all((0..count).map(|_| pay(world, caller))).await
}

/// Half of the payments go to a canary that fails them. After some tens of them it is taken back, by one of two hosts, and
/// all that come later go well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_fails_more_often_is_rolled_back_by_itself() {
    let world = quick().hosts(2).start().await;
    let old = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    canary(&world, "0.2.0", "fail", 50).await;
    let caller = world.on(0).with_token(&shop.key);
    let mut failed = 0;
    // It cannot be judged before it has ended twenty, and is judged by that.
    while failed < 20 {
        failed += pays(&world, &caller, 10).await.iter().filter(|payment| payment["status"] == "failed").count();
    }
    becomes(&world, "0.1.0 active, 0.2.0 draining").await;
    for host in [0, 1] {
        let caller = world.on(host).with_token(&shop.key);
        eventually(&format!("host {host} has followed"), async || {
            let payments = pays(&world, &caller, 10).await;
            if payments.iter().all(|payment| payment["status"] == "succeeded") { Ok(()) } else { Err("not yet".into()) }
        })
        .await;
        follows(&world, &caller, &old).await;
    }
    let by_switch: Vec<String> = audit(&world).await.into_iter().filter(|line| line.ends_with("by switch")).collect();
    assert_eq!(by_switch, ["connector.rollback 0.2.0 by switch"]);
    let notices = notices(&world).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(
        (&notices[0]["kind"], &notices[0]["merchant"], &notices[0]["subject"], &notices[0]["detail"]["version"]),
        (&json!("canary_rolled_back"), &Value::Null, &json!("hostile"), &json!("0.2.0"))
    );
    assert!(notices[0]["detail"]["counts"]["failed"].as_u64().is_some_and(|failed| failed > 0), "{notices:?}");
    let dismissed = format!("/admin/notices/{}/dismiss", notices[0]["id"].as_str().unwrap());
    world.operator().post_plain(&dismissed, &json!({})).await.expect(200);
    // The audit log is read as before: the notice belonged to no merchant.
    let log = world.operator().get("/admin/audit_log?action=notice.dismiss").await.expect(200).json;
    assert_eq!(log["data"][0]["merchant"], Value::Null, "{log}");

    // Made a canary again, it is judged by what it does from then on.
    life(&world, "0.2.0", "activate", &json!({ "share": 1 })).await.expect(200);
    let shown = world.operator().get("/admin/connectors/hostile/health").await.expect(200).json;
    let row = shown["versions"].as_array().unwrap().iter().find(|row| row["version"] == "0.2.0").unwrap();
    assert_eq!((&row["state"], &row["share"]), (&json!("canary"), &json!(1)));
    assert!(row["since_state"]["operations"].as_u64().unwrap() < 20, "{row}");
}

/// What hosts count is shown, over all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_version_does_is_counted_over_all_hosts() {
    let world = quick().hosts(2).start().await;
    let digest = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    let callers = [0, 1].map(|host| world.on(host).with_token(&shop.key));
    follows(&world, &callers[1], &digest).await;
    for caller in &callers {
        pays(&world, caller, 3).await;
    }
    // The gateway answers nobody: the outcome is unknown, and found out later.
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let body = bodies::payment(bodies::GOOD);
    callers[0].post("/v1/payments", "unknown", &body).await.expect(202);
    let ended = world.db_count("select count(*) from operations where kind = 'authorize'").await;
    let counts = eventually("all is counted", async || {
        let shown = world.operator().get("/admin/connectors/hostile/health").await.expect(200).json;
        let counts = shown["versions"][0]["last_hour"].clone();
        if counts["operations"] == ended { Ok(counts) } else { Err(shown.to_string()) }
    })
    .await;
    assert_eq!(
        (&counts["unknown"], &counts["failed"], &counts["traps"]),
        (&json!(1), &json!(0), &json!(0)),
        "{counts}"
    );
    assert!(counts["runs"].as_i64().unwrap() >= 2 * ended - 1, "{counts}");
}

/// A new version traps in every run. Within seconds it is out, on every host, and the version before has its work again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_traps_is_put_in_quarantine_and_the_one_before_takes_over() {
    let world = quick().setting("INTERLOCK_QUARANTINE_TRAPS", "5").hosts(2).start().await;
    let old = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    active(&world, "0.2.0", "trap").await;
    let caller = world.on(0).with_token(&shop.key);
    for payment in pays(&world, &caller, 5).await {
        assert_eq!(payment["status"], "failed", "{payment}");
    }
    becomes(&world, "0.1.0 active, 0.2.0 quarantined").await;
    for host in [0, 1] {
        follows(&world, &world.on(host).with_token(&shop.key), &old).await;
    }
    assert_eq!(pay(&world, &caller).await["status"], "succeeded");
    let by_switch: Vec<String> = audit(&world).await.into_iter().filter(|line| line.ends_with("by switch")).collect();
    assert_eq!(by_switch, ["connector.quarantine 0.2.0 by switch"]);
    let notices = notices(&world).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(
        (&notices[0]["kind"], &notices[0]["detail"]["was"], &notices[0]["detail"]["next"]),
        (&json!("connector_quarantined"), &json!("active"), &json!("0.1.0"))
    );
    // No way leads back to it but the operator's word.
    rollback(&world).await.expect_problem(409, "connector_state");
    life(&world, "0.2.0", "shadow", &json!({})).await.expect_problem(409, "connector_state");
    let succeeded = world.db_texts("select payment_id::text from payments where status = 'succeeded'").await;
    assert_eq!(world.simulator.charges().await.len(), succeeded.len());
}

/// There is no version before it: payments wait for an operator, under the same key, and are charged once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_version_before_payments_wait() {
    let world = quick().setting("INTERLOCK_QUARANTINE_TRAPS", "5").start().await;
    active(&world, "0.1.0", "trap").await;
    let shop = victim(&world, "well").await;
    let caller = world.on(0).with_token(&shop.key);
    pays(&world, &caller, 5).await;
    becomes(&world, "0.1.0 quarantined").await;
    let shown = world.operator().get("/admin/connectors/hostile").await.expect(200).json;
    assert_eq!(shown["active_version"], Value::Null);
    let body = bodies::payment(bodies::GOOD);
    let refused = caller.post("/v1/payments", "patient", &body).await.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    let new = active(&world, "0.2.0", "").await;
    let paid = caller.post("/v1/payments", "patient", &body).await.expect(201);
    assert_eq!(paid.payment_status(), "succeeded");
    assert!(!paid.is_replay());
    assert_eq!(world.simulator.charges().await.len(), 1);
    assert_eq!(digest_of(&world, &paid.json).await, new);
}
