//! What tests of the log do again and again: transactions that they hold open, events of their own, and the certainty
//! that a reader has looked.

use interlock::{
    clock::Ids,
    domain::id::{EventId, MerchantId, PaymentId},
};
use interlock_tests::harness::{World, eventually};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _, Postgres, Transaction};

/// A transaction of the test's own that writes to the log, and commits when the test wants it to.
pub struct Writer {
    tx: Transaction<'static, Postgres>,
    merchant: MerchantId,
}

impl Writer {
    /// Begins one and has it take its number.
    pub async fn begin(world: &World) -> Self {
        let mut tx = world.database().pool().begin().await.unwrap();
        tx.execute("select pg_current_xact_id()").await.unwrap();
        Self { tx, merchant: world.merchant.id.parse().unwrap() }
    }

    /// Writes an event about `object`, made `days_ago`; its id.
    pub async fn write(&mut self, object: &str, kind: &str, sequence: i32, days_ago: i32) -> EventId {
        let id = EventId::from_uuid(Ids::real().v7());
        let about = kind.split_once('.').unwrap().0;
        let payload = json!({
            "id": id.to_string(), "type": kind, "created_at": "2026-01-01T00:00:00Z", "sequence": sequence,
            "data": { "object": { "id": object, "object": about } },
        });
        let statement = format!(
            "insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
             values ('{}', '{}', '{about}', '{object}', '{kind}', {sequence}, '{payload}', now() - interval '{days_ago} days')",
            self.merchant.uuid(),
            id.uuid(),
        );
        self.tx.execute(AssertSqlSafe(statement)).await.unwrap();
        id
    }

    pub async fn commit(self) {
        self.tx.commit().await.unwrap();
    }

    pub async fn rollback(self) {
        self.tx.rollback().await.unwrap();
    }
}

/// The public id of a payment that there is not.
pub fn object() -> String {
    PaymentId::from_uuid(Ids::real().v7()).to_string()
}

/// Waits until the fan-out has read the log once more, from its beginning to its end.
pub async fn it_has_looked(world: &World) {
    let now = world.db_text("select clock_timestamp()::text").await.unwrap();
    eventually("the fan-out looks into the log", async || {
        let looks = world
            .db_count(&format!(
                "select count(*) from pg_stat_activity
                  where datname = current_database() and state = 'idle' and query_start > '{now}'
                    and query like '-- store::outbox::read_of%'"
            ))
            .await;
        if looks > 0 { Ok(()) } else { Err("it has not".to_owned()) }
    })
    .await;
}
