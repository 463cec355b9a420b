//! What was found out about versions of connectors when they were admitted, and who vouches for them.

use serde_json::Value;
use sqlx::{FromRow, PgConnection};

use super::Error;

/// What is kept of one version's admission.
#[derive(Clone, Debug, FromRow)]
pub struct Kept {
    pub digest: Vec<u8>,
    /// None where it was installed before reports were kept.
    pub report: Option<Value>,
    /// None where nobody signed it.
    pub signature: Option<Value>,
    /// What the last replay of recorded operations on it has shown.
    pub shadow: Option<Value>,
}

/// Of every version of one connector.
pub async fn of(conn: &mut PgConnection, name: &str) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query_as(
        "-- store::connector_reports::of
         select digest, report, signature, shadow
           from connector_versions
          where name = $1",
    )
    .bind(name)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
