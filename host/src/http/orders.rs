//! `/v1/orders`: what is being paid for, with its payments.

use axum::{extract::State, response::Response};
use serde_json::Value;
use strum::VariantNames as _;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::schema::CreateOrder;
use super::{
    Http,
    extract::{Keyed, Merchant, PathId, Query},
    json::{Body, kinds, read},
    payments::{body::metadata, connection},
    problem::{Code, Problem},
    respond::{self, List},
};
use crate::{
    domain::{
        id::{OrderId, PaymentId},
        money::{AMOUNT_MAX_MINOR, Money},
        order::OrderStatus,
    },
    flow::{
        Fault,
        manage_orders::{self, NewOrder},
    },
    store::{self, orders::Filter, payments},
    view::order::{OrderPaymentView, OrderView},
};

const REFERENCE_MAX_CHARACTERS: usize = 255;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get))
        .routes(routes!(payments_of))
        .routes(routes!(cancel))
}

/// Create an order.
///
/// Payments that name it reserve their amount when they are confirmed; together they never take more than the order's.
/// `reference` is the merchant's own name for it: a second order with the same one is refused, 409 `order_exists`.
#[utoipa::path(
    post, path = "/v1/orders", tag = "orders", request_body = CreateOrder,
    responses((status = 201, description = "Made", body = OrderView))
)]
async fn create(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let new = new_order(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 201);
    drop(body);
    Ok(respond::answer(manage_orders::create_order(&http.app, call, new).await?))
}

fn new_order(body: &Value) -> Result<NewOrder, Vec<Fault>> {
    read(body, |fields| {
        let reference = fields.required("reference", kinds::text(1..=REFERENCE_MAX_CHARACTERS));
        let amount = fields.required("amount", kinds::whole(1..=AMOUNT_MAX_MINOR));
        let currency = fields.required("currency", kinds::currency);
        let metadata = metadata(fields);
        match Money::to_move(amount?, currency?) {
            Ok(money) => Some(NewOrder { reference: reference?, money, metadata }),
            Err(fault) => {
                fields.fault("amount", fault.to_string());
                None
            }
        }
    })
}

/// List orders, newest first.
#[utoipa::path(
    get, path = "/v1/orders", tag = "orders",
    params(
        ("reference" = Option<String>, Query, description = "Only the order with this reference"),
        ("status" = Option<String>, Query, description = "Only orders with this status"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<OrderView>))
)]
async fn list(State(http): State<Http>, Merchant(merchant): Merchant, query: Query) -> Result<Response, Problem> {
    let (reference, filter, limit) = query.read(|fields| {
        let reference = fields.optional("reference", kinds::text(1..=REFERENCE_MAX_CHARACTERS));
        let status = fields.optional("status", kinds::word(OrderStatus::VARIANTS));
        let before = fields.optional("cursor", kinds::id::<OrderId>).map(OrderId::uuid);
        let limit = respond::limit(fields);
        Some((reference, Filter { status, before, limit: limit + 1 }, limit))
    })?;
    let mut conn = connection(&http).await?;
    let rows = match reference {
        // At most one, and found by its index.
        Some(reference) => {
            let found = store::orders::by_reference(&mut conn, merchant, &reference).await?;
            let is_wanted = |order: &store::orders::Order| {
                filter.status.is_none_or(|status| order.status == status)
                    && filter.before.is_none_or(|before| order.order_id < before)
            };
            found.into_iter().filter(is_wanted).collect()
        }
        None => store::orders::list(&mut conn, merchant, &filter).await?,
    };
    Ok(respond::ok(&List::page(&rows, limit, |row| row.id().to_string(), OrderView::new)))
}

/// One order.
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "orders", params(("id" = String, Path, description = "`ord_…`")),
    responses((status = 200, description = "The order", body = OrderView))
)]
async fn get(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(order): PathId<OrderId>,
) -> Result<Response, Problem> {
    let found = store::orders::get(&mut *connection(&http).await?, merchant, order).await?;
    let found = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(respond::ok(&OrderView::new(&found)))
}

/// The payments of an order, newest first, each with its attempts.
#[utoipa::path(
    get, path = "/v1/orders/{id}/payments", tag = "orders",
    params(
        ("id" = String, Path, description = "`ord_…`"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<OrderPaymentView>))
)]
async fn payments_of(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(order): PathId<OrderId>,
    query: Query,
) -> Result<Response, Problem> {
    let (filter, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<PaymentId>).map(PaymentId::uuid);
        let limit = respond::limit(fields);
        Some((payments::Filter { order: Some(order), before, limit: limit + 1, ..Default::default() }, limit))
    })?;
    let mut conn = connection(&http).await?;
    let payments = store::payments::list(&mut conn, merchant, &filter).await?;
    if payments.is_empty() && store::orders::get(&mut conn, merchant, order).await?.is_none() {
        return Err(Problem::new(Code::NotFound));
    }
    let ids: Vec<Uuid> = payments.iter().map(|payment| payment.payment_id).collect();
    let attempts = store::attempts::list_of_payments(&mut conn, merchant, &ids).await?;
    drop(conn);
    let show = |payment| {
        let payment: &payments::Payment = payment;
        OrderPaymentView::new(payment, attempts.get(&payment.payment_id).map_or(&[], Vec::as_slice))
    };
    Ok(respond::ok(&List::page(&payments, limit, |row| row.id().to_string(), show)))
}

/// Cancel an order.
///
/// Possible where nothing of it is paid or under way, else 409 `order_not_cancelable`. A cancelled order takes no
/// payment. One that is cancelled already is answered as it is.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", tag = "orders", params(("id" = String, Path, description = "`ord_…`")),
    responses((status = 200, description = "The order, cancelled", body = OrderView))
)]
async fn cancel(
    State(http): State<Http>,
    PathId(order): PathId<OrderId>,
    keyed: Keyed,
    body: Body,
) -> Result<Response, Problem> {
    // It takes no field: what is sent by mistake is told.
    read(body.value(), |_| Some(())).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 200);
    drop(body);
    Ok(respond::answer(manage_orders::cancel_order(&http.app, call, order).await?))
}

mod schema {
    //! The body as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use std::collections::BTreeMap;

    use utoipa::ToSchema;

    /// A new order.
    #[derive(ToSchema)]
    pub(super) struct CreateOrder {
        /// The merchant's own name for it, unique among its orders.
        #[schema(min_length = 1, max_length = 255, example = "cart-17")]
        reference: String,
        /// In the currency's minor unit: 1 to 999999999999.
        #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 10_000)]
        amount: i64,
        /// ISO 4217, capitals.
        #[schema(example = "USD")]
        currency: String,
        /// At most 50 entries; names of 1 to 40 characters, values of at most 500.
        metadata: Option<BTreeMap<String, String>>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::docs;

    /// What is documented is what is read.
    #[test]
    fn the_documentation_names_the_fields_that_are_read() {
        docs::assert_reads::<CreateOrder>(|value| new_order(value).err());
    }

    #[test]
    fn every_fault_has_its_pointer() {
        let body = json!({ "reference": "", "amount": 0, "currency": "eur", "metadata": { "n": 5 }, "referense": "x" });
        let told = new_order(&body).err().unwrap_or_default();
        let told: Vec<_> = told.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        /reference: must not be empty
        /amount: must be at least 1
        /currency: must be three capital letters, as in `EUR`
        /metadata/n: must be a string, not a number
        /referense: is not known here; did you mean `reference`?
        ");
    }
}
