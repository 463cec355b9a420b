//! The bodies of webhook endpoints, read into what the flow takes, and as the documentation shows them.

use chrono::TimeDelta;
use serde_json::Value;
use url::Url;

use crate::{
    domain::id::WebhookEndpointId,
    flow::{
        Fault,
        manage_endpoints::{Change, NewEndpoint, Wanted},
    },
    http::json::{Fields, kinds, read},
    store::webhook_endpoints::Mode,
};

const MODES: &[&str] = &["parallel", "ordered"];
const DESCRIPTION_MAX_CHARACTERS: usize = 1_000;
/// More than there are types.
const EVENT_TYPES_MAX: usize = 100;
/// How long a secret lives on when a new one is made: seven days at most, a day where nobody says.
const OLD_SECRET_LIFE_S: std::ops::RangeInclusive<i64> = 0..=604_800;
const OLD_SECRET_LIFE_DEFAULT_S: i64 = 86_400;

/// `POST /v1/webhook_endpoints`
pub fn new_endpoint(body: &Value) -> Result<NewEndpoint, Vec<Fault>> {
    read(body, |fields| {
        let url = fields.required("url", url);
        let event_types = event_types(fields);
        let mode = fields.optional("mode", kinds::word::<Mode>(MODES)).unwrap_or(Mode::Parallel);
        let enabled = fields.optional("enabled", kinds::flag).unwrap_or(true);
        let description = fields.optional("description", kinds::text(0..=DESCRIPTION_MAX_CHARACTERS));
        Some(NewEndpoint { url: url?, event_types, mode, enabled, description })
    })
}

/// `PATCH /v1/webhook_endpoints/{id}`
pub fn change(body: &Value) -> Result<Change, Vec<Fault>> {
    read(body, |fields| {
        Some(Change {
            url: fields.optional("url", url),
            event_types: fields.nullable("event_types", event_types),
            mode: fields.optional("mode", kinds::word::<Mode>(MODES)),
            enabled: fields.optional("enabled", kinds::flag),
            description: fields.nullable("description", |fields| {
                fields.optional("description", kinds::text(0..=DESCRIPTION_MAX_CHARACTERS))
            }),
        })
    })
}

/// `POST /v1/webhook_endpoints/{id}/rotate_secret`: for how long the secret before lives on.
pub fn rotation(body: &Value) -> Result<TimeDelta, Vec<Fault>> {
    read(body, |fields| {
        let seconds = fields.optional("expires_in_s", kinds::whole(OLD_SECRET_LIFE_S));
        Some(TimeDelta::seconds(seconds.unwrap_or(OLD_SECRET_LIFE_DEFAULT_S)))
    })
}

/// `POST /v1/webhook_endpoints/{id}/redeliver`
pub fn range(body: &Value) -> Result<Wanted, Vec<Fault>> {
    read(body, |fields| {
        let (from, to) = (fields.optional("from", kinds::time), fields.optional("to", kinds::time));
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            fields.fault("to", "must not be before `from`");
        }
        Some(Wanted { from, to })
    })
}

/// `POST /v1/events/{id}/redeliver`: to which endpoint alone.
pub fn named(body: &Value) -> Result<Option<WebhookEndpointId>, Vec<Fault>> {
    read(body, |fields| Some(fields.optional("webhook_endpoint", kinds::id::<WebhookEndpointId>)))
}

/// A URL of the web that a request can be made of: without what only browsers read.
fn url(value: &Value) -> Result<String, String> {
    let text = kinds::web_url(value)?;
    match Url::parse(&text) {
        Ok(url) if url.fragment().is_some() => Err("must not contain a fragment (`#…`)".to_owned()),
        Ok(_) | Err(_) => Ok(text),
    }
}

fn event_types(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let patterns = fields.list("event_types", EVENT_TYPES_MAX, |value| kinds::event_types(value).map(str::to_owned))?;
    let mut seen = std::collections::HashSet::new();
    if fields.is_empty_list("event_types") {
        fields.fault("event_types", "must name at least one; null stands for every event");
    } else if !patterns.iter().all(|pattern| seen.insert(pattern)) {
        fields.fault("event_types", "must not name the same one twice");
    }
    Some(patterns)
}

/// The bodies as the documentation shows them.
pub mod schema {
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// A new webhook endpoint.
    #[derive(ToSchema)]
    pub struct CreateWebhookEndpoint {
        /// https, on the public internet; no user, no password, no fragment.
        #[schema(max_length = 2048, example = "https://shop.example/webhooks")]
        url: String,
        /// The types of events that are sent: types, `payment.*` for all of an object, `*` for all. Left out: every event.
        #[schema(max_items = 100, example = json!(["payment.*", "refund.succeeded"]))]
        event_types: Option<Vec<String>>,
        /// `parallel` (the default), or `ordered`: one event of an object at a time, in the order of their `sequence`; one
        /// that fails holds up those of its own object.
        #[schema(example = "parallel")]
        mode: Option<String>,
        #[schema(default = true)]
        enabled: Option<bool>,
        #[schema(max_length = 1000)]
        description: Option<String>,
    }

    /// What to change; what is absent stays.
    #[derive(ToSchema)]
    pub struct ChangeWebhookEndpoint {
        /// What is queued is sent there from the next try on.
        #[schema(max_length = 2048)]
        url: Option<String>,
        /// For events from now on; null: every event. What is queued stays queued.
        #[schema(max_items = 100)]
        event_types: Option<Vec<String>>,
        mode: Option<String>,
        /// False: nothing is sent any more, and what is queued is dropped. True: it starts anew.
        enabled: Option<bool>,
        /// Null: none.
        #[schema(max_length = 1000)]
        description: Option<String>,
    }

    /// A new secret.
    #[derive(ToSchema)]
    pub struct RotateSecret {
        /// For how many seconds events are signed with the secret before too.
        #[schema(minimum = 0, maximum = 604_800, default = 86_400)]
        expires_in_s: Option<i64>,
    }

    /// Which events to send again.
    #[derive(ToSchema)]
    pub struct Redeliver {
        /// Left out: since the endpoint misses something (`resume_from`, else a minute before `failing_since`).
        #[schema(format = DateTime)]
        from: Option<String>,
        /// Left out: up to now.
        #[schema(format = DateTime)]
        to: Option<String>,
    }

    /// To whom to send an event again.
    #[derive(ToSchema)]
    pub struct RedeliverEvent {
        /// `whe_…`: to this endpoint alone, whatever types it asks for. Left out: to every one that asks for its type.
        webhook_endpoint: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::docs;

    #[test]
    fn the_documentation_names_the_fields_that_are_read() {
        docs::assert_reads::<schema::CreateWebhookEndpoint>(|value| new_endpoint(value).err());
        docs::assert_reads::<schema::ChangeWebhookEndpoint>(|value| change(value).err());
        docs::assert_reads::<schema::RotateSecret>(|value| rotation(value).err());
        docs::assert_reads::<schema::Redeliver>(|value| range(value).err());
        docs::assert_reads::<schema::RedeliverEvent>(|value| named(value).err());
    }

    fn told(faults: Vec<Fault>) -> Vec<String> {
        faults.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn faults_name_what_was_probably_meant() {
        let body = json!({
            "url": "https://shop.example/#top", "event_types": ["payment.succeded", "payments.*", "cash", "order.paid"],
            "mode": "orderd", "enabled": "yes", "descripton": "x",
        });
        insta::assert_snapshot!(told(new_endpoint(&body).err().unwrap()).join("\n"), @r"
        /url: must not contain a fragment (`#…`)
        /event_types/0: is no type of event; did you mean `payment.succeeded`?
        /event_types/1: is no type of event; did you mean `payment.*`?
        /event_types/2: is no type of event; there are `*`, `payment.*` and the like, and those of the contract's webhooks
        /mode: must be one of: parallel, ordered; did you mean `ordered`?
        /enabled: must be true or false, not a string
        /descripton: is not known here; did you mean `description`?
        ");
    }

    #[test]
    fn types_are_named_once_and_at_least_one() {
        let faults = |types: Value| new_endpoint(&json!({ "url": "https://a.example", "event_types": types })).err();
        assert_eq!(
            told(faults(json!([])).unwrap()),
            ["/event_types: must name at least one; null stands for every event"]
        );
        assert_eq!(
            told(faults(json!(["order.*", "order.*"])).unwrap()),
            ["/event_types: must not name the same one twice"]
        );
        assert!(faults(Value::Null).is_none() && faults(json!(["*"])).is_none());
    }

    #[test]
    fn a_change_tells_null_from_absence() {
        let of = |body: &Value| change(body).ok().unwrap();
        assert_eq!((of(&json!({})).event_types, of(&json!({})).description), (None, None));
        let cleared = of(&json!({ "event_types": null, "description": null }));
        assert_eq!((cleared.event_types, cleared.description), (Some(None), Some(None)));
        let set = of(&json!({ "event_types": ["*"], "description": "main" }));
        assert_eq!(set.event_types, Some(Some(vec!["*".to_owned()])));
        assert_eq!(set.description, Some(Some("main".to_owned())));
    }

    #[test]
    fn an_old_secret_lives_for_a_day_unless_said() {
        let of = |body: Value| rotation(&body).ok().map(|life| life.num_seconds());
        assert_eq!(of(json!({})), Some(86_400));
        assert_eq!(of(json!({ "expires_in_s": 0 })), Some(0));
        assert_eq!(of(json!({ "expires_in_s": 604_800 })), Some(604_800));
        assert_eq!(of(json!({ "expires_in_s": 604_801 })), None);
        assert_eq!(of(json!({ "expires_in_s": -1 })), None);
    }

    #[test]
    fn a_range_does_not_end_before_it_begins() {
        let body = json!({ "from": "2030-01-02T00:00:00Z", "to": "2030-01-01T00:00:00Z" });
        assert_eq!(told(range(&body).err().unwrap()), ["/to: must not be before `from`"]);
        assert!(range(&json!({})).is_ok_and(|wanted| wanted.from.is_none() && wanted.to.is_none()));
    }
}
