//! `/v1/gateway_accounts`: a merchant's accounts at gateways.

mod body;

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::body::schema::{ChangeGatewayAccount, CreateGatewayAccount};
use super::{
    Http,
    extract::{Keyed, Merchant, PathId, Query},
    json::{Body, kinds},
    payments::connection,
    problem::Problem,
    respond::{self, Deleted, List},
};
use crate::{domain::id::GatewayAccountId, flow::manage_accounts, store, view::gateway_account::GatewayAccountView};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, change, delete))
}

/// Make a gateway account.
///
/// Its settings are those that the connector's descriptor names (`GET /v1/connectors`).
#[utoipa::path(
    post, path = "/v1/gateway_accounts", tag = "gateway accounts", request_body = CreateGatewayAccount,
    responses((status = 201, description = "Made", body = GatewayAccountView))
)]
async fn create(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let new = body::new_account(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 201);
    drop(body);
    Ok(respond::answer(manage_accounts::create_account(&http.app, &call, new).await?))
}

/// List the gateway accounts, newest first.
#[utoipa::path(
    get, path = "/v1/gateway_accounts", tag = "gateway accounts",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<GatewayAccountView>))
)]
async fn list(State(http): State<Http>, Merchant(merchant): Merchant, query: Query) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<GatewayAccountId>).map(GatewayAccountId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::gateway_accounts::list(&mut conn, merchant, before, limit + 1).await?;
    Ok(respond::ok(&List::page(&rows, limit, |row| row.id().to_string(), GatewayAccountView::new)))
}

/// One gateway account.
#[utoipa::path(
    get, path = "/v1/gateway_accounts/{id}", tag = "gateway accounts",
    params(("id" = String, Path, description = "`gwa_…`")),
    responses((status = 200, description = "The account", body = GatewayAccountView))
)]
async fn get(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(account): PathId<GatewayAccountId>,
) -> Result<Response, Problem> {
    let account = manage_accounts::get_account(&http.app, merchant, account).await?;
    Ok(respond::ok(&GatewayAccountView::new(&account)))
}

/// Change a gateway account.
///
/// A new secret replaces the old one, which still proves webhooks for 24 hours. Settings that name the account at the
/// gateway cannot be changed: 409 `setting_is_identity`.
#[utoipa::path(
    patch, path = "/v1/gateway_accounts/{id}", tag = "gateway accounts", request_body = ChangeGatewayAccount,
    params(("id" = String, Path, description = "`gwa_…`")),
    responses((status = 200, description = "The account as it now is", body = GatewayAccountView))
)]
async fn change(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(account): PathId<GatewayAccountId>,
    body: Body,
) -> Result<Response, Problem> {
    let change = body::change(body.value()).map_err(Problem::invalid)?;
    drop(body);
    let account = manage_accounts::change_account(&http.app, merchant, account, &change).await?;
    Ok(respond::ok(&GatewayAccountView::new(&account)))
}

/// Delete a gateway account: it takes no new payment, and those that it has stay as they are.
#[utoipa::path(
    delete, path = "/v1/gateway_accounts/{id}", tag = "gateway accounts",
    params(("id" = String, Path, description = "`gwa_…`")),
    responses((status = 200, description = "Deleted", body = Deleted))
)]
async fn delete(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(account): PathId<GatewayAccountId>,
) -> Result<Response, Problem> {
    manage_accounts::delete_account(&http.app, merchant, account).await?;
    Ok(respond::ok(&Deleted::new(&account, "gateway_account")))
}
