//! The rules hold in every state of every configuration.

use std::time::Instant;

use interlock_model::setup::{Gateway, Setup};
use stateright::{Checker as _, Model as _};

const KEYS: Gateway = Gateway { keys: true, ..Gateway::MUTE };
const LOOKUP: Gateway = Gateway { lookup: true, ..Gateway::MUTE };
const WEBHOOKS: Gateway = Gateway { webhooks: true, ..Gateway::MUTE };

/// Walks all of it in one thread (the others are for the other tests), and says how much that was.
fn check(name: &str, setup: Setup) {
    let begun = Instant::now();
    let checker = setup.checker().spawn_bfs().join();
    let (states, steps, depth) = (checker.unique_state_count(), checker.state_count(), checker.max_depth());
    eprintln!("{name}: {states} states, {steps} steps, {depth} deep, {:.1?}", begun.elapsed());
    checker.assert_properties();
}

/// Two clients under one key, one of them twice; a host that dies.
fn one_key(gateway: Gateway) -> Setup {
    Setup { requests: [2, 1], ..Setup::of(gateway) }
}

/// Two clients with keys of their own, and a second attempt.
fn two_keys(gateway: Gateway) -> Setup {
    Setup::of(gateway).two_keys()
}

/// As [`Setup::of`], and a second account where the first did nothing or advises it.
fn two_accounts(gateway: Gateway) -> Setup {
    Setup { accounts: 2, attempts: 2, ..Setup::of(gateway) }
}

/// A gateway that knows keys: what is unknown is sent again.
#[test]
fn one_key_where_the_gateway_knows_keys() {
    check("one key; keys", one_key(KEYS));
}

/// `resend: never`, and a lookup that may lag: what is unknown is asked for.
#[test]
fn one_key_where_the_gateway_can_be_asked() {
    check("one key; lookup", one_key(LOOKUP));
}

/// Neither keys nor lookup: what is unknown waits for a webhook or a person.
#[test]
fn one_key_where_the_gateway_tells_by_webhook_alone() {
    check("one key; webhooks", one_key(WEBHOOKS));
}

/// Nothing at all: only a person finds out.
#[test]
fn one_key_where_the_gateway_is_mute() {
    check("one key; mute", one_key(Gateway::MUTE));
}

/// Resends and questions take turns, often enough for a "never received" to count after a resend.
#[test]
fn one_key_where_resends_and_questions_take_turns() {
    check("one key; keys and lookup", Setup { checks: 3, ..Setup::of(Gateway { lookup: true, ..KEYS }) });
}

/// The gateway says of some requests that it did not process them, and may process the same ones the next time.
#[test]
fn one_key_where_the_gateway_refuses_now_and_then() {
    check("one key; keys, refuses", one_key(Gateway { refuses: true, ..KEYS }));
    check("one key; lookup, refuses", one_key(Gateway { refuses: true, ..LOOKUP }));
}

/// The window for keys ends while the outcome is unknown.
#[test]
fn one_key_where_the_gateway_forgets_keys() {
    check("one key; forgets keys", Setup { crashes: 0, ..Setup::of(Gateway { forgets_keys: true, ..KEYS }) });
}

/// Accepted first, decided later.
#[test]
fn one_key_where_the_gateway_decides_later() {
    check("one key; later, keys", Setup::of(Gateway { decides_later: true, ..KEYS }));
    check("one key; later, webhooks", one_key(Gateway { decides_later: true, ..WEBHOOKS }));
    check("one key; later, lookup", Setup::of(Gateway { decides_later: true, ..LOOKUP }));
}

/// Two requests for one payment: they race, or the second is the new attempt after a failure. All three hosts live.
#[test]
fn two_keys_where_the_gateway_knows_keys() {
    check("two keys; keys", Setup { crashes: 0, ..two_keys(KEYS) });
}

/// As above.
#[test]
fn two_keys_where_the_gateway_can_be_asked() {
    check("two keys; lookup", Setup { crashes: 0, ..two_keys(LOOKUP) });
}

/// As above, with two hosts, one of which dies.
#[test]
fn two_keys_and_a_host_that_dies() {
    check("two keys; keys, dies", Setup { hosts: 2, ..two_keys(KEYS) });
    check("two keys; lookup, dies", Setup { hosts: 2, ..two_keys(LOOKUP) });
}

/// As the first.
#[test]
fn two_keys_where_the_gateway_tells_by_webhook_alone() {
    check("two keys; webhooks", two_keys(WEBHOOKS));
    check("two keys; mute", two_keys(Gateway::MUTE));
}

/// A gateway that calls a decline off after the new attempt was paid, or before: the surplus is seen.
#[test]
fn two_keys_where_the_gateway_calls_declines_off() {
    let setup = two_keys(Gateway { reopens: true, ..WEBHOOKS });
    check("two keys; reopens", Setup { hosts: 2, deliveries: 1, checks: 1, ..setup });
}

/// What was not sent, or declined, goes on at another gateway.
#[test]
fn two_accounts_where_the_gateway_knows_keys() {
    check("failover; keys", Setup { crashes: 0, ..two_accounts(KEYS) });
    check("failover; keys, dies", Setup { hosts: 2, ..two_accounts(KEYS) });
}

/// As above.
#[test]
fn two_accounts_where_the_gateway_can_be_asked() {
    check("failover; lookup", two_accounts(LOOKUP));
}

/// As above; the first gateway may take the money after all.
#[test]
fn two_accounts_where_the_gateway_calls_declines_off() {
    let setup = two_accounts(Gateway { reopens: true, ..WEBHOOKS });
    check("failover; reopens", Setup { hosts: 2, deliveries: 1, checks: 1, ..setup });
}
