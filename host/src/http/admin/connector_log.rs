//! `GET /admin/connectors/{name}/log`: what a connector's versions have logged, and what hosts have found out about them.

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::connectors::PathNames;
use crate::{
    connector::{Level, hex},
    domain::id::{LogLineId, MerchantId, OperationId},
    http::{
        Http,
        extract::Query,
        json::kinds,
        payments::connection,
        problem::{Code, Problem},
        respond::{self, List},
    },
    store::{
        self,
        connector_log::{Filter, Line},
    },
    view::time,
};

/// Characters of a version's number: as many as a descriptor's may have.
pub(super) const VERSION_MAX_CHARACTERS: usize = 64;

/// Every level, the one that matters least first.
const LEVELS: &[&str] = &["debug", "info", "warn", "error"];

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One line.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorLogLine)]
struct LineView<'a> {
    /// `log_…`
    id: String,
    /// `connector_log_line`
    object: &'static str,
    connector: &'a str,
    version: &'a str,
    /// SHA-256 of the component, in hex.
    digest: String,
    /// `debug`, `info`, `warn`; `error` where something broke.
    level: &'a str,
    /// `connector` where it said so itself, `host` where a host found it out.
    origin: &'a str,
    /// What it was asked: `authorize`, `receive`, …; null where the line speaks of the version as a whole.
    operation: Option<&'a str>,
    /// `op_…`
    operation_id: Option<String>,
    /// `mer_…`: whose operation that is.
    merchant: Option<String>,
    message: &'a str,
    at: String,
}

impl<'a> LineView<'a> {
    fn new(line: &'a Line) -> Self {
        Self {
            id: LogLineId::from_uuid(line.line_id).to_string(),
            object: "connector_log_line",
            connector: &line.name,
            version: &line.version,
            digest: hex(&line.digest),
            level: &line.level,
            origin: &line.origin,
            operation: line.verb.as_deref(),
            operation_id: line.operation_id.map(|id| OperationId::from_uuid(id).to_string()),
            merchant: line.merchant_id.map(|id| MerchantId::from_uuid(id).to_string()),
            message: &line.message,
            at: time(line.at),
        }
    }
}

/// What a connector's versions have logged, and what hosts have found out about them, newest first.
///
/// Lines are there about a second after they were written. They are kept for 7 days, 10,000 of a connector at most; a host
/// that has more than 100 in a second drops what is over, and says how much.
#[utoipa::path(
    get, path = "/admin/connectors/{name}/log", tag = "operator",
    params(
        ("name" = String, Path),
        ("version" = Option<String>, Query, description = "Only lines of this version"),
        ("level" = Option<String>, Query, description = "`debug`, `info`, `warn` or `error`: this one, and what matters more"),
        ("after" = Option<String>, Query, description = "`log_…`: only lines newer than this one"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<LineView>))
)]
async fn list(State(http): State<Http>, names: PathNames<1>, query: Query) -> Result<Response, Problem> {
    let PathNames([name]) = names;
    let (filter, limit) = query.read(|fields| {
        let limit = respond::limit(fields);
        let level = fields.optional("level", kinds::word::<Level>(LEVELS)).unwrap_or(Level::Debug);
        let from = LEVELS.iter().position(|word| *word == <&str>::from(level)).unwrap_or(0);
        let filter = Filter {
            name,
            version: fields.optional("version", kinds::text(1..=VERSION_MAX_CHARACTERS)),
            levels: LEVELS.get(from..).unwrap_or_default().to_vec(),
            before: fields.optional("cursor", kinds::id::<LogLineId>).map(LogLineId::uuid),
            after: fields.optional("after", kinds::id::<LogLineId>).map(LogLineId::uuid),
            limit: limit + 1,
        };
        Some((filter, limit))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::connector_log::list(&mut conn, &filter).await?;
    // No lines of a connector that is there, or no such connector.
    if rows.is_empty() && store::connectors::of_name(&mut conn, &filter.name).await?.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    drop(conn);
    let cursor = |line: &Line| LogLineId::from_uuid(line.line_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, LineView::new)))
}
