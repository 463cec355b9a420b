//! The token object: what may be shown of a card in the vault.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::time;
use crate::domain::id::TokenId;

/// A card in the vault. Its number is never shown again.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// `tok_…`
    id: String,
    /// `token`
    object: &'static str,
    /// `card`
    r#type: &'static str,
    /// `{brand, bin, last4, expiry_month, expiry_year, has_cvc}`; a code is kept for an hour at most.
    #[schema(value_type = Object)]
    card: Value,
    created_at: String,
}

impl TokenView {
    /// The object as merchants see it; `details` is what the store keeps in clear.
    #[must_use]
    pub fn new(id: TokenId, details: &Value, has_cvc: bool, created_at: DateTime<Utc>) -> Self {
        let mut card = details.clone();
        if let Some(card) = card.as_object_mut() {
            card.insert("has_cvc".to_owned(), Value::Bool(has_cvc));
        }
        Self { id: id.to_string(), object: "token", r#type: "card", card, created_at: time(created_at) }
    }

    /// Its bytes: what an answer holds, and what a replay repeats.
    ///
    /// # Panics
    /// Never: all names are strings, and there are no floats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}
