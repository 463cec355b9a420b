//! `/v1/tokens`: cards that come into the vault ahead of a payment.

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::CreateToken;
use super::{
    Http,
    extract::{Keyed, Merchant, PathId},
    json::{Body, read},
    payments::{method, month},
    problem::Problem,
    respond::{self, Deleted},
};
use crate::{domain::id::TokenId, flow, view::token::TokenView};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(delete))
}

/// Keep a card in the vault.
///
/// The number is never returned again. The code (CVC) is kept for an hour at most, and only until it is used.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "tokens", request_body = CreateToken,
    responses((status = 201, description = "Kept", body = TokenView))
)]
async fn create(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let now = month(&http);
    let entry = read(body.value(), |fields| fields.required_nested("card", |fields| method::card(fields, now)));
    let entry = entry.map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 201);
    drop(body);
    Ok(respond::answer(flow::store_token::store_token(&http.app, &call, entry).await?))
}

/// Delete a card from the vault. Payments that were made with it stay as they are.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "`tok_…`")),
    responses((status = 200, description = "Deleted", body = Deleted))
)]
async fn delete(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(token): PathId<TokenId>,
) -> Result<Response, Problem> {
    flow::store_token::delete_token(&http.app, merchant, token).await?;
    Ok(respond::ok(&Deleted::new(&token, "token")))
}

mod schema {
    //! The body as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    use crate::http::payments::CardInput;

    /// A card for the vault.
    #[derive(ToSchema)]
    pub(super) struct CreateToken {
        card: CardInput,
    }
}
