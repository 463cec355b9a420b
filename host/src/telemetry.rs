//! Logs and metrics: where they go, how they look, and what must never be in them.
//!
//! Logs are lines of JSON on standard error, with the ids of the spans around them (`payment.id`, `attempt.id`,
//! `gateway_account.id` …) as fields. Metrics are kept in memory and rendered for `/metrics`.
//!
//! Never logged: bodies of requests and replies, card numbers (first six and last four excepted), codes, tokens, API
//! keys, `Authorization` and cookies, settings that are secrets, the URL of the database, what a connector holds in its
//! session. The types that carry them have no `Debug`, so that the compiler keeps this rule and not a reviewer. Nothing
//! taken from a request is a metric's label unless it is one of a few known words: labels live as long as the process.

use std::{io::IsTerminal as _, sync::OnceLock, time::Duration};

use anyhow::Context as _;
use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Names the targets and levels that are logged, as `tracing` writes them: `info,interlock::wire=debug`.
pub const LOG_VARIABLE: &str = "INTERLOCK_LOG";
/// What we say ourselves; of others only what is wrong. sqlx would log statements, hyper every connection. Clients of
/// brokers say with every try that a broker is away, which we say once.
const LOG_DEFAULT: &str = "warn,interlock=info,async_nats=off,rdkafka=off";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For machines: one object per line.
    Json,
    /// For the person who just typed `interlock dev`; JSON all the same where standard error is no terminal.
    Terminal,
}

/// Begins to log to standard error. Called once, before anything else may log.
pub fn logs(format: LogFormat) -> anyhow::Result<()> {
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_default();
    let filter = if filter.is_empty() { LOG_DEFAULT } else { &filter };
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("{LOG_VARIABLE} cannot be used; write levels such as info,interlock::wire=debug"))?;
    let subscriber = tracing_subscriber::registry().with(filter);
    if format == LogFormat::Terminal && std::io::stderr().is_terminal() {
        subscriber.with(fmt::layer().compact().with_writer(std::io::stderr).with_target(false)).try_init()
    } else {
        // Fields of every span around a line, so that a line about an exchange names its payment as well.
        subscriber
            .with(fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr))
            .try_init()
    }
    .context("logging was set up twice")?;
    log_panics();
    Ok(())
}

/// A panic becomes a log line like any other: plain text between lines of JSON is lost by what reads them.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(message = "panicked", panic.message = message, panic.place = place, backtrace = %backtrace);
    }));
}

/// Upper bounds of times in seconds: from a run of a connector (microseconds) to a gateway's time-out.
const SECONDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Upper bounds of sizes: 1 KiB to 64 MiB, the most memory a connector may have.
const BYTES: &[f64] =
    &[1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];
/// Upper bounds of instructions of a run.
const FUEL: &[f64] = &[1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9];
/// Upper bounds of small numbers: exchanges of an operation, rows of a claim.
const COUNTS: &[f64] = &[1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 50.0, 100.0];

/// What the names of our histograms end with, and the bounds that go with it.
const BUCKETS: &[(&str, &[f64])] =
    &[("_seconds", SECONDS), ("_bytes", BYTES), ("_fuel", FUEL), ("_exchanges", COUNTS), ("_rows", COUNTS)];

/// Samples of histograms are folded into buckets this often, whether or not anybody looks: else they pile up.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// How long a series of a connector's version is shown that nothing is counted in: versions come and go, and a process
/// that runs for long must not show them all. A version that is used again begins anew.
pub const SERIES_IDLE_MAX: Duration = Duration::from_hours(24);

/// The metrics of this process: two pages that have no name in common.
#[derive(Clone)]
pub struct Metrics {
    process: PrometheusHandle,
    connectors: PrometheusHandle,
}

impl Metrics {
    /// Both, as Prometheus reads them.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.render() + &self.connectors.render()
    }

    fn upkeep(&self) {
        self.process.run_upkeep();
        self.connectors.run_upkeep();
    }
}

/// The metrics of this process, set up at the first call. Several hosts in one process (tests) share them.
pub fn metrics() -> anyhow::Result<Metrics> {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    if let Some(metrics) = METRICS.get() {
        return Ok(metrics.clone());
    }
    let recorder = builder()?.build_recorder();
    let process = recorder.handle();
    // Two threads may come here at once in tests. The one whose recorder is installed keeps it.
    if metrics::set_global_recorder(recorder).is_err() {
        return Ok(METRICS.wait().clone());
    }
    let metrics = METRICS.get_or_init(|| Metrics { process, connectors: recorder_of_connectors().handle() }).clone();
    describe();
    of_connectors(describe);
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1);
    let upkeep = metrics.clone();
    std::thread::Builder::new()
        .name("metrics-upkeep".into())
        .spawn(move || {
            loop {
                std::thread::sleep(UPKEEP_EVERY);
                upkeep.upkeep();
            }
        })
        .context("the thread that keeps the metrics could not be started")?;
    Ok(metrics)
}

/// Has `look_up` find metrics among those of connectors' versions. A handle that was found is good for as long as it is
/// used at least once in [`SERIES_IDLE_MAX`]: after that its series is gone, and it counts for nobody.
pub fn of_connectors<R>(look_up: impl FnOnce() -> R) -> R {
    metrics::with_local_recorder(recorder_of_connectors(), look_up)
}

fn recorder_of_connectors() -> &'static PrometheusRecorder {
    static RECORDER: OnceLock<PrometheusRecorder> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = builder().expect("no list of buckets is empty");
        builder.idle_timeout(MetricKindMask::ALL, Some(SERIES_IDLE_MAX)).build_recorder()
    })
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let mut builder = PrometheusBuilder::new();
    for (suffix, bounds) in BUCKETS {
        builder = builder
            .set_buckets_for_metric(Matcher::Suffix((*suffix).to_owned()), bounds)
            .context("a list of buckets is empty")?;
    }
    Ok(builder)
}

/// Always 1; its label says which version runs.
const BUILD_INFO: &str = "interlock_build_info";

/// Which kind of metric a name is.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

fn describe() {
    for (kind, name, unit, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *unit, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *unit, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, *unit, *help),
        }
    }
}

/// Every metric of this program. A test finds the names in the source that are missing here.
const METRICS: &[(Kind, &str, Unit, &str)] = &[
    (Kind::Gauge, BUILD_INFO, Unit::Count, "The version that runs."),
    (Kind::Counter, "interlock_http_requests_total", Unit::Count, "Requests by listener, route and status."),
    (Kind::Histogram, "interlock_http_request_seconds", Unit::Seconds, "Time from a request to its answer."),
    (Kind::Counter, "interlock_payment_transitions_total", Unit::Count, "Changes of a payment's state, by new state."),
    (Kind::Counter, "interlock_failovers_total", Unit::Count, "Payments that went on at another gateway."),
    (
        Kind::Counter,
        "interlock_surplus_charges_total",
        Unit::Count,
        "Payments that a gateway took although another attempt won or was under way.",
    ),
    (Kind::Gauge, "interlock_operations_under_way", Unit::Count, "Operations that a host works on."),
    (Kind::Gauge, "interlock_operations_unknown", Unit::Count, "Operations whose outcome nobody knows."),
    (Kind::Gauge, "interlock_reviews_open", Unit::Count, "Reviews that nobody has closed."),
    (Kind::Counter, "interlock_taken_over_total", Unit::Count, "Tasks taken over from a host that is gone."),
    (Kind::Counter, "interlock_webhooks_received_total", Unit::Count, "Gateways' webhooks by what became of them."),
    (
        Kind::Counter,
        "interlock_webhooks_quarantined_total",
        Unit::Count,
        "Gateways' events that a person must look at.",
    ),
    (Kind::Gauge, "interlock_webhooks_waiting", Unit::Count, "Gateways' events that are to be applied."),
    (Kind::Gauge, "interlock_webhooks_in_quarantine", Unit::Count, "Gateways' events that wait for a person."),
    (Kind::Counter, "interlock_sink_events_total", Unit::Count, "Events that a sink's broker has, by sink."),
    (Kind::Counter, "interlock_sink_errors_total", Unit::Count, "Tries to publish that failed, by sink and kind."),
    (Kind::Counter, "interlock_sink_skipped_total", Unit::Count, "Events that were left out of a stream, by sink."),
    (Kind::Gauge, "interlock_sink_lag_seconds", Unit::Seconds, "Age of the oldest event that a sink's broker has not."),
    (Kind::Gauge, "interlock_sink_up", Unit::Count, "1 on the host that feeds a sink, while it can."),
    (Kind::Gauge, "interlock_sink_stuck", Unit::Count, "1 where a broker refuses an event and its sink stands still."),
    (
        Kind::Gauge,
        "interlock_outbox_unread_seconds",
        Unit::Seconds,
        "Age of the oldest event that a reader of the log has not read.",
    ),
    (
        Kind::Gauge,
        "interlock_outbox_cursor_ahead",
        Unit::Count,
        "1 where a reader stands beyond what the database has written, as after a restored dump.",
    ),
    (
        Kind::Gauge,
        "interlock_oldest_transaction_seconds",
        Unit::Seconds,
        "How long the oldest transaction that writes has run: it holds back every event written since.",
    ),
    (Kind::Counter, "interlock_deliveries_total", Unit::Count, "Tries to deliver events to merchants, by outcome."),
    (Kind::Histogram, "interlock_delivery_seconds", Unit::Seconds, "Time of a try to deliver, to its answer."),
    (Kind::Gauge, "interlock_deliveries_queued", Unit::Count, "Deliveries of events that are queued."),
    (
        Kind::Gauge,
        "interlock_deliveries_oldest_due_seconds",
        Unit::Seconds,
        "For how long the delivery has been due that has waited longest.",
    ),
    (
        Kind::Counter,
        "interlock_endpoints_disabled_total",
        Unit::Count,
        "Merchants' webhook endpoints that this host has switched off, by why.",
    ),
    (Kind::Gauge, "interlock_notices_open", Unit::Count, "Notices that nobody has dismissed."),
    (Kind::Gauge, "interlock_database_connections", Unit::Count, "Open connections to Postgres."),
    (Kind::Gauge, "interlock_database_connections_idle", Unit::Count, "Those of them that wait for work."),
    (Kind::Counter, "interlock_egress_refused_total", Unit::Count, "Requests of connectors that were not let out."),
    (Kind::Counter, "interlock_sessions_opened_total", Unit::Count, "Sessions at gateways by connector and result."),
    (Kind::Counter, "interlock_wire_exchanges_total", Unit::Count, "Exchanges with gateways by connector and end."),
    (Kind::Histogram, "interlock_wire_exchange_seconds", Unit::Seconds, "Time of an exchange with a gateway."),
    (Kind::Counter, "interlock_wire_connections_total", Unit::Count, "Connections to gateways, by connector."),
    (Kind::Gauge, "interlock_wire_idle_connections", Unit::Count, "Connections to gateways that wait for work."),
    (Kind::Gauge, "interlock_wire_breakers_tripped", Unit::Count, "Gateway accounts that are left alone for now."),
    (Kind::Counter, "interlock_connector_runs_total", Unit::Count, "Runs of connectors by how they ended."),
    (Kind::Histogram, "interlock_connector_run_seconds", Unit::Seconds, "Time of a run, instantiation included."),
    (Kind::Histogram, "interlock_connector_queue_seconds", Unit::Seconds, "Time that a run waited for a thread."),
    (Kind::Histogram, "interlock_connector_run_fuel", Unit::Count, "Instructions of a run."),
    (Kind::Histogram, "interlock_connector_run_memory_bytes", Unit::Bytes, "Most linear memory of a run."),
    (Kind::Histogram, "interlock_connector_guest_seconds", Unit::Seconds, "Time of a run in the connector's own code."),
    (Kind::Histogram, "interlock_connector_host_seconds", Unit::Seconds, "Time of a run in the host's functions."),
    (Kind::Histogram, "interlock_connector_network_seconds", Unit::Seconds, "Time of an exchange with the gateway."),
    (Kind::Counter, "interlock_connector_operations_total", Unit::Count, "Operations that ended, by how."),
    (
        Kind::Counter,
        "interlock_connector_log_dropped_total",
        Unit::Count,
        "Lines of connectors' logs that were dropped.",
    ),
    (Kind::Counter, "interlock_connector_traps_total", Unit::Count, "Runs that gave no answer, by kind."),
    (
        Kind::Counter,
        "interlock_connector_divergences_total",
        Unit::Count,
        "Runs that asked for what is not written down.",
    ),
    (Kind::Counter, "interlock_connector_busy_total", Unit::Count, "Runs refused because the queue was full."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_have_buckets_by_their_suffix() {
        let handle = metrics().expect("metrics can be set up");
        metrics::histogram!("interlock_a_test_seconds").record(0.02);
        let text = handle.render();
        assert!(text.contains("interlock_a_test_seconds_bucket{le=\"0.025\"} 1"), "{text}");
        assert!(text.contains("interlock_a_test_seconds_bucket{le=\"0.01\"} 0"), "{text}");
    }

    #[test]
    fn many_may_ask_for_the_metrics_at_once() {
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(metrics)).collect();
        assert!(threads.into_iter().all(|thread| thread.join().expect("it does not panic").is_ok()));
    }

    /// A metric that nobody described has no help on its page.
    #[test]
    fn every_metric_in_the_source_is_described() {
        let mut missing = Vec::new();
        visit(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |text| {
            for (at, _) in text.match_indices("\"interlock_") {
                let name = text.get(at + 1..).unwrap_or_default().split('"').next().unwrap_or_default();
                let is_metric = ["_total", "_seconds", "_bytes", "_fuel"].iter().any(|suffix| name.ends_with(suffix));
                let known =
                    METRICS.iter().any(|(_, known, ..)| *known == name) || name.starts_with("interlock_a_test_");
                if is_metric && !known {
                    missing.push(name.to_owned());
                }
            }
        });
        assert!(missing.is_empty(), "describe these in telemetry.rs: {missing:?}");
    }

    fn visit(folder: &std::path::Path, each: &mut impl FnMut(&str)) {
        for entry in std::fs::read_dir(folder).expect("the source is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, each);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                each(&std::fs::read_to_string(&path).expect("source is text"));
            }
        }
    }
}
