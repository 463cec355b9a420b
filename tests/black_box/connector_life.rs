//! The life of a connector's version: canary, active, draining, retired, while payments go on, over restarts and on every
//! host.

use futures_util::future::join_all;
use interlock::domain::connector_life::is_canarys;
use interlock_tests::harness::bodies;
use serde_json::{Value, json};

use super::{
    fault_kit::{charged, install, quick, settled, victim},
    languages_kit::component,
    life_kit::{
        active, audit, becomes, canary, digest_of, digests, follows, id_of, installed, life, pay, rollback, states,
    },
};

/// A canary takes the payments that fall to its share, exactly those, whichever host is asked: also one that starts later,
/// and also for what is done with the payment afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_takes_its_share_of_the_payments_on_every_host() {
    const SHARE: u8 = 40;
    let mut world = quick().hosts(2).start().await;
    let old = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    follows(&world, &world.on(1).with_token(&shop.key), &old).await;
    let new = canary(&world, "0.2.0", "", SHARE).await;
    assert_eq!(states(&world).await, format!("0.1.0 active, 0.2.0 canary {SHARE}"));
    let wanted = |payment: &Value| if is_canarys(id_of(payment), SHARE) { new.clone() } else { old.clone() };
    // The host that was told does at once what it was told; the other one follows.
    let late = world.add_host(&[]).await;
    follows(&world, &world.on(1).with_token(&shop.key), &new).await;
    let mut taken = 0;
    for host in [0, 1, late] {
        let caller = world.on(host).with_token(&shop.key);
        for payment in join_all((0..20).map(|_| pay(&world, &caller))).await {
            assert_eq!(payment["status"], "succeeded", "{payment}");
            let digest = digest_of(&world, &payment).await;
            assert_eq!(digest, wanted(&payment), "{payment} on host {host}");
            taken += usize::from(digest == new);
            let refund = caller.step(payment["id"].as_str().unwrap(), "refunds", &world.fresh_key(), &json!({})).await;
            assert!(refund.status < 300, "{}", refund.text());
            assert_eq!(digests(&world, &payment, "refund").await, [digest]);
        }
    }
    assert!(taken > 0 && taken < 60, "{taken} of 60");

    // A larger share is the same canary; all of it is a new active version.
    life(&world, "0.2.0", "activate", &json!({ "share": 60 })).await.expect(200);
    assert_eq!(states(&world).await, "0.1.0 active, 0.2.0 canary 60");
    life(&world, "0.2.0", "activate", &json!({})).await.expect(200);
    assert_eq!(states(&world).await, "0.1.0 draining, 0.2.0 active");
    for host in [0, 1, late] {
        follows(&world, &world.on(host).with_token(&shop.key), &new).await;
    }
}

/// A host that stood still while versions came and went does, when it wakes, what the others do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_cut_off_follows_when_it_is_back() {
    let world = quick().hosts(2).start().await;
    let old = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    let caller = world.on(1).with_token(&shop.key);
    follows(&world, &caller, &old).await;
    world.host(1).freeze();
    let new = active(&world, "0.2.0", "").await;
    canary(&world, "0.3.0", "", 1).await;
    rollback(&world).await.expect(200);
    world.host(1).thaw();
    follows(&world, &caller, &new).await;
    assert_eq!(states(&world).await, "0.1.0 draining, 0.2.0 active, 0.3.0 draining");
}

/// What an operator asks for and cannot have is refused with the reason, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_with_the_reason() {
    let world = quick().start().await;
    let one = installed(&world, "0.1.0", "").await;
    let refused =
        life(&world, "0.1.0", "activate", &json!({ "share": 5 })).await.expect_problem(409, "connector_state");
    assert!(refused.json["detail"].as_str().unwrap().contains("share of 100"), "{}", refused.text());
    rollback(&world).await.expect_problem(409, "connector_state");
    life(&world, "0.1.0", "activate", &json!({ "share": 100 })).await.expect(200);
    life(&world, "0.1.0", "activate", &json!({ "share": 5 })).await.expect_problem(409, "connector_state");
    life(&world, "0.1.0", "retire", &json!({})).await.expect_problem(409, "connector_state");
    rollback(&world).await.expect_problem(409, "connector_state");
    canary(&world, "0.2.0", "", 5).await;
    installed(&world, "0.3.0", "").await;
    life(&world, "0.3.0", "activate", &json!({ "share": 5 })).await.expect_problem(409, "connector_state");
    life(&world, "0.2.0", "retire", &json!({})).await.expect_problem(409, "connector_state");
    for share in [json!(0), json!(101), json!("5"), json!(-1), json!(1.5)] {
        let refused = life(&world, "0.3.0", "activate", &json!({ "share": share })).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/share"]);
    }
    for verb in ["activate", "retire", "shadow"] {
        life(&world, "9.9.9", verb, &json!({})).await.expect_problem(404, "not_found");
        let refused = life(&world, "0.3.0", &format!("{verb}?digest=abc"), &json!({})).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/digest"]);
    }
    let nobody = world.operator().post_plain("/admin/connectors/nobody/rollback", &json!({})).await;
    nobody.expect_problem(404, "not_found");
    assert_eq!(world.db_count("select count(*) from connectors where name = 'nobody'").await, 0);
    world.operator().get("/admin/connectors/nobody/health").await.expect_problem(404, "not_found");
    assert_eq!(states(&world).await, "0.1.0 active, 0.2.0 canary 5, 0.3.0 staged");

    // Two components under one number: the one that came last is meant, or the one that is named.
    let other = installed(&world, "0.1.0", "two_steps").await;
    life(&world, "0.1.0", "activate", &json!({})).await.expect(200);
    let digest_that_is = async |state: &str| {
        let digest = format!(
            "select encode(digest, 'hex') from connector_versions where name = 'hostile' and state = '{state}'"
        );
        world.db_text(&digest).await.unwrap()
    };
    assert_eq!((digest_that_is("active").await, digest_that_is("draining").await), (other.clone(), one.clone()));
    life(&world, "0.1.0", &format!("activate?digest={one}"), &json!({})).await.expect(200);
    assert_eq!((digest_that_is("active").await, digest_that_is("draining").await), (one, other));

    // The canary is what a rollback takes first; what changes nothing is no news for the audit log.
    rollback(&world).await.expect(200);
    life(&world, "0.1.0", "activate", &json!({})).await.expect(200);
    life(&world, "0.1.0", "activate", &json!({})).await.expect(200);
    let log = audit(&world).await;
    let done: Vec<&str> =
        log.iter().map(String::as_str).filter(|line| !line.starts_with("connector.install")).collect();
    assert_eq!(
        done,
        [
            "connector.activate 0.1.0 by operator",
            "connector.canary 0.2.0 by operator",
            "connector.activate 0.1.0 by operator",
            "connector.activate 0.1.0 by operator",
            "connector.rollback 0.2.0 by operator",
            "connector.activate 0.1.0 by operator",
        ]
    );

    // A rollback that is sent again, or says a version that is in use no more, takes nothing else back.
    life(&world, "0.3.0", "activate", &json!({})).await.expect(200);
    let back = async |from: Value| world.operator().post_plain("/admin/connectors/hostile/rollback", &from).await;
    back(json!({ "version": "0.2.0" })).await.expect_problem(409, "connector_state");
    back(json!({ "version": "0.3.0" })).await.expect(200);
    back(json!({ "version": "0.3.0" })).await.expect_problem(409, "connector_state");
    back(json!({})).await.expect_problem(409, "connector_state");
    back(json!({ "version": "9.9.9" })).await.expect_problem(404, "not_found");
    assert_eq!(
        back(json!({ "digest": "0".repeat(64) })).await.expect_problem(422, "invalid_request").pointers(),
        ["/version"]
    );
    assert_eq!(states(&world).await, "0.1.0 active, 0.1.0 draining, 0.2.0 draining, 0.3.0 draining");
}

/// A host that compiles a version for half a minute does meanwhile what operators make of the others: nobody waits with a
/// bad version for a slow one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_component_keeps_no_host_from_following() {
    let mut world = quick().start().await;
    let old = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    // With nothing compiled yet.
    let cache = tempfile::tempdir().unwrap();
    let slow = world.add_host(&[("INTERLOCK_CACHE_DIR", &cache.path().display().to_string())]).await;
    let caller = world.on(slow).with_token(&shop.key);
    follows(&world, &caller, &old).await;
    let (status, answer) = install(&world, component("tiny-python")).await;
    assert_eq!(status, 201, "{answer}");
    world.operator().post_plain("/admin/connectors/tiny-python/versions/0.1.0/activate", &json!({})).await.expect(200);
    let has_all = async || world.operator_at(slow).get("/readyz").await.json["connectors"] == true;
    assert!(!has_all().await, "it compiles");
    canary(&world, "0.2.0", "", 99).await;
    rollback(&world).await.expect(200);
    let new = active(&world, "0.3.0", "").await;
    follows(&world, &caller, &new).await;
    assert!(!has_all().await, "it compiles still");
    assert_eq!(states(&world).await, "0.1.0 draining, 0.2.0 draining, 0.3.0 active");
}

/// A version is rolled back while its payments are under way, their host is killed and started again, and an operator wants
/// to retire it. Each payment ends with the version that began it, which then may go. The new version asks the gateway
/// twice where the old one asks once: run by the other, an operation would diverge from its journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_end_with_the_version_that_began_them() {
    const PAYMENTS: usize = 6;
    let mut world = quick()
        .setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "8000")
        .setting("INTERLOCK_LEASE_MS", "9000")
        .hosts(2)
        .start()
        .await;
    let old = active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    let new = active(&world, "0.2.0", "two_steps").await;
    follows(&world, &world.on(1).with_token(&shop.key), &new).await;
    let before = world.simulator.charges().await.len();
    let slow = json!({ "delay": { "ms": 7_000, "when": "after" } });
    world.simulator.fail_next_posts(u32::try_from(PAYMENTS).unwrap(), slow).await;
    let waiting: Vec<_> = (0..PAYMENTS)
        .map(|number| {
            let caller = world.on(1).with_token(&shop.key);
            tokio::spawn(async move {
                caller.try_post("/v1/payments", &format!("k{number}"), &bodies::payment(bodies::GOOD)).await
            })
        })
        .collect();
    charged(&world, before + PAYMENTS).await;
    rollback(&world).await.expect(200);
    let refused = life(&world, "0.2.0", "retire", &json!({})).await.expect_problem(409, "connector_state");
    assert!(refused.json["detail"].as_str().unwrap().contains("not final"), "{}", refused.text());
    world.host_mut(1).kill().await;
    for ended in join_all(waiting).await {
        assert!(ended.unwrap().is_err(), "a dead host answers nobody");
    }
    let caller = world.on(0).with_token(&shop.key);
    let meanwhile = pay(&world, &caller).await;
    assert_eq!((digest_of(&world, &meanwhile).await, &meanwhile["status"]), (old, &json!("succeeded")));
    world.host_mut(1).start_again(&[]).await;
    let ids = world
        .db_texts(&format!(
            "select p.payment_id::text from payments p join attempts a using (merchant_id, payment_id)
              where encode(a.digest, 'hex') = '{new}' order by p.created_at"
        ))
        .await;
    for id in &ids {
        let id = interlock::domain::id::PaymentId::from_uuid(id.parse().unwrap()).to_string();
        assert_eq!(settled(&caller, &id).await["status"], "succeeded");
    }
    assert!(ids.len() > PAYMENTS, "{} payments began with the new version", ids.len());
    let mixed = "select count(*) from operations o join attempts a using (merchant_id, payment_id)
                  where o.kind = 'sync' and o.digest <> a.digest";
    assert_eq!(world.db_count(mixed).await, 0);
    for host in [0, 1] {
        assert!(!world.host(host).log().contains("diverged"), "host {host} ran an operation with another version");
    }
    assert_eq!(world.simulator.charges().await.len(), before + PAYMENTS + 1);
    life(&world, "0.2.0", "retire", &json!({})).await.expect(200);
    life(&world, "0.2.0", "retire", &json!({})).await.expect(200);
    becomes(&world, "0.1.0 active, 0.2.0 retired").await;
    rollback(&world).await.expect_problem(409, "connector_state");
    // It can come back: its bytes are kept.
    life(&world, "0.2.0", "activate", &json!({})).await.expect(200);
    follows(&world, &world.on(1).with_token(&shop.key), &new).await;
}
