//! The schema's own promises, read from Postgres' catalogue: sharding by merchant, cheap updates, one table of moves.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use interlock::domain::payment::{Event, State};
use interlock_tests::harness::{World, bodies};
use serde_json::json;
use strum::VariantArray as _;

/// Tables of the whole installation, not of one merchant.
const GLOBAL: &[&str] = &[
    "_sqlx_migrations",
    "audit_log",
    "connector_components",
    "connector_health",
    "connector_log",
    "connector_shadows",
    "connector_versions",
    "connectors",
    "day_keys",
    "outbox_cursors",
    "payment_transitions",
];

/// The schema shards by merchant unchanged: everything unique is unique within a merchant.
#[tokio::test]
async fn every_unique_index_begins_with_the_merchant() {
    let world = World::start().await;
    let others = world
        .db_texts(
            "select t.relname || '.' || i.relname
               from pg_index x
               join pg_class t on t.oid = x.indrelid
               join pg_class i on i.oid = x.indexrelid
               join pg_namespace n on n.oid = t.relnamespace and n.nspname = 'public'
               left join pg_attribute a on a.attrelid = t.oid and a.attnum = x.indkey[0]
              where x.indisunique and a.attname is distinct from 'merchant_id' order by 1",
        )
        .await;
    let broken: Vec<_> =
        others.iter().filter(|name| !GLOBAL.iter().any(|table| name.starts_with(&format!("{table}.")))).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let without = world
        .db_texts(
            "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
              where c.relkind in ('r', 'p') and not c.relispartition
                and not exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'merchant_id')",
        )
        .await;
    let without: Vec<_> = without.iter().filter(|table| !GLOBAL.contains(&table.as_str())).collect();
    assert!(without.is_empty(), "{without:?}");
}

/// What changes with every step stands in no index, so that updates stay heap-only.
#[tokio::test]
async fn no_index_of_a_hot_table_knows_a_status() {
    let world = World::start().await;
    let indexes = world
        .db_texts(
            "select indexname || ': ' || indexdef from pg_indexes
              where schemaname = 'public' and tablename in ('payments', 'attempts', 'operations')
                and (indexdef ~ '\\mstatus\\M' or indexdef ~ '\\mupdated_at\\M' or indexdef ~ '\\mversion\\M')",
        )
        .await;
    assert!(indexes.is_empty(), "{indexes:?}");
}

/// Nothing that other databases of this family lack.
#[tokio::test]
async fn the_schema_has_no_triggers_functions_or_sequences() {
    let world = World::start().await;
    for (what, statement) in [
        ("triggers", "select count(*) from pg_trigger where not tgisinternal"),
        (
            "functions",
            "select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'public'",
        ),
        ("sequences", "select count(*) from pg_class where relkind = 'S' and relname not like '\\_sqlx%'"),
    ] {
        assert_eq!(world.db_count(statement).await, 0, "{what}");
    }
}

/// Two hundred payments on one host: every update of the payments' table stays on its page.
#[tokio::test]
async fn updates_of_payments_are_heap_only() {
    let world = World::start().await;
    for round in 0..4 {
        let pays = (0..50).map(|number| {
            let caller = world.on(0);
            async move {
                caller
                    .post("/v1/payments", &format!("{round}-{number}"), &bodies::payment(bodies::GOOD))
                    .await
                    .expect(201)
            }
        });
        join_all(pays).await;
    }
    let counters = async || {
        let count = |column: &str| format!("select {column} from pg_stat_user_tables where relname = 'payments'");
        (world.db_count(&count("n_tup_upd")).await, world.db_count(&count("n_tup_hot_upd")).await)
    };
    let (updates, hot) = interlock_tests::harness::eventually("the counters are in", async || {
        let (updates, hot) = counters().await;
        if updates >= 200 { Ok((updates, hot)) } else { Err(format!("{updates} updates")) }
    })
    .await;
    assert_eq!(hot, updates);
}

/// Code, CHECK and reference data have the same moves; a move that is in none of them is refused by the database.
#[tokio::test]
async fn code_and_database_agree_on_the_moves() {
    let world = World::start().await;
    let moves = world.db_texts("select from_state || ' → ' || to_state from payment_transitions").await;
    let in_table: BTreeSet<_> = moves.into_iter().collect();
    let mut in_code = BTreeSet::new();
    for state in State::VARIANTS {
        for event in Event::VARIANTS {
            if let interlock::domain::payment::Decision::Move(to) = interlock::domain::payment::decide(*state, *event) {
                in_code.insert(format!("{} → {}", <&str>::from(state), <&str>::from(to)));
            }
        }
    }
    let missing: Vec<_> = in_code.difference(&in_table).collect();
    assert!(missing.is_empty(), "the code moves where the database does not: {missing:?}");

    let created = world.post("/v1/payments", "k", &bodies::unconfirmed()).await.expect(201);
    assert_eq!(created.json["status"], json!("created"));
    for from in State::VARIANTS {
        for to in State::VARIANTS {
            let (from, to) = (<&str>::from(from), <&str>::from(to));
            let insert = format!(
                "insert into payment_events (merchant_id, payment_id, sequence, from_state, to_state, event, created_at)
                 select merchant_id, payment_id, 2, '{from}', '{to}', 'test', now() from payments"
            );
            let allowed = world.db_try(&insert).await.is_ok();
            let wanted = from == to || in_table.contains(&format!("{from} → {to}"));
            assert_eq!(allowed, wanted, "{from} → {to}");
            world.db_run("delete from payment_events where sequence = 2").await;
        }
    }
}

/// The database refuses what must never be, whoever writes it.
#[tokio::test]
async fn the_database_refuses_what_must_never_be() {
    let world = World::start().await;
    let answer = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    for (what, statement) in [
        ("more captured than authorized", "update payments set amount_captured = amount_captured + 1"),
        ("more refunded than captured", "update payments set amount_refunded = amount_captured + 1"),
        ("refunds under way beyond what is left", "update payments set amount_refunding = amount_captured + 1"),
        ("more authorized than asked for", "update payments set amount_authorized = amount + 1"),
        ("an amount of nothing", "update payments set amount = 0"),
        ("a state that is none", "update payments set status = 'paid'"),
        ("a twenty-first attempt", "update payments set attempt_count = 21"),
        (
            "a second win",
            "insert into payment_events (merchant_id, payment_id, sequence, from_state, to_state, event, wins, created_at)
             select merchant_id, payment_id, 99, 'succeeded', 'succeeded', 'test', true, now() from payments",
        ),
        (
            "a second line with one number",
            "insert into payment_events select * from payment_events where sequence = 1",
        ),
        (
            "a second answer under one number",
            "insert into exchange_replies select * from exchange_replies",
        ),
    ] {
        assert!(world.db_try(statement).await.is_err(), "{what} was let in");
    }
}

/// At most one attempt of a payment is under way, though every index on hot rows was given up for speed.
#[tokio::test]
async fn the_database_refuses_a_second_attempt_under_way() {
    let world = World::builder().simulator_argument("--settle-ms=100000").start().await;
    world.pay(bodies::PENDING).await.expect(202);
    let second = "insert into work (merchant_id, operation_id, payment_id, kind, task, due_at, created_at)
                  select merchant_id, gen_random_uuid(), payment_id, kind, task, due_at, created_at from work";
    let refused = world.db_try(second).await.expect_err("a second attempt was let in");
    assert!(refused.contains("work_one_attempt"), "{refused}");
}
