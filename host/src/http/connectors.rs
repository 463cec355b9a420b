//! `GET /v1/connectors`: which connectors are installed and what they ask for.

use std::fmt::Write as _;

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Http,
    extract::{Merchant, Query},
    problem::Problem,
    respond::{self, List},
};
use crate::connector::{
    Role,
    types::{
        self, Descriptor, KeyEncoding, Location, Method, OperationRules, Placement, Resolution, Setting, SettingKind,
    },
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The connectors that new payments can use, by name. There is one page.
#[utoipa::path(
    get, path = "/v1/connectors", tag = "connectors",
    responses((status = 200, description = "All of them", body = List<ConnectorView>))
)]
async fn list(State(http): State<Http>, _merchant: Merchant, query: Query) -> Result<Response, Problem> {
    query.read(|fields| Some(respond::limit(fields)))?;
    let listed = http.app.registry.list();
    let views = listed.iter().filter(|listed| listed.role == Role::Active).map(|listed| {
        let version = &listed.version;
        ConnectorView::new(version.name(), version.version(), version.digest(), "active", version.descriptor())
    });
    Ok(respond::ok(&List::whole(views.collect())))
}

/// One version of a connector.
#[derive(Serialize, ToSchema)]
#[schema(as = Connector)]
pub struct ConnectorView<'a> {
    /// `connector`
    object: &'static str,
    name: &'a str,
    version: &'a str,
    /// SHA-256 of the component, in hex.
    digest: String,
    /// `staged`, `active`, `draining`, …
    state: &'a str,
    /// Of a canary alone: the per cent of the payments that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<i32>,
    descriptor: DescriptorView<'a>,
}

impl<'a> ConnectorView<'a> {
    pub fn new(name: &'a str, version: &'a str, digest: &[u8], state: &'a str, descriptor: &'a Descriptor) -> Self {
        let digest = digest.iter().fold(String::with_capacity(digest.len() * 2), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes everything");
            hex
        });
        let descriptor = DescriptorView::new(descriptor);
        Self { object: "connector", name, version, digest, state, share: None, descriptor }
    }

    /// The same of a canary.
    #[must_use]
    pub fn with_share(self, share_percent: i32) -> Self {
        Self { share: Some(share_percent), ..self }
    }
}

/// What a connector says of itself, and is held to.
#[derive(Serialize, ToSchema)]
#[schema(as = Descriptor)]
struct DescriptorView<'a> {
    display_name: &'a str,
    /// `card`, `upi_collect`, `wallet:<provider>`, …
    methods: &'a [String],
    /// ISO 4217; empty: all that the gateway takes.
    currencies: &'a [String],
    /// Where its requests may go: origins, or `setting:<name>`.
    origins: &'a [String],
    /// What a gateway account has to enter.
    settings: Vec<SettingView<'a>>,
    /// Where secrets and card data may stand in its requests.
    placements: Vec<PlacementView<'a>>,
    operations: Vec<OperationView>,
    features: FeaturesView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorSetting)]
struct SettingView<'a> {
    name: &'a str,
    /// `text`, `url` or `secret`
    kind: &'static str,
    /// How a secret that is a key is written: `utf8`, `hex` or `base64`
    key_encoding: &'static str,
    required: bool,
    default: Option<&'a str>,
    help: &'a str,
    /// It names the account at the gateway: it cannot be changed, only made anew.
    identity: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorPlacement)]
struct PlacementView<'a> {
    hole: &'a str,
    method: &'static str,
    origin: &'a str,
    path_prefix: &'a str,
    /// `header`, `form_field`, `json_string` or `raw_body`
    location: &'static str,
    name: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorOperation)]
struct OperationView {
    kind: &'static str,
    /// How an unknown outcome can be found out, in this order.
    resolutions: Vec<ResolutionView>,
    settles_within_seconds: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorResolution)]
struct ResolutionView {
    /// `resend`, `get_by_reference`, `find_by_operation_id`, `await_webhook` or `cancel_by_operation_id`
    r#type: &'static str,
    /// Of `resend`: how long the gateway knows a key. Of `find_by_operation_id`: when "never received" counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorFeatures)]
#[expect(clippy::struct_excessive_bools, reason = "a mirror of the descriptor's record")]
struct FeaturesView {
    partial_capture: bool,
    multiple_capture: bool,
    partial_refund: bool,
    cancel: bool,
}

impl<'a> DescriptorView<'a> {
    fn new(descriptor: &'a Descriptor) -> Self {
        let types::Features { partial_capture, multiple_capture, partial_refund, cancel } = descriptor.features;
        Self {
            display_name: &descriptor.display_name,
            methods: &descriptor.methods,
            currencies: &descriptor.currencies,
            origins: &descriptor.origins,
            settings: descriptor.settings.iter().map(SettingView::new).collect(),
            placements: descriptor.placements.iter().map(PlacementView::new).collect(),
            operations: descriptor.operations.iter().map(OperationView::new).collect(),
            features: FeaturesView { partial_capture, multiple_capture, partial_refund, cancel },
        }
    }
}

impl<'a> SettingView<'a> {
    fn new(setting: &'a Setting) -> Self {
        Self {
            name: &setting.name,
            kind: match setting.kind {
                SettingKind::Text => "text",
                SettingKind::Url => "url",
                SettingKind::Secret => "secret",
            },
            key_encoding: match setting.key_encoding {
                KeyEncoding::Utf8 => "utf8",
                KeyEncoding::Hex => "hex",
                KeyEncoding::Base64 => "base64",
            },
            required: setting.required,
            default: setting.default.as_deref(),
            help: &setting.help,
            identity: setting.identity,
        }
    }
}

impl<'a> PlacementView<'a> {
    fn new(placement: &'a Placement) -> Self {
        Self {
            hole: &placement.hole,
            method: match placement.method {
                Method::Get => "GET",
                Method::Post => "POST",
                Method::Put => "PUT",
                Method::Patch => "PATCH",
                Method::Delete => "DELETE",
            },
            origin: &placement.origin,
            path_prefix: &placement.path_prefix,
            location: match placement.location {
                Location::Header => "header",
                Location::FormField => "form_field",
                Location::JsonString => "json_string",
                Location::RawBody => "raw_body",
            },
            name: &placement.name,
        }
    }
}

impl OperationView {
    fn new(rules: &OperationRules) -> Self {
        Self {
            kind: rules.kind.into(),
            resolutions: rules.resolutions.iter().copied().map(ResolutionView::new).collect(),
            settles_within_seconds: rules.settles_within_seconds,
        }
    }
}

impl ResolutionView {
    fn new(resolution: Resolution) -> Self {
        let (kind, seconds) = match resolution {
            Resolution::Resend(seconds) => ("resend", Some(seconds)),
            Resolution::GetByReference => ("get_by_reference", None),
            Resolution::FindByOperationId(seconds) => ("find_by_operation_id", Some(seconds)),
            Resolution::AwaitWebhook => ("await_webhook", None),
            Resolution::CancelByOperationId => ("cancel_by_operation_id", None),
        };
        Self { r#type: kind, seconds }
    }
}
