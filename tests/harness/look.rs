//! Looking into the database: what an answer does not show.

use sqlx::{AssertSqlSafe, Row as _};

use super::World;

/// One row of one table as text, as a leak would show in it.
#[derive(Debug)]
pub struct Row {
    pub table: String,
    pub text: String,
}

impl World {
    /// One number that a statement gives.
    pub async fn db_count(&self, statement: &str) -> i64 {
        let row = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(self.database().pool()).await;
        row.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// One text that a statement gives; none where it gives no row or null.
    pub async fn db_text(&self, statement: &str) -> Option<String> {
        let row: Option<Option<String>> = sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_optional(self.database().pool())
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        row.flatten()
    }

    /// The first column of every row that a statement gives, as text.
    pub async fn db_texts(&self, statement: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(self.database().pool()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error}"));
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    }

    /// Runs a statement and says how many rows it touched.
    pub async fn db_run(&self, statement: &str) -> u64 {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(self.database().pool()).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}")).rows_affected()
    }

    /// Tries a statement; the database's words where it refuses.
    pub async fn db_try(&self, statement: &str) -> Result<u64, String> {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(self.database().pool()).await;
        done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
    }

    /// Every row of every table, components aside (they are the same everywhere and large).
    pub async fn db_dump(&self) -> Vec<Row> {
        let tables = self
            .db_texts(
                "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                  where n.nspname = 'public' and c.relkind = 'r' and c.relname <> 'connector_components'",
            )
            .await;
        let mut rows = Vec::new();
        for table in tables {
            let texts = self.db_texts(&format!("select t::text from \"{table}\" t")).await;
            rows.extend(texts.into_iter().map(|text| Row { table: table.clone(), text }));
        }
        rows
    }
}
