//! `POST /admin/payments/{id}/resolve`: a person says how it ended.

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::Resolve;
use super::NOTE_MAX_CHARACTERS;
use crate::{
    domain::id::{MerchantId, OperationId, PaymentId},
    flow::{
        operator_resolve::{self, Resolution},
        review_story,
    },
    http::{
        Http,
        extract::{Operator, PathId},
        json::{Body, kinds, read},
        problem::Problem,
        respond,
    },
    view::payment::PaymentView,
};

/// The outcomes that a person may name.
const OUTCOMES: &[&str] = &["succeeded", "failed", "cancelled"];

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(resolve))
}

/// Resolve what waits in manual review, by what a person has found out at the gateway.
///
/// `version` is the payment's as that person has read it: where it has moved on since, 409 `stale`. 409
/// `payment_not_resolvable` where nothing waits for this decision; the review lists what does. It cannot be taken back,
/// and is kept in the audit log.
#[utoipa::path(
    post, path = "/admin/payments/{id}/resolve", tag = "operator", request_body = Resolve,
    params(("id" = String, Path, description = "`pay_…`")),
    responses((status = 200, description = "Resolved: the payment as it is now", body = PaymentView))
)]
async fn resolve(
    State(http): State<Http>,
    Operator(actor): Operator,
    PathId(payment): PathId<PaymentId>,
    body: Body,
) -> Result<Response, Problem> {
    let decided = read(body.value(), |fields| {
        let outcome = fields.required("outcome", kinds::word(OUTCOMES));
        let note = fields.required("note", kinds::text(1..=NOTE_MAX_CHARACTERS));
        let version = fields.required("version", kinds::whole(1..=i64::from(i32::MAX)));
        let operation = fields.optional("operation", kinds::id::<OperationId>);
        let merchant = fields.optional("merchant", kinds::id::<MerchantId>);
        Some((outcome?, note?, i32::try_from(version?).ok()?, operation, merchant))
    });
    let (outcome, note, version, operation, merchant) = decided.map_err(Problem::invalid)?;
    let merchant = review_story::merchant_of(&http.app, payment, merchant).await?;
    let resolution = Resolution {
        merchant_id: merchant.uuid(),
        payment,
        operation,
        outcome,
        note,
        version,
        actor: actor.to_string(),
    };
    Ok(respond::answer(operator_resolve::resolve(&http.app, resolution).await?))
}

mod schema {
    //! The body as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// How it ended, and how that was found out.
    #[derive(ToSchema)]
    pub(super) struct Resolve {
        /// `succeeded`, `failed` or `cancelled`
        outcome: String,
        /// How it was found out, for those who read the audit log.
        #[schema(min_length = 1, max_length = 2000, example = "The gateway's dashboard shows no charge for op_…")]
        note: String,
        /// The payment's, as it was read.
        #[schema(minimum = 1)]
        version: i64,
        /// `op_…`: the capture, cancel or refund that it is about; else the payment itself.
        operation: Option<String>,
        /// `mer_…`: needed where the payment has no review and no unresolved operation.
        merchant: Option<String>,
    }
}
