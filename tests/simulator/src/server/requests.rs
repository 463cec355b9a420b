//! The last calls, for tests to look at. Card numbers are reduced to four digits before they get here.

use std::collections::VecDeque;

use serde::Serialize;

use crate::faces::Call;
use crate::gateway::ask::Card;

/// How many calls are remembered.
const KEPT_MAX: usize = 1_000;

/// One call.
#[derive(Serialize)]
pub struct Request {
    /// Counted from 1 since the last reset.
    pub number: u64,
    pub method: &'static str,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_last4: Option<String>,
    /// The fault it met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// Whether the gateway got to see it: false where a fault stood before it.
    pub acted: bool,
    /// What was answered; null where the connection was dropped.
    pub status: Option<u16>,
}

impl Request {
    /// A call as it arrived; its answer is not known yet.
    pub fn new(method: &'static str, path: &str, key: Option<String>, call: Option<&dyn Call>) -> Self {
        Self {
            number: 0,
            method,
            path: path.to_owned(),
            idempotency_key: key,
            reference: call.and_then(Call::reference).map(str::to_owned),
            amount: call.and_then(Call::amount),
            card_last4: call.and_then(Call::card).map(Card::last4),
            fault: None,
            acted: false,
            status: None,
        }
    }
}

/// The last calls and how many there were.
#[derive(Default, Serialize)]
pub struct Requests {
    total: u64,
    requests: VecDeque<Request>,
}

impl Requests {
    pub fn add(&mut self, mut request: Request) -> u64 {
        self.total += 1;
        request.number = self.total;
        if self.requests.len() == KEPT_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
        self.total
    }

    /// What the call with this number was answered, once it is.
    pub fn answered(&mut self, number: u64, status: Option<u16>) {
        if let Some(request) = self.requests.iter_mut().rev().find(|request| request.number == number) {
            request.status = status;
        }
    }
}
