//! The bank's page for 3-D Secure.
//!
//! The customer decides here; the payment is decided when the merchant hands in what the browser brought back.

use std::sync::Mutex;

use super::state::{State, lock};
use crate::faces::answer::Answer;
use crate::faces::{Ground, Request, pages};
use crate::gateway::Gateway;
use crate::gateway::charges::Status;

/// The title of its pages.
const TITLE: &str = "3-D Secure";

/// `GET /__threeds/{charge}`, and `POST` to `…/approve` or `…/decline`.
pub fn visit(request: &Request, gateway: &Gateway, state: &Mutex<State>, ground: &Ground) -> Answer {
    let segments = request.segments();
    let (id, choice) = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["__threeds", id]) => (*id, None),
        ("POST", ["__threeds", id, "approve"]) => (*id, Some(true)),
        ("POST", ["__threeds", id, "decline"]) => (*id, Some(false)),
        _ => return pages::nothing_here(),
    };
    let Some(charge) = gateway.charge(id).filter(|charge| charge.maker.face == super::NAME) else {
        return pages::nothing_here();
    };
    let mut state = lock(state);
    if charge.status != Status::RequiresAction || state.is_decided(id) {
        return pages::decided(TITLE);
    }
    match choice {
        None => {
            let path = format!("{}/__threeds/{id}", request.prefix);
            pages::question(TITLE, charge.amount, &charge.currency, &path)
        }
        Some(approved) => {
            let result = state.decide(id, approved, ground);
            pages::back(TITLE, charge.return_url.as_deref(), &[("redirectResult", &result)])
        }
    }
}
