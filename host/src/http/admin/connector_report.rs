//! What operators see of a version's admission: what it can reach, in plain words, what it is made of, and who vouches
//! for it.

use std::collections::HashMap;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    connector_health::{Figures, FiguresView},
    connectors::Read,
};
use crate::{
    connector::{
        SignedBy,
        report::{Conformance, Finding, Report, Resources, Used},
    },
    http::{Http, connectors::ConnectorView, payments::connection, problem::Problem},
    store::{self, connector_reports::Kept},
    view::time,
};

/// One version of a connector, with what is known of it beyond what it says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorVersion)]
pub struct VersionView<'a> {
    #[serde(flatten)]
    connector: ConnectorView<'a>,
    /// When its state began.
    since: String,
    /// Who vouches for it; null where nobody does.
    signature: Option<SignatureView>,
    /// What its admission found; null where it was installed before reports were kept.
    report: Option<ReportView>,
    /// How it is doing, over all hosts.
    figures: FiguresView,
    /// What the last replay of recorded operations on it has shown; null where there was none.
    #[schema(value_type = Option<Object>)]
    shadow: Option<Value>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorSignature)]
struct SignatureView {
    /// `ed25519`
    algorithm: String,
    /// The key, in base64.
    public_key: String,
    /// What the operator called the key when the version was installed.
    key_name: Option<String>,
    /// Whether the operator trusted the key when the version was installed.
    trusted: bool,
    /// In base64, over `interlock-connector-v1`, a zero byte and the SHA-256 of the component.
    signature: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorReport)]
struct ReportView {
    /// What it can reach, in sentences: where its requests may go, what may be filled into them, and that it can do
    /// nothing else.
    reach: Vec<String>,
    /// Bytes of the component.
    bytes: u64,
    /// The version of the contract that it was built against.
    contract: String,
    /// The interfaces that it imports.
    imports: Vec<String>,
    resources: ResourcesView,
    /// What compiling it took, by the clock.
    compile_ms: u64,
    /// Bytes of its machine code.
    image_bytes: u64,
    /// What asking it to describe itself used.
    describe: UsedView,
    /// What the conformance kit found; null where it was not played.
    conformance: Option<ConformanceView>,
    /// The version of the program that judged it.
    judged_by: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorResources)]
struct ResourcesView {
    modules: u64,
    functions: u64,
    /// Bytes of its largest function's code.
    function_max_bytes: u64,
    memories: u64,
    /// Bytes of memory before anything has run.
    memory_initial_bytes: u64,
    /// Bytes of memory that one run may have.
    memory_max_bytes: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorRunUse)]
struct UsedView {
    /// Instructions, roughly.
    fuel: u64,
    memory_bytes: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorConformance)]
struct ConformanceView {
    /// Runs that the kit made.
    runs: u64,
    /// The most that one of them used.
    most: UsedView,
    findings: Vec<FindingView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorFinding)]
struct FindingView {
    /// The rule's name.
    rule: String,
    /// `warning`: what has errors is not let in
    severity: &'static str,
    /// The cassette, the exchange, the field.
    at: String,
    says: String,
    hint: String,
    /// What was expected and what came, where the two were compared.
    #[serde(skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Option<Object>)]
    details: Value,
}

/// What is known of one connector's versions.
pub(super) struct Reports {
    kept: HashMap<Vec<u8>, Kept>,
    figures: Figures,
}

impl Reports {
    pub(super) async fn of(http: &Http, name: &str) -> Result<Self, Problem> {
        let mut conn = connection(http).await?;
        let kept = store::connector_reports::of(&mut conn, name).await?;
        let figures = Figures::of(&mut conn, name).await?;
        Ok(Self { kept: kept.into_iter().map(|kept| (kept.digest.clone(), kept)).collect(), figures })
    }

    pub(super) fn view<'a>(&self, version: &'a Read) -> Result<VersionView<'a>, Problem> {
        let kept = self.kept.get(&version.row.digest);
        let report: Option<Report> = read(kept.and_then(|kept| kept.report.as_ref()), "the report", version)?;
        let signature: Option<SignedBy> =
            read(kept.and_then(|kept| kept.signature.as_ref()), "the signature", version)?;
        Ok(VersionView {
            connector: version.view(),
            since: time(version.row.since),
            figures: self.figures.view(&version.row.digest),
            shadow: kept.and_then(|kept| kept.shadow.clone()),
            signature: signature.map(SignatureView::from),
            report: report.map(ReportView::from),
        })
    }
}

fn read<T: DeserializeOwned>(kept: Option<&Value>, what: &str, version: &Read) -> Result<Option<T>, Problem> {
    kept.map(T::deserialize).transpose().map_err(|error| {
        let (name, number) = (&version.row.name, &version.row.version);
        Problem::internal(anyhow::Error::new(error).context(format!("{what} of {name} {number}")))
    })
}

impl From<SignedBy> for SignatureView {
    fn from(by: SignedBy) -> Self {
        let SignedBy { algorithm, public_key, signature, key_name, trusted } = by;
        Self { algorithm, public_key, key_name, trusted, signature }
    }
}

impl From<Report> for ReportView {
    fn from(report: Report) -> Self {
        // The digest stands beside it already.
        let Report {
            digest: _,
            bytes,
            contract,
            imports,
            reach,
            resources,
            compile_ms,
            image_bytes,
            describe,
            conformance,
            judged_by,
        } = report;
        Self {
            reach,
            bytes,
            contract,
            imports,
            resources: resources.into(),
            compile_ms,
            image_bytes,
            describe: describe.into(),
            conformance: conformance.map(ConformanceView::from),
            judged_by,
        }
    }
}

impl From<Resources> for ResourcesView {
    fn from(resources: Resources) -> Self {
        let Resources { modules, functions, function_max_bytes, memories, memory_initial_bytes, memory_max_bytes } =
            resources;
        Self { modules, functions, function_max_bytes, memories, memory_initial_bytes, memory_max_bytes }
    }
}

impl From<Used> for UsedView {
    fn from(Used { fuel, memory_bytes }: Used) -> Self {
        Self { fuel, memory_bytes }
    }
}

impl From<Conformance> for ConformanceView {
    fn from(Conformance { runs, most, findings }: Conformance) -> Self {
        Self { runs, most: most.into(), findings: findings.into_iter().map(FindingView::from).collect() }
    }
}

impl From<Finding> for FindingView {
    fn from(Finding { rule, severity, at, says, hint, details }: Finding) -> Self {
        Self { rule, severity: severity.into(), at, says, hint, details }
    }
}
