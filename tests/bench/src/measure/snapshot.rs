//! Payments a second while somebody holds a snapshot open in Postgres, which keeps every dead row alive.

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{database, delivering::Listener};
use crate::{
    load::{self, Closed, Keys},
    outbox,
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, number, ratio},
    world::World,
};

/// Payments in flight.
const IN_FLIGHT: usize = 64;
const LOSS_AIM_PERCENT: f64 = 5.0;
/// Tables whose rows are updated or deleted all the time, to compare.
const BUSY_TABLES: [&str; 5] = ["payments", "work", "idempotency_keys", "delivery_queue", "outbox_cursors"];

/// Rows that nobody but an old snapshot sees.
struct Dead {
    outbox: i64,
    /// Updates and deletions of events, ever.
    outbox_changes: i64,
    /// By table.
    busy: Vec<(&'static str, i64)>,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let listener = Listener::start(world)?;
    let (mut without, mut with) = (Sample::default(), Sample::default());
    let mut dead = None;
    for _ in 0..plan.pairs {
        say("… without");
        without.push(round(world, plan)?);
        say("… with a snapshot held open");
        let snapshot = Snapshot::take(world)?;
        with.push(round(world, plan)?);
        database::let_report(world)?;
        dead = Some(Dead::count(world)?);
        snapshot.release(world)?;
    }
    listener.end(world)?;
    world.receiver.arrivals();
    let loss = 100.0 - ratio(with.median() * 100.0, without.median());
    let figure = format!("{} %", number(loss));
    report.aim("payments lost to a snapshot held open", "at most 5 %", figure, loss <= LOSS_AIM_PERCENT);
    if let Some(dead) = dead {
        report.aim(
            "dead rows in the log meanwhile",
            "0",
            dead.outbox.to_string(),
            dead.outbox == 0 && dead.outbox_changes == 0,
        );
        report.section(Section {
            title: "A snapshot held open in Postgres",
            about: format!(
                "A session that reads only and stays in its transaction (`repeatable read`) for the whole round; {IN_FLIGHT} in \
                 flight, gateway 0 ms, every event delivered, {} s each, in turn, median of {} pairs. Tables are vacuumed \
                 before each round. Dead rows: at the end of the last one.",
                plan.open_window.as_secs(),
                plan.pairs
            ),
            columns: vec!["without /s", "with /s", "loss %", "dead events", "dead rows elsewhere"],
            rows: vec![vec![
                without.show(),
                with.show(),
                number(loss),
                dead.outbox.to_string(),
                dead.busy.iter().map(|(table, rows)| format!("{table} {rows}")).collect::<Vec<_>>().join(", "),
            ]],
            data: json!({
                "without_per_s": without.to_json(), "with_per_s": with.to_json(), "loss_percent": loss,
                "dead_events": dead.outbox, "changed_events": dead.outbox_changes,
                "dead_elsewhere": dead.busy.iter().copied().collect::<std::collections::HashMap<_, _>>(),
            }),
        });
    }
    Ok(())
}

/// One side of a pair, from tables without dead rows.
fn round(world: &mut World, plan: &Plan) -> anyhow::Result<f64> {
    outbox::wait_until_quiet(&mut world.postgres)?;
    for table in BUSY_TABLES {
        world.postgres.execute(&format!("vacuum {table}"))?;
    }
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, 0)?;
    let keys = Keys::fresh(world.fresh_prefix());
    let closed = Closed { in_flight: IN_FLIGHT, warm: plan.warm, window: plan.open_window };
    let (tally, (), ()) = load::closed(&world.payment(None)?, &keys, &closed, || Ok(()))?;
    tally.must_be_good()?;
    outbox::wait_until_quiet(&mut world.postgres)?;
    Ok(tally.rate())
}

/// A session in the middle of a transaction that has read.
struct Snapshot(PgConnection);

impl Snapshot {
    fn take(world: &World) -> anyhow::Result<Self> {
        let mut conn = world.postgres.connect()?;
        world.postgres.block_on(async {
            sqlx::query("begin isolation level repeatable read read only").execute(&mut conn).await?;
            sqlx::query("select count(*) from outbox_cursors").fetch_one(&mut conn).await
        })?;
        Ok(Self(conn))
    }

    fn release(mut self, world: &World) -> anyhow::Result<()> {
        world.postgres.block_on(async {
            sqlx::query("commit").execute(&mut self.0).await?;
            self.0.close().await
        })?;
        Ok(())
    }
}

impl Dead {
    fn count(world: &mut World) -> anyhow::Result<Self> {
        let postgres = &mut world.postgres;
        let log = "from pg_stat_user_tables where relname like 'outbox\\_%' and relname <> 'outbox_cursors'";
        let outbox = postgres.count(&format!("select sum(n_dead_tup)::bigint {log}"))?;
        let outbox_changes = postgres.count(&format!("select sum(n_tup_upd + n_tup_del)::bigint {log}"))?;
        let mut busy = Vec::new();
        for table in BUSY_TABLES {
            let sql = format!("select n_dead_tup from pg_stat_user_tables where relname = '{table}'");
            busy.push((table, postgres.count(&sql)?));
        }
        Ok(Self { outbox, outbox_changes, busy })
    }
}
