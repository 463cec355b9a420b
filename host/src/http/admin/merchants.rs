//! `/admin/merchants`, and the API keys of each.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::CreateMerchant;
use crate::{
    domain::id::{ApiKeyId, MerchantId},
    flow::manage_merchants,
    http::{
        Http,
        extract::{Operator, PathId, PathIds, Query},
        json::{Body, kinds, read},
        payments::connection,
        problem::Problem,
        respond::{self, Deleted, List},
    },
    store::{self, api_keys::ApiKey, merchants::Merchant},
    view::time,
};

/// As the schema has it.
const NAME_MAX_CHARACTERS: usize = 200;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(create_key, list_keys))
        .routes(routes!(revoke_key))
}

/// A merchant.
#[derive(Serialize, ToSchema)]
#[schema(as = Merchant)]
struct MerchantView<'a> {
    /// `mer_…`
    id: String,
    /// `merchant`
    object: &'static str,
    name: &'a str,
    created_at: String,
}

impl<'a> MerchantView<'a> {
    fn new(merchant: &'a Merchant) -> Self {
        Self {
            id: MerchantId::from_uuid(merchant.merchant_id).to_string(),
            object: "merchant",
            name: &merchant.name,
            created_at: time(merchant.created_at),
        }
    }
}

/// An API key, without the key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyView<'a> {
    /// `key_…`
    id: String,
    /// `api_key`
    object: &'static str,
    /// The key itself: shown once, in the answer to its making.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// Its last four characters.
    hint: &'a str,
    created_at: String,
    revoked_at: Option<String>,
}

impl<'a> ApiKeyView<'a> {
    fn new(api_key: &'a ApiKey, key: Option<&'a str>) -> Self {
        Self {
            id: ApiKeyId::from_uuid(api_key.key_id).to_string(),
            object: "api_key",
            key,
            hint: &api_key.hint,
            created_at: time(api_key.created_at),
            revoked_at: api_key.revoked_at.map(time),
        }
    }
}

/// Make a merchant.
#[utoipa::path(
    post, path = "/admin/merchants", tag = "operator", request_body = CreateMerchant,
    responses((status = 201, description = "Made", body = MerchantView))
)]
async fn create(State(http): State<Http>, Operator(actor): Operator, body: Body) -> Result<Response, Problem> {
    let name = read(body.value(), |fields| fields.required("name", kinds::text(1..=NAME_MAX_CHARACTERS)));
    let merchant = manage_merchants::create_merchant(&http.app, name.map_err(Problem::invalid)?, &actor).await?;
    Ok(respond::json(StatusCode::CREATED, &MerchantView::new(&merchant)))
}

/// List merchants, newest first.
#[utoipa::path(
    get, path = "/admin/merchants", tag = "operator",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<MerchantView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<MerchantId>).map(MerchantId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let rows = store::merchants::list(&mut *connection(&http).await?, before, limit + 1).await?;
    let cursor = |row: &Merchant| MerchantId::from_uuid(row.merchant_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, MerchantView::new)))
}

/// Make an API key for a merchant. The key is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/admin/merchants/{id}/api_keys", tag = "operator",
    params(("id" = String, Path, description = "`mer_…`")),
    responses((status = 201, description = "Made", body = ApiKeyView))
)]
async fn create_key(
    State(http): State<Http>,
    Operator(actor): Operator,
    PathId(merchant): PathId<MerchantId>,
    body: Body,
) -> Result<Response, Problem> {
    read(body.value(), |_| Some(())).map_err(Problem::invalid)?;
    let (api_key, new) = manage_merchants::create_api_key(&http.app, merchant, &actor).await?;
    Ok(respond::json(StatusCode::CREATED, &ApiKeyView::new(&api_key, Some(new.text()))))
}

/// List a merchant's API keys, revoked ones too, newest first.
#[utoipa::path(
    get, path = "/admin/merchants/{id}/api_keys", tag = "operator",
    params(
        ("id" = String, Path, description = "`mer_…`"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<ApiKeyView>))
)]
async fn list_keys(
    State(http): State<Http>,
    PathId(merchant): PathId<MerchantId>,
    query: Query,
) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<ApiKeyId>).map(ApiKeyId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let rows = manage_merchants::list_api_keys(&http.app, merchant, before, limit + 1).await?;
    let cursor = |row: &ApiKey| ApiKeyId::from_uuid(row.key_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, |row| ApiKeyView::new(row, None))))
}

/// Revoke an API key: at once on this host, within a second on every other.
#[utoipa::path(
    delete, path = "/admin/merchants/{id}/api_keys/{key_id}", tag = "operator",
    params(("id" = String, Path, description = "`mer_…`"), ("key_id" = String, Path, description = "`key_…`")),
    responses((status = 200, description = "Revoked", body = Deleted))
)]
async fn revoke_key(
    State(http): State<Http>,
    Operator(actor): Operator,
    PathIds(merchant, key): PathIds<MerchantId, ApiKeyId>,
) -> Result<Response, Problem> {
    manage_merchants::revoke_api_key(&http.app, merchant, key, &actor).await?;
    http.keys.revoke(key);
    Ok(respond::ok(&Deleted::new(&key, "api_key")))
}

mod schema {
    //! The body as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// A new merchant.
    #[derive(ToSchema)]
    pub(super) struct CreateMerchant {
        #[schema(min_length = 1, max_length = 200, example = "Corner Shop")]
        name: String,
    }
}
