//! `/admin/connectors`: components judged, installed, activated, taken back, without a restart.

use std::time::Duration;

use axum::{
    body::Body as Incoming,
    extract::{FromRequestParts, Path, Request, State},
    response::Response,
};
use http::{StatusCode, request::Parts};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::Activate;
use crate::{
    connector::types::Descriptor,
    flow::install_connector,
    http::{
        Http,
        connectors::ConnectorView,
        extract::Operator,
        json::{Body, body, kinds, read},
        payments::connection,
        problem::{Code, Problem},
        respond::{self, List},
    },
    store::{self, connectors::Version},
};

/// The media type of a component.
const WASM: &str = "application/wasm";

/// As large as the engine looks at; more is refused before it is read.
const COMPONENT_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Longer than an operator's connection needs for that much.
const COMPONENT_ARRIVAL_MAX: Duration = Duration::from_mins(1);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(install, list))
        .routes(routes!(get))
        .routes(routes!(activate))
        .routes(routes!(rollback))
}

/// A connector with its versions.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorVersions)]
struct VersionsView<'a> {
    /// `connector_versions`
    object: &'static str,
    name: &'a str,
    /// The version that new operations begin with.
    active_version: Option<&'a str>,
    /// Newest first.
    versions: Vec<ConnectorView<'a>>,
}

/// A row of the store with its descriptor read.
struct Read {
    row: Version,
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

    fn view(&self) -> ConnectorView<'_> {
        let row = &self.row;
        ConnectorView::new(&row.name, &row.version, &row.digest, &row.state, &self.descriptor)
    }
}

/// Install a component: judge it, and keep it as staged. The same component again is no error.
///
/// The body is the component's bytes. 422 `connector_refused` tells every reason for which it is not let in.
#[utoipa::path(
    post, path = "/admin/connectors", tag = "operator",
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "The component"),
    responses((status = 201, description = "Installed", body = ConnectorView))
)]
async fn install(
    State(http): State<Http>,
    Operator(actor): Operator,
    request: Request<Incoming>,
) -> Result<Response, Problem> {
    let (parts, incoming) = request.into_parts();
    body::check_type(&parts.headers, WASM)?;
    let mut component = body::receive(&parts.headers, incoming, COMPONENT_MAX_BYTES, COMPONENT_ARRIVAL_MAX).await?;
    let version = install_connector::install(&http.app, std::mem::take(&mut *component), &actor).await?;
    let rows = versions(&http, Some(version.name())).await?;
    let installed = rows.iter().find(|read| read.row.digest == version.digest());
    let installed = installed.ok_or_else(|| Problem::internal(anyhow::anyhow!("an installed version is gone")))?;
    Ok(respond::json(StatusCode::CREATED, &installed.view()))
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

/// One connector with its versions.
#[utoipa::path(
    get, path = "/admin/connectors/{name}", tag = "operator", params(("name" = String, Path)),
    responses((status = 200, description = "Its versions", body = VersionsView))
)]
async fn get(State(http): State<Http>, names: PathNames<1>) -> Result<Response, Problem> {
    let PathNames([name]) = names;
    show(&http, &name).await
}

/// Let new operations begin with this version.
///
/// It approves the version's declared origins and placements. Operations that have begun end with the version that
/// began them.
#[utoipa::path(
    post, path = "/admin/connectors/{name}/versions/{version}/activate", tag = "operator", request_body = Activate,
    params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "Activated", body = VersionsView))
)]
async fn activate(
    State(http): State<Http>,
    Operator(actor): Operator,
    names: PathNames<2>,
    body: Body,
) -> Result<Response, Problem> {
    let share = read(body.value(), |fields| {
        if fields.optional("share", kinds::whole(1..=100)).is_some_and(|share| share < 100) {
            fields.fault("share", "must be 100: canaries are not there yet");
        }
        Some(())
    });
    share.map_err(Problem::invalid)?;
    let PathNames([name, version]) = names;
    install_connector::activate(&http.app, &name, &version, &actor).await?;
    show(&http, &name).await
}

/// Let new operations begin with the version that was active before.
#[utoipa::path(
    post, path = "/admin/connectors/{name}/rollback", tag = "operator", params(("name" = String, Path)),
    responses((status = 200, description = "Rolled back", body = VersionsView))
)]
async fn rollback(
    State(http): State<Http>,
    Operator(actor): Operator,
    names: PathNames<1>,
) -> Result<Response, Problem> {
    let PathNames([name]) = names;
    install_connector::rollback(&http.app, &name, &actor).await?;
    show(&http, &name).await
}

async fn show(http: &Http, name: &str) -> Result<Response, Problem> {
    let rows = versions(http, Some(name)).await?;
    if rows.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    Ok(respond::ok(&VersionsView {
        object: "connector_versions",
        name,
        active_version: rows.iter().find(|read| read.row.active).map(|read| read.row.version.as_str()),
        versions: rows.iter().map(Read::view).collect(),
    }))
}

async fn versions(http: &Http, name: Option<&str>) -> Result<Vec<Read>, Problem> {
    let rows = store::connectors::list(&mut *connection(http).await?).await?;
    rows.into_iter().filter(|row| name.is_none_or(|name| row.name == name)).map(Read::new).collect()
}

/// Names in the path, in their order. What cannot be read names nothing: 404.
struct PathNames<const N: usize>([String; N]);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for PathNames<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_found = || Problem::new(Code::NotFound);
        let Path(names) = Path::<Vec<String>>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        names.try_into().map(Self).map_err(|_| not_found())
    }
}

mod schema {
    //! The body as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// How much of the new payments it takes.
    #[derive(ToSchema)]
    pub(super) struct Activate {
        /// Per cent; canaries are not there yet, so 100 is all there is.
        #[schema(minimum = 1, maximum = 100, default = 100)]
        share: Option<i64>,
    }
}
