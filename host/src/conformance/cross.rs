//! Between the SDK's types and ours: two mirrors of one contract, in one JSON form (the journal's). Bodies of replies
//! and webhooks cross directly: as JSON they would be arrays of a million numbers.

use interlock_connector::{harness, types as sdk};
use serde::{Serialize, de::DeserializeOwned};

use crate::connector::types::{Exchange, Inbound, Response};

/// The same value on the other side.
pub fn cross<From: Serialize, To: DeserializeOwned>(value: &From) -> To {
    let json = serde_json::to_vec(value).expect("types of the contract have a JSON form");
    serde_json::from_slice(&json).expect("both sides derive the form of the same contract; a test holds them to it")
}

pub fn exchange(exchange: &harness::Exchange) -> Exchange {
    let sdk::Response { status, headers, body } = &exchange.response;
    Exchange {
        request: cross(&exchange.request),
        response: Response { status: *status, headers: headers.clone(), body: body.clone() },
    }
}

pub fn inbound(inbound: &sdk::Inbound) -> Inbound {
    let sdk::Inbound { headers, query, body } = inbound;
    Inbound { headers: headers.clone(), query: query.clone(), body: body.clone() }
}
