//! `GET /admin/connectors/{name}/health`: how a connector's versions are doing, over all hosts.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::connectors::PathNames;
use crate::{
    connector::hex,
    domain::{connector_health::Counts, connector_use::Use},
    http::{
        Http,
        payments::connection,
        problem::{Code, Problem},
        respond,
    },
    store::{
        self,
        connector_health::{self, Health},
    },
    view::time,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(health))
}

/// How a connector's versions are doing.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorHealth)]
struct HealthView<'a> {
    /// `connector_health`
    object: &'static str,
    name: &'a str,
    /// Newest first.
    versions: Vec<VersionHealthView<'a>>,
}

/// How one version is doing, over all hosts, to within two seconds.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorVersionHealth)]
struct VersionHealthView<'a> {
    version: &'a str,
    digest: String,
    state: &'a str,
    /// Per cent of the payments, of a canary.
    share: Option<i32>,
    /// When its state began.
    since: String,
    #[serde(flatten)]
    figures: FiguresView,
}

/// What was counted of a version.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorFigures)]
pub(super) struct FiguresView {
    since_state: WindowView,
    last_hour: WindowView,
}

/// Within some time: all of it, and what of it was what.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorFiguresWindow)]
struct WindowView {
    #[serde(flatten)]
    counts: CountsView,
    #[serde(flatten)]
    used: UseView,
    /// The same for each thing that it was asked.
    by_operation: Vec<OperationView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorFiguresOperation)]
struct OperationView {
    /// `authorize`, `complete`, `capture`, `cancel`, `refund`, `sync`, `receive` (a webhook), `open_session` or
    /// `read_settlement`
    operation: String,
    #[serde(flatten)]
    counts: CountsView,
    #[serde(flatten)]
    used: UseView,
}

/// What was counted.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorCounts)]
struct CountsView {
    /// Times that its code ran.
    runs: u64,
    /// Runs that broke down or broke a rule of the contract.
    traps: u64,
    /// Runs that asked for something else than what is written down.
    divergences: u64,
    /// Operations that came to an end.
    operations: u64,
    /// Of these: nothing was sent, because it could not make or deliver a request.
    failed: u64,
    /// Of these: something was sent, and nobody knew what became of it.
    unknown: u64,
    /// Of these: the gateway, or a host, did not take it on.
    not_processed: u64,
}

/// What that took.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorUse)]
struct UseView {
    /// Time of a run in the connector's own code, on average; null where there was none, as for all averages here.
    guest_ms_mean: Option<f64>,
    /// The time within which 99 of 100 runs stay, rounded up to 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 50 or 250; null where they
    /// take longer.
    guest_ms_p99: Option<f64>,
    /// Time of a run in functions of the host.
    host_ms_mean: Option<f64>,
    /// Time that a run waited for a thread.
    queue_ms_mean: Option<f64>,
    /// Exchanges with its gateway.
    exchanges: u64,
    /// Time of one of them.
    network_ms_mean: Option<f64>,
    /// Instructions of a run, roughly.
    fuel_mean: Option<u64>,
    /// The most memory that one run had.
    memory_max_bytes: u64,
}

impl From<&Counts> for CountsView {
    fn from(counts: &Counts) -> Self {
        let Counts { runs, traps, divergences, operations, failed, unknown, not_processed } = *counts;
        Self { runs, traps, divergences, operations, failed, unknown, not_processed }
    }
}

impl From<&Use> for UseView {
    fn from(used: &Use) -> Self {
        let runs = used.timed_runs();
        let of_runs = |us: u64| mean_ms(us, runs);
        Self {
            guest_ms_mean: of_runs(used.guest_us),
            guest_ms_p99: used.guest_p99_us().and_then(|us| mean_ms(us, 1)),
            host_ms_mean: of_runs(used.host_us),
            queue_ms_mean: of_runs(used.queue_us),
            exchanges: used.exchanges,
            network_ms_mean: mean_ms(used.network_us, used.exchanges),
            fuel_mean: used.fuel.checked_div(runs),
            memory_max_bytes: used.memory_max_bytes,
        }
    }
}

/// So many microseconds in all, in milliseconds for each; to the microsecond, because more of them was not measured.
#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a measurement, not money")]
fn mean_ms(sum_us: u64, count: u64) -> Option<f64> {
    sum_us.checked_div(count).map(|us| us as f64 / 1_000.0)
}

/// What was counted of one connector's versions.
pub(super) struct Figures(Vec<Health>);

impl Figures {
    pub(super) async fn of(conn: &mut PgConnection, name: &str) -> Result<Self, Problem> {
        Ok(Self(connector_health::of_connector(conn, name).await?))
    }

    /// Of the version with this digest: noughts where nothing was counted.
    pub(super) fn view(&self, digest: &[u8]) -> FiguresView {
        FiguresView { since_state: self.window(digest, false), last_hour: self.window(digest, true) }
    }

    fn window(&self, digest: &[u8], is_last_hour: bool) -> WindowView {
        let of_it = |row: &&Health| row.digest == digest && row.is_last_hour == is_last_hour;
        let (mut counts, mut used, mut by_operation) = (Counts::default(), Use::default(), BTreeMap::new());
        for row in self.0.iter().filter(of_it) {
            (counts, used) = (counts.plus(&row.counts), used.plus(&row.used));
            if !row.verb.is_empty() {
                let (counts, used) = (CountsView::from(&row.counts), UseView::from(&row.used));
                by_operation.insert(row.verb.clone(), OperationView { operation: row.verb.clone(), counts, used });
            }
        }
        WindowView {
            counts: (&counts).into(),
            used: (&used).into(),
            by_operation: by_operation.into_values().collect(),
        }
    }
}

/// How the versions of a connector are doing.
#[utoipa::path(
    get, path = "/admin/connectors/{name}/health", tag = "operator", params(("name" = String, Path)),
    responses((status = 200, description = "What was counted", body = HealthView))
)]
async fn health(State(http): State<Http>, names: PathNames<1>) -> Result<Response, Problem> {
    let PathNames([name]) = names;
    let mut conn = connection(&http).await?;
    let rows = store::connectors::of_name(&mut conn, &name).await?;
    let figures = Figures::of(&mut conn, &name).await?;
    drop(conn);
    if rows.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    let versions = rows
        .iter()
        .map(|row| VersionHealthView {
            version: &row.version,
            digest: hex(&row.digest),
            state: &row.state,
            share: (row.state == "canary").then_some(row.share),
            since: time(row.since),
            figures: figures.view(&row.digest),
        })
        .collect();
    Ok(respond::ok(&HealthView { object: "connector_health", name: &name, versions }))
}
