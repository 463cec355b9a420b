//! The event object: what merchants' endpoints and streams receive.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::time;
use crate::domain::id::EventId;

/// `{id, type, created_at, sequence, data: {object}}`, as it will be signed and sent.
#[derive(Serialize)]
struct EventView<'a, T: Serialize> {
    id: String,
    r#type: &'a str,
    created_at: String,
    sequence: i32,
    data: Data<'a, T>,
}

#[derive(Serialize)]
struct Data<'a, T: Serialize> {
    object: &'a T,
}

/// The event's bytes, made once in the commit of the change and never again.
pub fn payload<T: Serialize>(id: EventId, kind: &str, at: DateTime<Utc>, sequence: i32, object: &T) -> String {
    let event = EventView { id: id.to_string(), r#type: kind, created_at: time(at), sequence, data: Data { object } };
    serde_json::to_string(&event).expect("a view has string keys and no floats")
}
