//! `/v1/events`: what endpoints were sent, for those who missed it or would rather ask.

use axum::{extract::State, response::Response};
use serde_json::{Value, value::RawValue};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::schema::EventSchema;
use super::{
    Http,
    extract::{Merchant, PathId, Query},
    json::kinds,
    payments::connection,
    problem::{Code, Problem},
    respond::{self, List},
};
use crate::{
    domain::{
        event_types::{self, CATALOGUE},
        id::EventId,
    },
    store::{
        self, Looked,
        events::{Filter, Sent},
    },
};

/// Characters of an object's id at most.
const OBJECT_MAX_CHARACTERS: usize = 64;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// List events, newest first.
///
/// What endpoints are sent, whether or not you have one, for as long as events are kept (30 days, unless your operator
/// says otherwise). To see that you have missed none of an object, name it in `object` and look at `sequence`: it counts
/// from 1 without a gap. An event that was committed a moment ago may come to stand behind one that you have seen.
///
/// With `type`, up to 5,000 events are looked through for a page: one that is short or empty is the last only where
/// `next_cursor` is null.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(
        ("type" = Option<String>, Query, description = "Only this type, or an object's: `payment.succeeded`, `payment.*`"),
        ("object" = Option<String>, Query, description = "Only events about the object with this id: `pay_…`, `ord_…`"),
        ("created_after" = Option<String>, Query, description = "RFC 3339: only events made later than this"),
        ("created_before" = Option<String>, Query, description = "RFC 3339: only events made earlier than this"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<EventSchema>))
)]
async fn list(State(http): State<Http>, Merchant(merchant): Merchant, query: Query) -> Result<Response, Problem> {
    let (filter, limit) = query.read(|fields| {
        let limit = respond::limit(fields);
        let filter = Filter {
            types: fields.optional("type", types),
            object: fields.optional("object", kinds::text(1..=OBJECT_MAX_CHARACTERS)),
            created_after: fields.optional("created_after", kinds::time),
            created_before: fields.optional("created_before", kinds::time),
            before: fields.optional("cursor", kinds::id::<EventId>).map(EventId::uuid),
            limit: limit + 1,
        };
        Some((filter, limit))
    })?;
    let Looked { rows, until } = store::events::list(&mut *connection(&http).await?, merchant, &filter).await?;
    let bodies = rows.iter().map(body).collect::<Result<Vec<&RawValue>, Problem>>()?;
    let rows: Vec<(&Sent, &RawValue)> = rows.iter().zip(bodies).collect();
    let page = List::page(&rows, limit, |(row, _)| row.id().to_string(), |(_, body)| *body);
    Ok(respond::ok(&page.looked_until(until.map(|id| EventId::from_uuid(id).to_string()))))
}

/// One event, as it was sent.
#[utoipa::path(
    get, path = "/v1/events/{id}", tag = "events", params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The event", body = EventSchema))
)]
async fn get(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(event): PathId<EventId>,
) -> Result<Response, Problem> {
    let found = store::events::get(&mut *connection(&http).await?, merchant, event).await?;
    let found = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(respond::ok(&body(&found)?))
}

/// The very bytes that endpoints are sent.
fn body(event: &Sent) -> Result<&RawValue, Problem> {
    serde_json::from_str(&event.payload).map_err(|error| {
        Problem::internal(anyhow::Error::new(error).context(format!("{} is kept and is no JSON", event.id())))
    })
}

/// The types that a pattern takes.
fn types(value: &Value) -> Result<Vec<&'static str>, String> {
    let pattern = kinds::event_types(value)?;
    Ok(CATALOGUE.iter().map(|known| known.name).filter(|kind| event_types::matches(pattern, kind)).collect())
}

mod schema {
    //! An event as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// Something that happened, as endpoints are sent it.
    #[derive(ToSchema)]
    #[schema(as = Event)]
    pub struct EventSchema {
        /// `evt_…`: the same in every delivery of it, and its header `webhook-id`.
        id: String,
        /// `payment.succeeded`, …
        r#type: String,
        /// When it happened.
        #[schema(format = DateTime)]
        created_at: String,
        /// Counts the events of one object from 1, without a gap.
        #[schema(minimum = 1)]
        sequence: i32,
        data: EventData,
    }

    /// What it is about.
    #[derive(ToSchema)]
    pub struct EventData {
        /// The payment, refund, order or webhook endpoint as it was then.
        #[schema(value_type = Object)]
        object: String,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_is_the_types_that_it_takes() {
        assert_eq!(types(&json!("payment.succeeded")), Ok(vec!["payment.succeeded"]));
        assert_eq!(types(&json!("refund.*")), Ok(vec!["refund.created", "refund.succeeded", "refund.failed"]));
        assert_eq!(types(&json!("*")).map(|types| types.len()), Ok(CATALOGUE.len()));
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_nearest() {
        let told = types(&json!("payment.suceeded")).unwrap_err();
        assert_eq!(told, "is no type of event; did you mean `payment.succeeded`?");
    }
}
