//! What operators did: who, what, to what. Each entry is written in the transaction of the change that it tells of.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// All operators share one token: the request's id is what leads to the log lines of a call, and so to its sender.
    Operator { request_id: String },
    /// A host that found a component in its folder at the start.
    ConnectorsFolder,
    /// A host, by itself: what it did is in the entry, and why.
    Switch,
}

/// What stands between an actor and the id of the request. No request id has it in it.
const REQUEST_MARK: char = ':';

/// As the column `actor` has it: `operator:req_…`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { request_id } => write!(f, "operator{REQUEST_MARK}{request_id}"),
            Self::ConnectorsFolder => f.write_str("connectors folder"),
            Self::Switch => f.write_str("switch"),
        }
    }
}

/// The column `actor`, taken apart again: who, and the id of the request.
#[must_use]
pub fn actor_and_request(actor: &str) -> (&str, Option<&str>) {
    actor.split_once(REQUEST_MARK).map_or((actor, None), |(actor, request)| (actor, Some(request)))
}

/// What of a change's entry is not in the change itself, for statements that write both at once.
#[derive(Clone, Debug)]
pub struct Audit {
    pub entry_id: Uuid,
    /// As [`Actor`] is displayed.
    pub actor: String,
}

impl Audit {
    /// An entry with this id, about what `actor` does.
    #[must_use]
    pub fn new(entry_id: Uuid, actor: &Actor) -> Self {
        Self { entry_id, actor: actor.to_string() }
    }
}

/// A row of `audit_log`.
#[derive(Clone, Debug, FromRow)]
pub struct Entry {
    pub entry_id: Uuid,
    /// As [`Actor`] is displayed.
    pub actor: String,
    /// What was done, object first: `payment.resolve`.
    pub action: String,
    /// The public id or the name of what it was done to.
    pub subject: String,
    pub merchant_id: Option<Uuid>,
    pub detail: Value,
    pub created_at: DateTime<Utc>,
}

/// Writes one entry. To be called in the transaction of the change.
pub async fn write(conn: &mut PgConnection, entry: &Entry) -> Result<(), Error> {
    let done = sqlx::query(
        "-- store::audit_log::write
         insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(entry.entry_id)
    .bind(&entry.actor)
    .bind(&entry.action)
    .bind(&entry.subject)
    .bind(entry.merchant_id)
    .bind(&entry.detail)
    .bind(entry.created_at)
    .execute(conn)
    .await?;
    debug_assert_eq!(done.rows_affected(), 1, "an insert of one row inserts it or fails");
    Ok(())
}

/// Which entries a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub merchant: Option<Uuid>,
    pub action: Option<String>,
    /// Only entries made before this one: the cursor.
    pub before: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// The entries, newest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Entry>, Error> {
    let rows = sqlx::query_as(
        "-- store::audit_log::list
         select entry_id, actor, action, subject, merchant_id, detail, created_at
           from audit_log
          where ($1::uuid is null or merchant_id = $1)
            and ($2::text is null or action = $2)
            and entry_id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by entry_id desc
          limit $4",
    )
    .bind(filter.merchant)
    .bind(&filter.action)
    .bind(filter.before)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_read_as_it_was_written() {
        let operator = Actor::Operator { request_id: "req_1-2.3_4".to_owned() }.to_string();
        assert_eq!(actor_and_request(&operator), ("operator", Some("req_1-2.3_4")));
        let folder = Actor::ConnectorsFolder.to_string();
        assert_eq!(actor_and_request(&folder), ("connectors folder", None));
        // As it was written before requests were named.
        assert_eq!(actor_and_request("operator"), ("operator", None));
    }
}
