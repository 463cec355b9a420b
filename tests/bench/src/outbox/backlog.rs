//! Events that wait: the reader of the log is held, its log is filled, and it is let go.

use std::time::Instant;

use anyhow::ensure;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::READER;
use crate::postgres::Postgres;

/// While it exists, no host reads the log: another session holds the cursor's row, as another host would.
pub struct Paused {
    conn: PgConnection,
}

impl Paused {
    /// Waits for whoever reads at the moment.
    pub fn begin(postgres: &Postgres) -> anyhow::Result<Self> {
        let mut conn = postgres.connect()?;
        let sql = format!("select reader from outbox_cursors where reader = '{READER}' for update");
        let held = postgres.block_on(async {
            sqlx::query("begin").execute(&mut conn).await?;
            sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut conn).await
        })?;
        ensure!(held.len() == 1, "the log's reader `{READER}` has {} cursors", held.len());
        Ok(Self { conn })
    }

    /// Lets it go; from then on it reads.
    pub fn release(mut self, postgres: &Postgres) -> anyhow::Result<Instant> {
        let at = Instant::now();
        postgres.block_on(async {
            sqlx::query("commit").execute(&mut self.conn).await?;
            self.conn.close().await
        })?;
        Ok(at)
    }
}

/// Adds the events of `payments` payments, each payment's in a transaction of its own, to the merchants in turn: copies
/// of the latest payment's events with ids as the host makes them. Says how many events those are.
pub fn fill(postgres: &Postgres, merchants: &[Uuid], payments: usize) -> anyhow::Result<u64> {
    let merchants: Vec<String> = merchants.iter().map(|merchant| format!("'{merchant}'")).collect();
    let statements = [
        // What is measured is the reading.
        "set synchronous_commit = off".to_owned(),
        "create temp table copied as
         select * from outbox
          where aggregateid = (select aggregateid from outbox where type = 'payment.succeeded' order by xid desc limit 1)"
            .to_owned(),
        format!(
            "do $$
             declare
                 merchants uuid[] := array[{}]::uuid[];
                 at timestamptz;
             begin
                 for number in 1 .. {payments} loop
                     at := clock_timestamp();
                     insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
                     select merchants[1 + number % cardinality(merchants)],
                            (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
                             || lpad(to_hex(sequence), 3, '0') || '8' || substr(md5(random()::text), 1, 15))::uuid,
                            aggregatetype, 'pay_' || substr(md5(number::text || at::text), 1, 26), type, sequence, payload,
                            at
                       from copied;
                     commit;
                 end loop;
             end $$",
            merchants.join(",")
        ),
    ];
    let mut conn = postgres.connect()?;
    let copied: i64 = postgres.block_on(async {
        for sql in statements {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
        }
        let copied = sqlx::query_scalar("select count(*) from copied").fetch_one(&mut conn).await?;
        conn.close().await?;
        anyhow::Ok(copied)
    })?;
    ensure!(copied > 0, "no payment has been made whose events could be copied");
    Ok(u64::try_from(copied)? * u64::try_from(payments)?)
}
