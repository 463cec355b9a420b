//! `/admin/connectors`: components judged, installed and listed, without a restart. What becomes of them then is told in
//! [`super::connector_life`].

use std::time::Duration;

use axum::{
    body::Body as Incoming,
    extract::{FromRequestParts, Path, Request, State},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, request::Parts};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::connector_report::{Reports, VersionView};
use crate::{
    connector::{ReasonCode, types::Descriptor},
    flow::{
        Fault, Refusal,
        install_connector::{self, Candidate},
    },
    http::{
        Http,
        connectors::ConnectorView,
        extract::Operator,
        json::body,
        payments::connection,
        problem::{Code, Problem},
        respond::{self, List},
    },
    store::{self, connectors::Version},
};

/// The media type of a component.
const WASM: &str = "application/wasm";

/// Carries the document that vouches for a component.
const SIGNATURE: &str = "interlock-signature";

/// As large as the engine looks at; more is refused before it is read.
const COMPONENT_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Longer than an operator's connection needs for that much.
const COMPONENT_ARRIVAL_MAX: Duration = Duration::from_mins(1);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(install, list)).routes(routes!(get))
}

/// A connector with its versions.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorVersions)]
pub(super) struct VersionsView<'a> {
    /// `connector_versions`
    object: &'static str,
    name: &'a str,
    /// The version that new operations begin with.
    active_version: Option<&'a str>,
    /// Newest first.
    versions: Vec<VersionView<'a>>,
}

/// A row of the store with its descriptor read.
pub(super) struct Read {
    pub(super) row: Version,
    descriptor: Descriptor,
}

impl Read {
    fn new(row: Version) -> Result<Self, Problem> {
        let descriptor = serde_json::from_value(row.descriptor.clone()).map_err(|error| {
            let (name, version) = (&row.name, &row.version);
            Problem::internal(anyhow::Error::new(error).context(format!("the descriptor of {name} {version}")))
        })?;
        Ok(Self { row, descriptor })
    }

    pub(super) fn view(&self) -> ConnectorView<'_> {
        let row = &self.row;
        let view = ConnectorView::new(&row.name, &row.version, &row.digest, &row.state, &self.descriptor);
        if row.state == "canary" { view.with_share(row.share) } else { view }
    }
}

/// Install a component: judge it, and keep it as staged. The same component again is no error.
///
/// The body is the component's bytes. 422 `connector_refused` tells every reason for which it is not let in. Where the
/// operator trusts keys (`INTERLOCK_CONNECTOR_KEYS`), the header `Interlock-Signature` must vouch for it: the base64 of what
/// `interlock connector sign` writes.
#[utoipa::path(
    post, path = "/admin/connectors", tag = "operator",
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component"),
    params(("Interlock-Signature" = Option<String>, Header, description = "The signature's document, in base64")),
    responses((status = 201, description = "Installed", body = VersionView))
)]
async fn install(
    State(http): State<Http>,
    Operator(actor): Operator,
    request: Request<Incoming>,
) -> Result<Response, Problem> {
    let (parts, incoming) = request.into_parts();
    body::check_type(&parts.headers, WASM)?;
    let mut component = body::receive(&parts.headers, incoming, COMPONENT_MAX_BYTES, COMPONENT_ARRIVAL_MAX).await?;
    let candidate =
        Candidate { component: std::mem::take(&mut *component), signature: signature_document(&parts.headers)? };
    let version = install_connector::install(&http.app, candidate, &actor).await?;
    let rows = versions(&http, Some(version.name())).await?;
    let installed = rows.iter().find(|read| read.row.digest == version.digest());
    let installed = installed.ok_or_else(|| Problem::internal(anyhow::anyhow!("an installed version is gone")))?;
    let reports = Reports::of(&http, version.name()).await?;
    Ok(respond::json(StatusCode::CREATED, &reports.view(installed)?))
}

/// All versions of all connectors, by name, the newest of a name first. There is one page.
#[utoipa::path(
    get, path = "/admin/connectors", tag = "operator",
    responses((status = 200, description = "All of them", body = List<ConnectorView>))
)]
async fn list(State(http): State<Http>) -> Result<Response, Problem> {
    let rows = versions(&http, None).await?;
    Ok(respond::ok(&List::whole(rows.iter().map(Read::view).collect())))
}

/// One connector with its versions, and what admission found out about each: what it can reach, in plain words.
#[utoipa::path(
    get, path = "/admin/connectors/{name}", tag = "operator", params(("name" = String, Path)),
    responses((status = 200, description = "Its versions", body = VersionsView))
)]
async fn get(State(http): State<Http>, names: PathNames<1>) -> Result<Response, Problem> {
    let PathNames([name]) = names;
    show(&http, &name).await
}

/// The document that vouches for a component, where the request has one.
fn signature_document(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let mut values = headers.get_all(SIGNATURE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let document = STANDARD.decode(value.as_bytes()).ok().filter(|_| values.next().is_none());
    let unreadable = || {
        let detail =
            format!("the header {SIGNATURE} is not the base64 of one document. Send what `connector push` sends");
        Refusal::ConnectorRefused(vec![Fault::new(ReasonCode::SignatureInvalid.name(), detail)])
    };
    document.map(Some).ok_or_else(|| unreadable().into())
}

/// The connector as it is now.
pub(super) async fn show(http: &Http, name: &str) -> Result<Response, Problem> {
    let rows = versions(http, Some(name)).await?;
    if rows.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    let reports = Reports::of(http, name).await?;
    Ok(respond::ok(&VersionsView {
        object: "connector_versions",
        name,
        active_version: rows.iter().find(|read| read.row.active).map(|read| read.row.version.as_str()),
        versions: rows.iter().map(|read| reports.view(read)).collect::<Result<_, _>>()?,
    }))
}

async fn versions(http: &Http, name: Option<&str>) -> Result<Vec<Read>, Problem> {
    let mut conn = connection(http).await?;
    let rows = match name {
        Some(name) => store::connectors::of_name(&mut conn, name).await?,
        None => store::connectors::list(&mut conn).await?,
    };
    rows.into_iter().map(Read::new).collect()
}

/// Names in the path, in their order. What cannot be read names nothing: 404.
pub(super) struct PathNames<const N: usize>(pub(super) [String; N]);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for PathNames<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_found = || Problem::new(Code::NotFound);
        let Path(names) = Path::<Vec<String>>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        names.try_into().map(Self).map_err(|_| not_found())
    }
}
