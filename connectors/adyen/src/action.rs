//! What the customer is to do before Adyen goes on.

use std::collections::BTreeMap;

use interlock_connector::types::{ActionNeeded, CustomerAction, Failure, Method, Pairs, Redirect};
use serde::Deserialize;

/// An `action`.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Action {
    Redirect {
        url: String,
        method: Option<String>,
        #[serde(default)]
        data: BTreeMap<String, String>,
    },
    #[serde(rename_all = "camelCase")]
    QrCode {
        qr_code_data: String,
    },
    Await {},
    /// Scripts of Adyen's, vouchers, bank transfers.
    #[serde(other)]
    Other,
}

/// The action as the host shows it.
pub fn needed(action: Action, psp_reference: Option<String>, references: Pairs) -> Result<ActionNeeded, Failure> {
    let action = match action {
        Action::Redirect { url, method, data } => CustomerAction::Redirect(redirect(url, method.as_deref(), data)?),
        Action::QrCode { qr_code_data } => CustomerAction::DisplayQr(qr_code_data),
        Action::Await {} => CustomerAction::AwaitApproval,
        Action::Other => return Err(Failure::new("the customer is to act in a way that this connector does not know")),
    };
    Ok(ActionNeeded { gateway_reference: psp_reference, references, actions: vec![action], expires_at: None })
}

fn redirect(url: String, method: Option<&str>, data: BTreeMap<String, String>) -> Result<Redirect, Failure> {
    match method.unwrap_or("GET") {
        "GET" => Ok(Redirect { url, method: Method::Get, fields: Pairs::new() }),
        "POST" => Ok(Redirect { url, method: Method::Post, fields: data.into_iter().collect() }),
        _ => Err(Failure::new("the customer is to be sent on by a method that is neither GET nor POST")),
    }
}
