//! Keyed fingerprints: they tell whether two things are equal, and nothing else.
//!
//! A plain hash of a body that holds a card number can be undone by trying numbers, where six digits and the last four
//! are known anyway. Without the key behind it a fingerprint says nothing.

use aws_lc_rs::hmac;

use super::{MasterKey, Vault};
use crate::domain::id::MerchantId;

/// Bytes of a fingerprint: HMAC-SHA256.
pub const FINGERPRINT_BYTES: usize = 32;

/// What is fingerprinted; each has a key of its own, so that fingerprints of different kinds cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The body that came with an idempotency key.
    IdempotencyBody,
    /// A card number: whether a merchant has seen this card before.
    CardNumber,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::IdempotencyBody => "fingerprints of idempotent bodies",
            Self::CardNumber => "fingerprints of card numbers",
        }
    }
}

impl Vault {
    /// The fingerprint of `data` under the present master key. Other merchants' fingerprints of the same data differ.
    #[must_use]
    pub fn fingerprint(&self, purpose: Purpose, merchant: MerchantId, data: &[u8]) -> [u8; FINGERPRINT_BYTES] {
        of(&self.master, purpose, merchant, data)
    }

    /// The fingerprints of `data` under the retired master keys: what a record from before a change of keys holds.
    #[must_use]
    pub fn retired_fingerprints(
        &self,
        purpose: Purpose,
        merchant: MerchantId,
        data: &[u8],
    ) -> Vec<[u8; FINGERPRINT_BYTES]> {
        self.retired.iter().map(|key| of(key, purpose, merchant, data)).collect()
    }

    /// Whether `fingerprint` is that of `data`, taken under the present master key or a retired one.
    #[must_use]
    pub fn has_fingerprint(&self, purpose: Purpose, merchant: MerchantId, data: &[u8], fingerprint: &[u8]) -> bool {
        self.every_master_key().any(|key| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&of(key, purpose, merchant, data), fingerprint).is_ok()
        })
    }
}

fn of(key: &MasterKey, purpose: Purpose, merchant: MerchantId, data: &[u8]) -> [u8; FINGERPRINT_BYTES] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.wrapping().derive(purpose.label()).as_slice());
    let mut mac = hmac::Context::with_key(&key);
    // Of fixed length, so what follows needs no separator.
    mac.update(merchant.uuid().as_bytes());
    mac.update(data);
    let mut fingerprint = [0; FINGERPRINT_BYTES];
    fingerprint.copy_from_slice(mac.sign().as_ref());
    fingerprint
}
