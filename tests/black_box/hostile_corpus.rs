//! The corpus of attacks by a connector that was let in, on a payment: each asks for one thing that nobody approved, or
//! says of a charge what is not so. `tests/hostile/README.md` goes through them one by one.

use futures_util::future::join_all;
use interlock_tests::harness::World;
use serde_json::json;

use super::{
    fault_kit::{install_hostile, quick, settled, victim},
    hostile_connectors::{Bystander, pay},
};

/// Requests of `tests/hostile/src/attack.rs`, none of which may leave the host.
pub const ATTACKS: [&str; 56] = [
    "hole_in_another_field",
    "hole_in_a_name",
    "hole_outside_a_string",
    "hole_in_a_doubled_member",
    "hole_behind_forged_marks",
    "hole_in_a_form",
    "hole_in_a_raw_body",
    "hole_in_a_header",
    "hole_by_another_method",
    "secret_undeclared",
    "secret_without_a_place",
    "secret_of_an_account",
    "secret_by_basic_auth",
    "secret_as_a_session",
    "secret_as_a_computed_value",
    "secret_in_another_header",
    "secret_in_a_body",
    "secret_in_a_mac",
    "origin_undeclared",
    "origin_by_user",
    "origin_by_port",
    "origin_by_scheme",
    "origin_by_suffix",
    "origin_by_backslash",
    "origin_by_fragment",
    "origin_by_path_upwards",
    "origin_by_hidden_path",
    "origin_by_encoded_slash",
    "origin_by_line",
    "origin_of_metadata",
    "header_host",
    "header_length",
    "header_chunked",
    "header_connection",
    "header_te",
    "header_upgrade",
    "header_proxy",
    "header_line_end",
    "header_bare_line_feed",
    "header_nul",
    "header_name_with_a_line",
    "header_name_with_a_blank",
    "header_capital",
    "header_empty_name",
    "header_beyond_ascii",
    "header_twice",
    "giant_url",
    "giant_header",
    "giant_name",
    "giant_body",
    "giant_count_of_headers",
    "giant_count_of_computed_values",
    "giant_depth",
    "giant_count_of_holes",
    "method_get_with_body",
    // The oldest of them, which tests elsewhere play too.
    "misplaced",
];

/// What `tests/hostile/src/lie.rs` says of a charge that was made, and where the payment must end: with a person where
/// the host sees that it was lied to, and as what the gateway says where it does not take the answer for one.
pub const LIES: [(&str, &str); 12] = [
    ("lie_more", "manual_review"),
    ("lie_less", "manual_review"),
    ("lie_other_currency", "manual_review"),
    ("lie_refunded", "manual_review"),
    ("lie_most", "succeeded"),
    ("lie_no_currency", "succeeded"),
    ("lie_long_reference", "succeeded"),
    ("lie_reference_with_nul", "succeeded"),
    ("lie_many_references", "succeeded"),
    ("lie_never_received", "succeeded"),
    ("lie_script", "succeeded"),
    ("lie_no_action", "succeeded"),
];

/// Payments that are under way at one time: a connection of the pool each, and nobody waits for long.
const AT_ONCE: usize = 8;

/// Nothing leaves the host: the gateway has heard of nobody but the bystander, each payment has failed without a doubt,
/// the secret stands in no log, and whoever pays by another connector has noticed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_of_the_corpus_leaves_the_host() {
    let world = quick().start().await;
    install_hostile(&world).await;
    let (process, bystander) = (world.host(0).id(), Bystander::of(&world));
    let mut sent = Vec::new();
    for some in ATTACKS.chunks(AT_ONCE) {
        sent.extend(join_all(some.iter().map(|attack| sent_something(&world, attack))).await.into_iter().flatten());
    }
    assert_eq!(sent, Vec::<String>::new());
    let paid = bystander.has_noticed_nothing().await;
    assert_eq!(world.simulator.charges().await.len(), paid);
    assert_eq!(world.simulator.calls("POST").await, paid, "nothing else was asked of the gateway");
    assert_eq!(
        world.db_count("select count(*) from exchange_replies where body is not null").await,
        i64::try_from(paid).unwrap()
    );
    assert_eq!(world.host(0).id(), process);
}

/// What became of an attack that was not stopped before anything was sent.
async fn sent_something(world: &World, attack: &str) -> Option<String> {
    let caller = world.of(&victim(world, attack).await);
    let (status, payment) = pay(&caller).await;
    let id = payment["id"].as_str().unwrap_or_else(|| panic!("{attack}: {payment}"));
    let attempts = caller.get(&format!("/v1/payments/{id}/attempts")).await.expect(200).json;
    let seen = (status, &payment["status"], &payment["last_error"]["code"], &attempts["data"][0]["status"]);
    (seen != (201, &json!("failed"), &json!("gateway_unreachable"), &json!("not_sent")))
        .then(|| format!("{attack}: {seen:?}"))
}

/// What is said of a charge that was made is compared with what was asked for, or not taken for an answer at all; no
/// payment is a success because its connector says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_about_a_charge_is_believed() {
    let world = quick().start().await;
    install_hostile(&world).await;
    let bystander = Bystander::of(&world);
    let mut believed = Vec::new();
    for some in LIES.chunks(AT_ONCE) {
        let ends = join_all(some.iter().map(|(lie, end)| ends_otherwise(&world, lie, end))).await;
        believed.extend(ends.into_iter().flatten());
    }
    assert_eq!(believed, Vec::<String>::new());
    let paid = bystander.has_noticed_nothing().await;
    assert_eq!(world.simulator.charges().await.len(), paid + LIES.len());
    assert_eq!(world.ledger().await["charged_twice"], json!([]));
}

/// How a lie ended, where that is not as it must.
async fn ends_otherwise(world: &World, lie: &str, end: &str) -> Option<String> {
    let caller = world.of(&victim(world, lie).await);
    let (_, payment) = pay(&caller).await;
    let payment = settled(&caller, payment["id"].as_str().unwrap_or_else(|| panic!("{lie}: {payment}"))).await;
    let seen = (&payment["status"], &payment["amount_captured"]);
    let captured = if end == "succeeded" { 1250 } else { 0 };
    (seen != (&json!(end), &json!(captured))).then(|| format!("{lie}: {seen:?}"))
}
