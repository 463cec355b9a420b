//! Tests of the vault that need more than one of its files.

mod card;
mod holes;
mod keys;
mod sealing;

use uuid::Uuid;

use super::*;
use crate::domain::id::MerchantId;

fn vault(key: u8) -> Vault {
    Vault::new(master(key), vec![])
}

fn master(key: u8) -> MasterKey {
    MasterKey::new([key; 32])
}

fn merchant(bits: u128) -> MerchantId {
    MerchantId::from_uuid(Uuid::from_u128(bits))
}

fn card_of(merchant_bits: u128, record: &str) -> Binding<'_> {
    Binding { content: Content::Card, merchant: merchant(merchant_bits), record }
}

fn from_hex(text: &str) -> Vec<u8> {
    let key = key_text::decode(crate::connector::types::KeyEncoding::Hex, text.as_bytes()).unwrap();
    key.expose().to_vec()
}
