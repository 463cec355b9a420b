//! A review as operators see it: in a list, and with the whole story of its payment.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    exchange::ExchangeView,
    payment::{AttemptView, PaymentView},
    time,
};
use crate::{
    connector::hex,
    domain::{
        id::{GatewayAccountId, MerchantId, OperationId, PaymentId, ReviewId},
        review::{self, Possible, Waiting},
    },
    store::{
        payment_events::PaymentEvent,
        reviews::Review,
        story::{Operation, Story, Webhook},
    },
};

/// The status of an operation that waits for a person.
const IN_REVIEW: &str = "manual_review";

/// Something that a person must look at.
#[derive(Serialize, ToSchema)]
#[schema(as = Review)]
pub struct ReviewView<'a> {
    /// `rvw_…`
    id: String,
    /// `review`
    object: &'static str,
    /// `open` or `closed`
    status: &'static str,
    /// Why it was opened: `unresolved`, `amount_mismatch`, `surplus`, `contradiction`, `correction`, `unsettled` or
    /// `unfinished`.
    reason: &'a str,
    /// What was seen when it was opened.
    #[schema(value_type = Object)]
    detail: &'a Value,
    /// `mer_…`
    merchant: String,
    /// `pay_…`
    payment: String,
    /// `op_…`: the operation that it is about.
    operation: Option<String>,
    opened_at: String,
    closed_at: Option<String>,
    /// How it was closed, by whom and why.
    #[schema(value_type = Option<Object>)]
    resolution: Option<&'a Value>,
}

impl<'a> ReviewView<'a> {
    /// The review as it stands in a list.
    #[must_use]
    pub fn new(review: &'a Review) -> Self {
        Self {
            id: ReviewId::from_uuid(review.review_id).to_string(),
            object: "review",
            status: if review.closed_at.is_some() { "closed" } else { "open" },
            reason: &review.reason,
            detail: &review.detail,
            merchant: MerchantId::from_uuid(review.merchant_id).to_string(),
            payment: PaymentId::from_uuid(review.payment_id).to_string(),
            operation: review.operation_id.map(operation_id),
            opened_at: time(review.opened_at),
            closed_at: review.closed_at.map(time),
            resolution: review.resolution.as_ref(),
        }
    }
}

/// A review with all that is known of its payment.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewStory)]
pub struct StoryView<'a> {
    #[serde(flatten)]
    review: ReviewView<'a>,
    story: ToldView<'a>,
}

/// All that is known of a payment, within bounds.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentStory)]
struct ToldView<'a> {
    /// As the merchant sees it. A resolution names its `version`.
    payment: PaymentView<'a>,
    totals: TotalsView,
    /// What the gateway said last, of any operation of this payment.
    gateway_last_said: Option<LastSaidView<'a>>,
    /// What `POST /admin/payments/{id}/resolve` takes now; where it is empty the review can only be closed.
    resolutions: Vec<ResolutionView>,
    attempts: Vec<TriedView<'a>>,
    /// Oldest first, questions (`sync`) too; the newest 60.
    operations: Vec<OperationView<'a>>,
    /// The audit trail, oldest first; the first 300 lines.
    events: Vec<TrailView<'a>>,
    /// What gateways told by themselves about these operations, oldest first; the newest 50.
    webhooks: Vec<WebhookView<'a>>,
    /// The other reviews of this payment, newest first.
    other_reviews: Vec<ReviewView<'a>>,
}

/// The payment's amounts, in the currency's minor unit.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentTotals)]
#[expect(clippy::struct_field_names, reason = "the names of the contract")]
struct TotalsView {
    amount_authorized: i64,
    /// Asked for, and not known yet.
    amount_capturing: i64,
    amount_captured: i64,
    /// Asked for, and not known yet.
    amount_refunding: i64,
    amount_refunded: i64,
    /// What gateways prove to have taken beyond what was asked for.
    amount_surplus: i64,
}

/// The last complete reply, or the last webhook that was proved, whichever came later.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayLastSaid)]
struct LastSaidView<'a> {
    /// `reply` or `webhook`
    by: &'static str,
    /// `op_…`: the operation that was asked, which may be a question about another.
    operation: String,
    /// `authorize`, `sync`, …
    kind: &'a str,
    at: String,
    http_status: Option<i16>,
    late: bool,
    /// What its connector made of it; null where it could make nothing of it.
    #[schema(value_type = Option<Object>)]
    outcome: Option<&'a Value>,
}

/// One resolution that is possible now.
#[derive(Serialize, ToSchema)]
#[schema(as = PossibleResolution)]
struct ResolutionView {
    /// `succeeded`, `failed` or `cancelled`
    outcome: &'static str,
    /// `op_…`, to be named where it is not null.
    operation: Option<String>,
    /// What saying so asserts.
    means: &'static str,
}

/// An attempt with what its gateway calls it.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptStory)]
struct TriedView<'a> {
    #[serde(flatten)]
    attempt: AttemptView<'a>,
    /// `[[name, value], …]`: everything by which the gateway knows it.
    #[schema(value_type = Vec<Vec<String>>)]
    gateway_references: &'a Value,
}

/// An operation with its exchanges.
#[derive(Serialize, ToSchema)]
#[schema(as = OperationStory)]
struct OperationView<'a> {
    /// `op_…`: what the gateway got as idempotency key.
    id: String,
    /// `operation`
    object: &'static str,
    kind: &'a str,
    status: &'a str,
    /// In the currency's minor unit.
    amount: i64,
    currency: &'a str,
    /// The number of its attempt.
    attempt: i32,
    /// `gwa_…`
    gateway_account: String,
    connector: &'a str,
    connector_digest: String,
    /// As its connector read it; null while it is not known.
    #[schema(value_type = Option<Object>)]
    outcome: Option<&'a Value>,
    /// What the gateway proved after that.
    #[schema(value_type = Option<Object>)]
    correction: Option<&'a Value>,
    /// Why the host began it by itself: `expiry` (to call off what nobody finished), `surplus` (to give back what was taken
    /// twice) or `call_off` (to call off what nobody can find out about).
    purpose: Option<&'a str>,
    created_at: String,
    finished_at: Option<String>,
    /// Where it is unresolved.
    unresolved: Option<UnresolvedView>,
    exchanges: Vec<ExchangeView<'a>>,
}

/// What is being done about an operation that is unresolved.
#[derive(Serialize, ToSchema)]
#[schema(as = Unresolved)]
struct UnresolvedView {
    /// How often the gateway was asked.
    checks: i16,
    /// How often it said that it never received the operation.
    never_received: i16,
    /// From when it could no longer be under way.
    unknown_since: Option<String>,
    /// When somebody looks again; null where it waits for a person.
    due_at: Option<String>,
}

/// One line of the audit trail, with what is not for merchants.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentEventStory)]
struct TrailView<'a> {
    sequence: i32,
    event: &'a str,
    from: Option<&'static str>,
    to: &'static str,
    /// This is where the money was won.
    wins: bool,
    attempt: Option<i32>,
    operation: Option<String>,
    #[schema(value_type = Option<Object>)]
    detail: Option<&'a Value>,
    created_at: String,
}

/// One event that a gateway told by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookStory)]
struct WebhookView<'a> {
    /// The gateway's own id of it.
    gateway_event: &'a str,
    gateway_account: String,
    /// Whether its signature proved it; one that is not proved only made the host ask.
    verified: bool,
    /// `done`, `waiting` or `quarantined`
    status: &'static str,
    /// Why it is in quarantine.
    quarantined: Option<&'a str>,
    /// As its connector read it; null where it is too long to be shown.
    #[schema(value_type = Option<Object>)]
    event: Option<&'a Value>,
    received_at: String,
}

impl<'a> StoryView<'a> {
    /// The review and its story.
    #[must_use]
    pub fn new(review: &'a Review, story: &'a Story) -> Self {
        Self { review: ReviewView::new(review), story: ToldView::new(review, story) }
    }
}

impl<'a> ToldView<'a> {
    fn new(review: &Review, story: &'a Story) -> Self {
        let payment = &story.payment;
        let others = story.reviews.iter().filter(|other| other.review_id != review.review_id);
        Self {
            payment: PaymentView::new(payment),
            totals: TotalsView {
                amount_authorized: payment.amount_authorized,
                amount_capturing: payment.amount_capturing,
                amount_captured: payment.amount_captured,
                amount_refunding: payment.amount_refunding,
                amount_refunded: payment.amount_refunded,
                amount_surplus: payment.amount_surplus,
            },
            gateway_last_said: LastSaidView::of(story),
            resolutions: resolutions(story),
            attempts: story
                .attempts
                .iter()
                .map(|attempt| TriedView {
                    attempt: AttemptView::new(attempt),
                    gateway_references: &attempt.gateway_references,
                })
                .collect(),
            operations: story.operations.iter().map(|operation| OperationView::new(operation, story)).collect(),
            events: story.events.iter().map(TrailView::new).collect(),
            webhooks: story.webhooks.iter().map(WebhookView::new).collect(),
            other_reviews: others.map(ReviewView::new).collect(),
        }
    }
}

/// What can be decided now. The operation of an attempt is resolved with its payment, not by itself.
fn resolutions(story: &Story) -> Vec<ResolutionView> {
    let by_itself = |kind: &str| matches!(kind, "capture" | "cancel" | "refund");
    let waiting: Vec<_> = story
        .operations
        .iter()
        .filter(|operation| operation.status == IN_REVIEW && by_itself(&operation.kind))
        .map(|operation| OperationId::from_uuid(operation.operation_id))
        .collect();
    let show = |possible: &Possible<OperationId>| ResolutionView {
        outcome: possible.verdict.into(),
        operation: match possible.about {
            Waiting::Payment => None,
            Waiting::Operation(operation) => Some(operation.to_string()),
        },
        means: review::meaning(possible),
    };
    review::possible(story.payment.status, &waiting).iter().map(show).collect()
}

impl<'a> LastSaidView<'a> {
    fn of(story: &'a Story) -> Option<Self> {
        let (reply, webhook) = (Self::by_reply(story), Self::by_webhook(story));
        // Times of one form are ordered as their texts are.
        [reply, webhook].into_iter().flatten().max_by(|one, other| one.at.cmp(&other.at))
    }

    fn by_webhook(story: &'a Story) -> Option<Self> {
        let told = |webhook: &&Webhook| webhook.verified && webhook.event.is_some();
        let webhook = story.webhooks.iter().filter(told).max_by_key(|webhook| webhook.received_at)?;
        let event = webhook.event.as_ref()?;
        let named = event.get("operation_id").and_then(Value::as_str)?;
        let operation = story.operations.iter().find(|operation| operation_id(operation.operation_id) == named)?;
        Some(Self {
            by: "webhook",
            operation: named.to_owned(),
            kind: &operation.kind,
            at: time(webhook.received_at),
            http_status: None,
            late: false,
            // What is not an outcome is a notice.
            outcome: event.pointer("/kind/Outcome/1").or_else(|| event.get("kind")),
        })
    }

    fn by_reply(story: &'a Story) -> Option<Self> {
        let reply = story.replies.iter().filter(|reply| reply.kind == "reply").max_by_key(|reply| reply.received_at)?;
        let operation = story.operations.iter().find(|operation| operation.operation_id == reply.operation_id)?;
        Some(Self {
            by: "reply",
            operation: operation_id(operation.operation_id),
            kind: &operation.kind,
            at: time(reply.received_at),
            http_status: reply.status,
            late: reply.late,
            outcome: operation.outcome.as_ref(),
        })
    }
}

impl<'a> OperationView<'a> {
    fn new(operation: &'a Operation, story: &'a Story) -> Self {
        let its = story.exchanges.iter().filter(|exchange| exchange.operation_id == operation.operation_id);
        Self {
            id: operation_id(operation.operation_id),
            object: "operation",
            kind: &operation.kind,
            status: &operation.status,
            amount: operation.amount,
            currency: &operation.currency,
            attempt: operation.attempt_number,
            gateway_account: GatewayAccountId::from_uuid(operation.gateway_account_id).to_string(),
            connector: &operation.connector,
            connector_digest: hex(&operation.digest),
            outcome: operation.outcome.as_ref(),
            correction: operation.correction.as_ref(),
            purpose: operation.purpose.as_deref(),
            created_at: time(operation.created_at),
            finished_at: operation.finished_at.map(time),
            unresolved: UnresolvedView::of(operation),
            exchanges: its.map(|exchange| ExchangeView::new(exchange, &story.replies)).collect(),
        }
    }
}

impl UnresolvedView {
    fn of(operation: &Operation) -> Option<Self> {
        let (checks, never_received, due_at) = (operation.checks?, operation.never_received?, operation.due_at?);
        Some(Self {
            checks,
            never_received,
            unknown_since: operation.unknown_since.map(time),
            // Its row waits a hundred years.
            due_at: (operation.status != IN_REVIEW).then(|| time(due_at)),
        })
    }
}

impl<'a> TrailView<'a> {
    fn new(event: &'a PaymentEvent) -> Self {
        Self {
            sequence: event.sequence,
            event: &event.event,
            from: event.from_state.map(Into::into),
            to: event.to_state.into(),
            wins: event.wins,
            attempt: event.attempt_number,
            operation: event.operation_id.map(operation_id),
            detail: event.detail.as_ref(),
            created_at: time(event.created_at),
        }
    }
}

impl<'a> WebhookView<'a> {
    fn new(webhook: &'a Webhook) -> Self {
        let status = match (&webhook.quarantined, webhook.waits) {
            (Some(_), _) => "quarantined",
            (None, true) => "waiting",
            (None, false) => "done",
        };
        Self {
            gateway_event: &webhook.gateway_event_id,
            gateway_account: GatewayAccountId::from_uuid(webhook.gateway_account_id).to_string(),
            verified: webhook.verified,
            status,
            quarantined: webhook.quarantined.as_deref(),
            event: webhook.event.as_ref(),
            received_at: time(webhook.received_at),
        }
    }
}

fn operation_id(id: uuid::Uuid) -> String {
    OperationId::from_uuid(id).to_string()
}
