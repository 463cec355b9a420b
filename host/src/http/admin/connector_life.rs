//! `/admin/connectors/{name}/…`: what becomes of an installed version.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::{Activate, Rollback, Shadow};
use super::{
    connector_log::VERSION_MAX_CHARACTERS,
    connectors::{PathNames, show},
};
use crate::{
    connector::hex,
    flow::connectors::{self, ShadowNow, Which},
    http::{
        Http,
        extract::{Operator, Query},
        json::{Body, kinds, read},
        problem::Problem,
        respond,
    },
    view::time,
};

/// Operations that a replay takes where nobody says how many, and at most.
const TRANSCRIPTS_DEFAULT: i64 = 100;
const TRANSCRIPTS_MAX: i64 = 1_000;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(activate))
        .routes(routes!(rollback))
        .routes(routes!(retire))
        .routes(routes!(ask_shadow, get_shadow))
}

/// The version in the path, or the very component that `digest` names.
fn which(PathNames([name, version]): PathNames<2>, query: &Query) -> Result<Which, Problem> {
    let digest = query.read(|fields| Some(fields.optional("digest", digest)))?;
    Ok(Which { name, version, digest })
}

fn digest(value: &Value) -> Result<[u8; 32], String> {
    let wrong = || "must be the SHA-256 of a component: 64 hexadecimal digits".to_owned();
    let text = kinds::string(value)?;
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|sign| sign.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

/// Let new operations begin with this version, or a share of them.
///
/// It approves the version's declared origins and placements. Operations that have begun end with the version that
/// began them. With a `share` below 100 the version is a canary beside the active one: it takes that share of the payments,
/// the same ones on every host, and is rolled back by itself where its operations fail more often. Without it the version
/// takes everything, and the one before it drains.
///
/// 409 `connector_state` where a canary cannot be: `detail` says why. The version's number names the component that was
/// installed last under it, unless `digest` names another one.
#[utoipa::path(
    post, path = "/admin/connectors/{name}/versions/{version}/activate", tag = "operator", request_body = Activate,
    params(
        ("name" = String, Path), ("version" = String, Path),
        ("digest" = Option<String>, Query, description = "SHA-256 of the component, in hex")),
    responses((status = 200, description = "Activated", body = super::connectors::VersionsView))
)]
async fn activate(
    State(http): State<Http>,
    Operator(actor): Operator,
    names: PathNames<2>,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    let which = which(names, &query)?;
    let share = read(body.value(), |fields| Some(fields.optional("share", kinds::whole(1..=100))));
    let share = share.map_err(Problem::invalid)?.and_then(|share| u8::try_from(share).ok());
    connectors::activate(&http.app, &which, share, &actor).await?;
    show(&http, &which.name).await
}

/// Take the canary back; without one, let new operations begin with the version that was active before.
///
/// With `version` (and `digest`, where several components bear that number) it is that very canary or active version that is
/// taken back: say which one you mean, and a rollback that comes late or twice does nothing else. 409 `connector_state`
/// where it is neither, or where there is nothing to go back to.
#[utoipa::path(
    post, path = "/admin/connectors/{name}/rollback", tag = "operator", request_body = Rollback,
    params(("name" = String, Path)),
    responses((status = 200, description = "Rolled back", body = super::connectors::VersionsView))
)]
async fn rollback(
    State(http): State<Http>,
    Operator(actor): Operator,
    names: PathNames<1>,
    body: Body,
) -> Result<Response, Problem> {
    let PathNames([name]) = names;
    let from = read(body.value(), |fields| {
        let version = fields.optional("version", kinds::text(1..=VERSION_MAX_CHARACTERS));
        let digest = fields.optional("digest", digest);
        if digest.is_some() && version.is_none() {
            fields.fault("version", "is needed beside the digest");
        }
        Some(version.map(|version| Which { name: name.clone(), version, digest }))
    });
    let from = from.map_err(Problem::invalid)?;
    connectors::rollback(&http.app, &name, from.as_ref(), &actor).await?;
    show(&http, &name).await
}

/// Let a version go that is neither active nor the canary.
///
/// 409 `connector_state` while operations that it began are not final. Its bytes are kept: it can be activated again.
#[utoipa::path(
    post, path = "/admin/connectors/{name}/versions/{version}/retire", tag = "operator",
    params(
        ("name" = String, Path), ("version" = String, Path),
        ("digest" = Option<String>, Query, description = "SHA-256 of the component, in hex")),
    responses((status = 200, description = "Retired", body = super::connectors::VersionsView))
)]
async fn retire(
    State(http): State<Http>,
    Operator(actor): Operator,
    names: PathNames<2>,
    query: Query,
) -> Result<Response, Problem> {
    let which = which(names, &query)?;
    connectors::retire(&http.app, &which, &actor).await?;
    show(&http, &which.name).await
}

/// What replays of recorded operations on a version have shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorShadow)]
struct ShadowView<'a> {
    /// `connector_shadow`
    object: &'static str,
    name: &'a str,
    version: &'a str,
    digest: String,
    /// `never` asked for, `waiting` for a host, `running`, or `done`.
    status: &'static str,
    /// When the replay was asked for that is not done.
    asked_at: Option<String>,
    /// What the last one has shown: `transcripts` (asked for), `replayed`, `equal`, `different_count`, `skipped`, `traps`,
    /// and `different`: for each operation what differs, at which exchange (`position`; null: in what came of it), as
    /// `pointer`, `expected` and `got`.
    #[schema(value_type = Option<Object>)]
    report: Option<&'a Value>,
}

impl<'a> ShadowView<'a> {
    fn new(which: &'a Which, now: &'a ShadowNow) -> Self {
        let shadow = &now.shadow;
        let status = match (&shadow.asked_at, &shadow.report) {
            (Some(_), _) if shadow.is_running => "running",
            (Some(_), _) => "waiting",
            (None, Some(_)) => "done",
            (None, None) => "never",
        };
        Self {
            object: "connector_shadow",
            name: &which.name,
            version: &which.version,
            digest: hex(&now.digest),
            status,
            asked_at: shadow.asked_at.map(time),
            report: shadow.report.as_ref(),
        }
    }
}

/// Replay the last recorded operations of the connector on this version. Nothing is sent.
///
/// The version must ask for the same requests, and read the same outcome out of the recorded replies as the version that
/// began the operation. A host does it within some seconds; the same path answers what it has shown. A staged version is in
/// `shadow` from then on; one that traps too often is put in quarantine.
#[utoipa::path(
    post, path = "/admin/connectors/{name}/versions/{version}/shadow", tag = "operator", request_body = Shadow,
    params(
        ("name" = String, Path), ("version" = String, Path),
        ("digest" = Option<String>, Query, description = "SHA-256 of the component, in hex")),
    responses((status = 202, description = "Asked for", body = ShadowView))
)]
async fn ask_shadow(
    State(http): State<Http>,
    Operator(actor): Operator,
    names: PathNames<2>,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    let which = which(names, &query)?;
    let transcripts =
        read(body.value(), |fields| Some(fields.optional("transcripts", kinds::whole(1..=TRANSCRIPTS_MAX))));
    let transcripts = transcripts.map_err(Problem::invalid)?.unwrap_or(TRANSCRIPTS_DEFAULT);
    let transcripts = u16::try_from(transcripts).expect("the range was checked");
    let now = connectors::ask(&http.app, &which, transcripts, &actor).await?;
    Ok(respond::json(StatusCode::ACCEPTED, &ShadowView::new(&which, &now)))
}

/// What replays on this version have shown.
#[utoipa::path(
    get, path = "/admin/connectors/{name}/versions/{version}/shadow", tag = "operator",
    params(
        ("name" = String, Path), ("version" = String, Path),
        ("digest" = Option<String>, Query, description = "SHA-256 of the component, in hex")),
    responses((status = 200, description = "Where it stands", body = ShadowView))
)]
async fn get_shadow(State(http): State<Http>, names: PathNames<2>, query: Query) -> Result<Response, Problem> {
    let which = which(names, &query)?;
    let now = connectors::now(&http.app, &which).await?;
    Ok(respond::ok(&ShadowView::new(&which, &now)))
}

mod schema {
    //! The bodies as the documentation shows them.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// How much of the new payments it takes.
    #[derive(ToSchema)]
    pub(super) struct Activate {
        /// Per cent; below 100 it is a canary.
        #[schema(minimum = 1, maximum = 100, default = 100)]
        share: Option<i64>,
    }

    /// Which version is taken back.
    #[derive(ToSchema)]
    pub(super) struct Rollback {
        /// The number of the canary or active version that is meant.
        version: Option<String>,
        /// SHA-256 of the component, in hex, where several bear that number.
        digest: Option<String>,
    }

    /// How much is replayed.
    #[derive(ToSchema)]
    pub(super) struct Shadow {
        /// Operations, the latest first.
        #[schema(minimum = 1, maximum = 1000, default = 100)]
        transcripts: Option<i64>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_shown() {
        let shown = hex(&[0x0a; 32]);
        assert_eq!(digest(&json!(shown)), Ok([0x0a; 32]));
        assert_eq!(digest(&json!(shown.to_uppercase())), Ok([0x0a; 32]));
        for wrong in ["", "0a", &"+a".repeat(32), &"ä".repeat(32), &"0a".repeat(33)] {
            assert!(digest(&json!(wrong)).is_err(), "{wrong}");
        }
    }
}
