//! What an endpoint's events are signed with, and the answers in which a new secret is shown.
//!
//! A secret is shown in the answer to the request that had it made, and whoever did not get that answer must be able to
//! ask again with the same key: the kept answer has the secret in it too. So it is kept sealed, as the secret itself is.

use super::super::{Answer, Call, Refusal};
use crate::{
    app::App,
    domain::id::{MerchantId, WebhookEndpointId},
    store::gateway_accounts::SealedSecret,
    vault::{Binding, Content, OpenError, Secret},
};

/// Seals a secret (`whsec_…`) of an endpoint.
pub(super) fn seal(app: &App, merchant: MerchantId, endpoint: WebhookEndpointId, secret: &Secret) -> Vec<u8> {
    let record = record(endpoint);
    app.vault.seal(&binding(merchant, &record), secret.expose())
}

/// Opens one of an endpoint's secrets: the text as its merchant got it, `whsec_…`. Changes nothing and asks nobody.
pub fn open(
    app: &App,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
    sealed: &SealedSecret,
) -> Result<Secret, OpenError> {
    let record = record(endpoint);
    app.vault.open(&binding(merchant, &record), &sealed.sealed)
}

/// What a sealed secret is bound to, besides the merchant.
fn record(endpoint: WebhookEndpointId) -> String {
    format!("{endpoint}/secret")
}

fn binding(merchant: MerchantId, record: &str) -> Binding<'_> {
    Binding { content: Content::EndpointSecret, merchant, record }
}

/// An answer that shows a secret, as it is kept with the call's key.
pub(super) fn seal_answer(app: &App, call: &Call, body: &[u8]) -> Vec<u8> {
    app.vault.seal(&kept(call, &record_of(call)), body)
}

/// The very bytes of an answer that [`seal_answer`] made.
pub(super) fn open_answer(app: &App, call: &Call, answer: &Answer) -> Result<Answer, Refusal> {
    let opened = app.vault.open(&kept(call, &record_of(call)), &answer.body).map_err(|error| {
        Refusal::Internal(anyhow::Error::new(error).context(
            "the kept answer of an idempotency key does not open; is INTERLOCK_MASTER_KEY the one it was sealed under?",
        ))
    })?;
    Ok(Answer { body: opened.expose().to_vec().into(), ..answer.clone() })
}

fn record_of(call: &Call) -> String {
    format!("{} {}", call.scope, call.key)
}

fn kept<'a>(call: &Call, record: &'a str) -> Binding<'a> {
    Binding { content: Content::KeptAnswer, merchant: call.merchant, record }
}
