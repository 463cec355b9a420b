//! Hosts that die while versions of connectors come and go: what they were about to change is changed as a whole, with its
//! row in the audit log, or not at all, and another host carries on. `crashes.rs` lists the points.

use std::os::unix::process::ExitStatusExt as _;

use futures_util::future::join_all;
use http::Method;
use interlock_tests::harness::{Builder, Caller, World, bodies, eventually};
use serde_json::json;

use super::{
    fault_kit::{install, quick, settled, victim},
    life_kit::{active, becomes, canary, follows, installed, life, notices, pay, states, variant},
};

/// Host 0 survives.
fn world() -> Builder {
    quick().setting("INTERLOCK_FAULT", "never")
}

async fn doomed(world: &mut World, fault: &str) -> usize {
    world.add_host(&[("INTERLOCK_FAULT", fault)]).await
}

async fn has_died(world: &mut World, host: usize, story: &str) {
    let status = world.host_mut(host).ended().await;
    assert!(status.signal().is_some(), "{story}: it was to abort, and ended with {status}");
}

/// Actions of the audit log about the connector, oldest first. Not by a host, which may be frozen.
async fn actions(world: &World) -> Vec<String> {
    let log =
        "select action || ' ' || (detail ->> 'version') from audit_log where subject = 'hostile' order by entry_id";
    world.db_texts(log).await
}

/// The states of the versions by number, from the tables.
async fn kept_states(world: &World) -> Vec<String> {
    world
        .db_texts("select version || ' ' || state from connector_versions where name = 'hostile' order by version")
        .await
}

/// A component is pushed, and the host that has judged it dies before or after it is kept. Pushed again at another host it
/// is kept once, and once in the audit log.
pub async fn a_component_was_judged(point: &str) {
    let mut world = world().start().await;
    let host = doomed(&mut world, point).await;
    let push = world.operator_at(host).request(Method::POST, "/admin/connectors");
    let push = push.header("content-type", "application/wasm").body(variant("0.1.0", ""));
    assert!(push.send().await.is_err(), "the host was to die");
    has_died(&mut world, host, point).await;
    let is_kept = point == "after_connector_kept";
    let wanted: &[&str] = if is_kept { &["connector.install 0.1.0"] } else { &[] };
    assert_eq!(actions(&world).await, wanted);
    assert_eq!(kept_states(&world).await.len(), usize::from(is_kept));

    let (status, answer) = install(&world, variant("0.1.0", "")).await;
    assert!(matches!(status, 200 | 201), "{answer}");
    assert_eq!(kept_states(&world).await, ["0.1.0 staged"]);
    assert_eq!(actions(&world).await, ["connector.install 0.1.0"]);
    life(&world, "0.1.0", "activate", &json!({})).await.expect(200);
    let shop = victim(&world, "well").await;
    let digest = answer["digest"].as_str().unwrap();
    world.host_mut(host).start_again(&[("INTERLOCK_FAULT", "never")]).await;
    for host in [0, host] {
        follows(&world, &world.on(host).with_token(&shop.key), digest).await;
    }
}

/// What operators ask for, in turn: the name of the deed, the request, what stands in the audit log afterwards, and the
/// states.
const DEEDS: [(&str, &str, Option<u8>, &str, &str); 6] = [
    (
        "activate",
        "versions/0.2.0/activate",
        Some(30),
        "connector.canary 0.2.0",
        "0.1.0 active, 0.2.0 canary 30, 0.3.0 staged",
    ),
    ("rollback", "rollback", None, "connector.rollback 0.2.0", "0.1.0 active, 0.2.0 draining, 0.3.0 staged"),
    (
        "activate",
        "versions/0.2.0/activate",
        None,
        "connector.activate 0.2.0",
        "0.1.0 draining, 0.2.0 active, 0.3.0 staged",
    ),
    ("rollback", "rollback", None, "connector.rollback 0.1.0", "0.1.0 active, 0.2.0 draining, 0.3.0 staged"),
    ("shadow", "versions/0.3.0/shadow", None, "connector.shadow 0.3.0", "0.1.0 active, 0.2.0 draining, 0.3.0 shadow"),
    ("retire", "versions/0.2.0/retire", None, "connector.retire 0.2.0", "0.1.0 active, 0.2.0 retired, 0.3.0 shadow"),
];

/// An operator changes something, and the host that does it dies: before its commit there is no change and no row in the
/// audit log, and another host does it; after it there are both, and another host does as it says.
pub async fn an_operator_changed_something(point: &str) {
    let mut world = world().start().await;
    let one = active(&world, "0.1.0", "").await;
    let two = installed(&world, "0.2.0", "").await;
    installed(&world, "0.3.0", "").await;
    let shop = victim(&world, "well").await;
    for (deed, path, share, entry, wanted) in DEEDS {
        let before = (states(&world).await, actions(&world).await);
        let host = doomed(&mut world, &format!("{deed}/{point}")).await;
        let path = format!("/admin/connectors/hostile/{path}");
        let body = share.map_or(json!({}), |share| json!({ "share": share }));
        let asked = world.operator_at(host).request(Method::POST, &path).json(&body).send().await;
        assert!(asked.is_err(), "{entry}: the host was to die");
        has_died(&mut world, host, entry).await;
        let mut log = before.1.clone();
        if point == "before_connector_change" {
            assert_eq!((states(&world).await, actions(&world).await), before, "{entry}");
            let again = world.operator().post_plain(&path, &body).await;
            assert!(matches!(again.status, 200 | 202), "{entry}: {}", again.text());
        }
        log.push(entry.to_owned());
        assert_eq!((states(&world).await, actions(&world).await), (wanted.to_owned(), log), "{entry}");
        let digest = if wanted.contains("0.2.0 active") || wanted.contains("0.2.0 canary") { &two } else { &one };
        follows(&world, &world.on(0).with_token(&shop.key), digest).await;
    }
}

/// A host has taken a replay, and dies before it begins or before it writes down what it saw. Another one does it when the
/// lease is over, and there is one report.
pub async fn a_replay_was_under_way(point: &str) {
    let mut world = world().start().await;
    active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    for _ in 0..2 {
        pay(&world, &world.on(0).with_token(&shop.key)).await;
    }
    installed(&world, "0.2.0", "").await;
    let host = doomed(&mut world, point).await;
    // The survivor must not be the one that takes it.
    world.host(0).freeze();
    let path = "/admin/connectors/hostile/versions/0.2.0/shadow";
    // It may die before it has answered.
    let _ = world.operator_at(host).request(Method::POST, path).json(&json!({})).send().await;
    has_died(&mut world, host, point).await;
    let left = "select count(*) from connector_shadows where owner is not null and due_at > clock_timestamp()";
    assert_eq!(world.db_count(left).await, 1, "it is leased to the host that died");
    assert_eq!(world.db_count("select count(*) from connector_versions where shadow is not null").await, 0);
    // A minute is too long for a test.
    assert_eq!(world.db_run("update connector_shadows set due_at = clock_timestamp()").await, 1);
    world.host(0).thaw();
    let report = eventually("the replay is done", async || {
        let shadow = world.operator().get(path).await.expect(200).json;
        if shadow["status"] == "done" { Ok(shadow["report"].clone()) } else { Err(shadow.to_string()) }
    })
    .await;
    assert_eq!((&report["replayed"], &report["equal"]), (&json!(2), &json!(2)), "{report}");
    assert_eq!(kept_states(&world).await, ["0.1.0 active", "0.2.0 shadow"]);
}

/// A host dies with what it has counted in the last second: that is lost, and nothing else. The others tell theirs, and it
/// does when it is back.
pub async fn what_was_counted_was_not_told(point: &str) {
    let mut world = world().start().await;
    active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    let host = doomed(&mut world, point).await;
    follows(&world, &world.on(0).with_token(&shop.key), &world.db_text(ACTIVE).await.unwrap()).await;
    let told = async |world: &World| {
        world.db_count("select coalesce(sum(operations), 0)::bigint from connector_health where name = 'hostile'").await
    };
    let ended = "select count(*) from operations where connector = 'hostile' and finished_at is not null";
    let wanted = world.db_count(ended).await;
    eventually("the survivor has told", async || {
        let told = told(&world).await;
        if told == wanted { Ok(()) } else { Err(format!("{told} of {wanted}")) }
    })
    .await;
    // It pays, counts that, and dies when it is to tell.
    let _ = world.on(host).with_token(&shop.key).try_post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
    has_died(&mut world, host, point).await;
    assert_eq!(told(&world).await, wanted, "what it counted is lost");
    world.host_mut(host).start_again(&[("INTERLOCK_FAULT", "never")]).await;
    follows(&world, &world.on(host).with_token(&shop.key), &world.db_text(ACTIVE).await.unwrap()).await;
    eventually("it tells again", async || {
        let told = told(&world).await;
        if told > wanted { Ok(()) } else { Err(format!("{told} after {wanted}")) }
    })
    .await;
}

/// The digest that new operations begin with.
const ACTIVE: &str = "select encode(active_digest, 'hex') from connectors where name = 'hostile'";

/// What hosts change by themselves: the deed, what the version was that it is done to, and how accounts behave that are paid
/// by it. A version that behaves like that by itself would not be let in.
const BY_SWITCH: [(&str, &str, &str); 3] =
    [("quarantine", "active", "trap"), ("take_back", "canary", "fail"), ("quarantine_shadow", "shadow", "trap_after")];
/// Payments by which a canary is judged: enough fall to its share.
const PAYMENTS: usize = 40;
/// So many traps put a version in quarantine.
const TRAPS: usize = 5;

/// A version does badly, and the host that takes it out dies. Before the commit there is no change, no row in the audit log,
/// no notice and no report, and another host does all of it; after it there is each of them, once.
async fn a_host_changed_something(point: &str, (deed, was, behaviour): (&str, &str, &str)) {
    let mut world = world().start().await;
    let one = active(&world, "0.1.0", "").await;
    let (shop, bad) = (victim(&world, "well").await, victim(&world, behaviour).await);
    let caller = world.on(0).with_token(&shop.key);
    if was == "shadow" {
        record_traps(&world, &world.on(0).with_token(&bad.key)).await;
    }
    // From here on traps count. What was counted before would put the wrong one in quarantine.
    world.host_mut(0).terminate().await;
    world.db_run("delete from connector_health").await;
    world.host_mut(0).start_again(&[("INTERLOCK_QUARANTINE_TRAPS", &TRAPS.to_string())]).await;
    let fault = format!("{deed}/{point}");
    let settings = [("INTERLOCK_FAULT", fault.as_str()), ("INTERLOCK_QUARANTINE_TRAPS", &TRAPS.to_string())];
    let host = world.add_host(&settings).await;
    match was {
        "active" => active(&world, "0.2.0", "").await,
        "canary" => canary(&world, "0.2.0", "", 90).await,
        _ => installed(&world, "0.2.0", "").await,
    };
    if was == "shadow" {
        // The survivor must not be the one that takes it.
        world.host(0).freeze();
        let path = "/admin/connectors/hostile/versions/0.2.0/shadow";
        // It may die before it has answered.
        let _ = world.operator_at(host).request(Method::POST, path).json(&json!({})).send().await;
    } else {
        let new = "select encode(digest, 'hex') from connector_versions where name = 'hostile' and version = '0.2.0'";
        let new = world.db_text(new).await.unwrap();
        follows(&world, &world.on(host).with_token(&shop.key), &new).await;
        world.host(0).freeze();
        let doomed = world.on(host).with_token(&bad.key);
        let pays = (0..PAYMENTS).map(|number| {
            let doomed = doomed.clone();
            // The last ones may find nobody.
            async move {
                doomed.try_post("/v1/payments", &format!("bad-{number}"), &bodies::payment(bodies::GOOD)).await.is_ok()
            }
        });
        join_all(pays).await;
    }
    has_died(&mut world, host, deed).await;
    let is_shadow = i64::from(was == "shadow");
    let end = if was == "canary" { "0.2.0 draining" } else { "0.2.0 quarantined" };
    let wanted = (end.to_owned(), (1, 1, is_shadow));
    if point == "before_connector_change" {
        assert_eq!(traces(&world).await, (format!("0.2.0 {was}"), (0, 0, 0)), "{deed}");
        // A minute is too long for a test.
        world.db_run("update connector_shadows set due_at = clock_timestamp()").await;
    } else {
        assert_eq!(traces(&world).await, wanted, "{deed}");
    }
    world.host(0).thaw();
    becomes(&world, &format!("0.1.0 active, {end}")).await;
    let caller = world.on(0).with_token(caller.token().unwrap());
    follows(&world, &caller, &one).await;
    assert_eq!(traces(&world).await, wanted, "{deed}");
    let told = notices(&world).await;
    assert_eq!(told.len(), 1, "{told:?}");
}

/// Payments whose connector traps when the card has been charged. What became of them is asked for.
async fn record_traps(world: &World, caller: &Caller) {
    for _ in 0..=TRAPS {
        let payment = caller.post("/v1/payments", &world.fresh_key(), &bodies::payment(bodies::GOOD)).await.expect(202);
        assert_eq!(settled(caller, &payment.id()).await["status"], "succeeded");
    }
}

/// The second version's state; rows of the audit log by hosts themselves, notices, and reports of replays.
async fn traces(world: &World) -> (String, (i64, i64, i64)) {
    let changes = "select count(*) from audit_log where subject = 'hostile' and actor like 'switch%'";
    let notices = "select count(*) from notices where subject = 'hostile'";
    let reports = "select count(*) from connector_versions where shadow is not null";
    let counts = (world.db_count(changes).await, world.db_count(notices).await, world.db_count(reports).await);
    (kept_states(world).await.remove(1), counts)
}

macro_rules! by_switch {
    ($($test:ident: $point:literal $number:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                a_host_changed_something($point, BY_SWITCH[$number]).await;
            }
        )*
    };
}

by_switch! {
    a_quarantine_that_was_not_committed: "before_connector_change" 0;
    a_quarantine_that_was_committed: "after_connector_change" 0;
    a_canary_taken_back_that_was_not_committed: "before_connector_change" 1;
    a_canary_taken_back_that_was_committed: "after_connector_change" 1;
    a_shadow_in_quarantine_that_was_not_committed: "before_connector_change" 2;
    a_shadow_in_quarantine_that_was_committed: "after_connector_change" 2;
}
