//! What Adyen tells of its own accord: the standard webhook, each of its items signed for itself.
//!
//! Adyen sends an endpoint's deliveries in order, and one that is not accepted holds up all behind it. So whatever is
//! signed is accepted, known, readable or not, and an item that nobody signed is only a reason to refuse the delivery where it
//! would change something. A delivery with such an item is refused as a whole: with a wrong key in the account nothing
//! is lost, because Adyen sends it again until the key is right.

use interlock_connector::Host;
use interlock_connector::types::{Context, Delivery, Event, EventKind, Failure, Inbound, Level, Mac, Response};
use interlock_connector::webhook::from_base64;
use serde::Deserialize;

use crate::item::Item;
use crate::told;

/// What Adyen wants to hear, besides a status of 2xx.
const ACCEPTED: &[u8] = b"[accepted]";
/// The contract allows so many signatures to be checked. Adyen sends one item, and has sent six.
const ITEMS_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    notification_items: Vec<Wrapped>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    notification_request_item: Item,
}

/// Reads a delivery. One with an item that would change something and has no good signature is refused.
pub fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
    let notification: Notification =
        serde_json::from_slice(&inbound.body).map_err(|_| Failure::new("the webhook's body cannot be read"))?;
    if notification.notification_items.len() > ITEMS_MAX {
        return Err(Failure::new("the webhook has more items than can be checked"));
    }
    let mut events = Vec::with_capacity(notification.notification_items.len());
    for wrapped in notification.notification_items {
        events.extend(event(ctx, &wrapped.notification_request_item, host)?);
    }
    Ok(Delivery { events, acknowledgement: accepted() })
}

/// None for an item that is let pass without being kept.
fn event(ctx: &Context, item: &Item, host: &mut dyn Host) -> Result<Option<Event>, Failure> {
    let Some(proof) = proof(item, host) else {
        if item.signature().is_some() || told::changes_something(&item.event_code) {
            return Err(Failure::new("an item of the webhook is not signed with the account's key"));
        }
        host.log(Level::Warn, "an item of a webhook is not signed, and changes nothing; it is not kept");
        return Ok(None);
    };
    let id = item.event_id();
    let is_ours = item.merchant_account_code == ctx.required("merchant_account")?;
    // What is signed is a row of texts with colons between them: where one holds a colon itself, the same signature fits
    // other texts.
    if !is_ours || item.is_ambiguous() {
        let kind = EventKind::Notice(item.event_code.clone());
        return Ok(Some(Event { id, kind, proof: Some(proof), ..bare() }));
    }
    let told = told::told(item, host);
    Ok(Some(Event {
        id,
        operation_id: told.operation_id,
        gateway_reference: told.gateway_reference,
        references: told.references,
        kind: told.kind,
        proof: Some(proof),
        ..bare()
    }))
}

fn bare() -> Event {
    Event {
        id: String::new(),
        occurred_at: None,
        operation_id: None,
        gateway_reference: None,
        references: Vec::new(),
        kind: EventKind::Notice(String::new()),
        proof: None,
    }
}

/// One check for each item, so that a signature vouches for its own item alone.
fn proof(item: &Item, host: &mut dyn Host) -> Option<u32> {
    let expected = from_base64(item.signature()?)?;
    host.verify(Mac::HmacSha256, "webhook_secret", item.signed_text().as_bytes(), &expected)
}

fn accepted() -> Response {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    Response { status: 200, headers, body: ACCEPTED.to_vec() }
}
