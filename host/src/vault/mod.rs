//! Keeps card data and secrets encrypted; the only place that sees them in clear.
//!
//! - [`Vault`] holds the master key: it seals and opens records ([`envelope`]), keeps the keys of the day under which
//!   card codes lie ([`day_keys`]), and makes keyed fingerprints ([`fingerprint`]).
//! - [`Card`] and [`CardEntry`] check what a merchant sends ([`card`]).
//! - [`Holes`] is what the wire may fill in for one operation ([`holes`]).
//! - [`api_key`] makes and checks the keys that merchants sign in with.
//! - [`Signer`] signs what is sent to merchants (their endpoints' secrets).
//!
//! Nothing here reads a clock or a database: days are handed in, and sealed bytes are kept by the store.
//! All cryptography is that of aws-lc.

pub mod api_key;
pub mod brand;
pub mod card;
pub mod day_keys;
pub mod endpoint_secret;
pub mod envelope;
pub mod fingerprint;
pub mod holes;
pub mod key_text;
pub mod master_key;
pub mod random;
pub mod secret;
pub mod signer;

use std::sync::Arc;

use zeroize::Zeroizing;

pub use api_key::{NewApiKey, PresentedApiKey, secrets_are_equal};
pub use brand::Brand;
pub use card::{Card, CardEntry, CardFault};
pub use day_keys::WrappedDayKey;
pub use endpoint_secret::new_endpoint_secret;
pub use envelope::{Binding, Content, OpenError};
pub use fingerprint::Purpose;
pub use holes::{HoleKind, Holes};
pub use master_key::{MasterKey, MasterKeyFault};
pub use secret::Secret;
pub use signer::Signer;

use day_keys::DayKeys;
use secret::never_implements;

/// The keys of this installation and all that is done with them. One per process, shared.
pub struct Vault {
    master: Arc<MasterKey>,
    /// Keys that were the master key before: they open what they sealed, and seal nothing new.
    retired: Vec<Arc<MasterKey>>,
    days: DayKeys,
}

impl Vault {
    /// Seals under `master`, and opens what `retired` ones have sealed.
    #[must_use]
    pub fn new(master: MasterKey, retired: Vec<MasterKey>) -> Self {
        Self {
            master: Arc::new(master),
            retired: retired.into_iter().map(Arc::new).collect(),
            days: DayKeys::default(),
        }
    }

    /// Encrypts `clear` so that it opens only for the same `binding`.
    #[must_use]
    pub fn seal(&self, binding: &Binding<'_>, clear: &[u8]) -> Vec<u8> {
        envelope::seal(self.master.wrapping(), binding, clear)
    }

    /// Decrypts what [`Vault::seal`] made for this very `binding`, under the master key or a retired one.
    pub fn open(&self, binding: &Binding<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        envelope::open(self.key_of(sealed)?.wrapping(), binding, sealed)
    }

    /// Moves a record from a retired master key to the present one; none where it lies under that already.
    ///
    /// The data key is wrapped anew and the payload stays as it is, so that moving a table costs little and shows no
    /// card number in clear, not even in memory.
    pub fn rewrap(&self, binding: &Binding<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, OpenError> {
        let old = self.key_of(sealed)?;
        if old.id() == self.master.id() {
            return Ok(None);
        }
        envelope::rewrap(old.wrapping(), self.master.wrapping(), binding, sealed).map(Some)
    }

    /// The id of the master key under which new records are sealed; stands in bytes 1 to 8 of each of them.
    #[must_use]
    pub fn master_key_id(&self) -> [u8; envelope::KEY_ID_BYTES] {
        self.master.id()
    }

    /// The key that authenticates compiled connector images on disk.
    #[must_use]
    pub fn image_key(&self) -> Zeroizing<[u8; 32]> {
        self.master.wrapping().derive("interlock connector images")
    }

    fn key_of(&self, sealed: &[u8]) -> Result<&MasterKey, OpenError> {
        let id = envelope::key_id(sealed)?;
        self.every_master_key().find(|key| key.id() == id).ok_or(OpenError::KeyIsUnknown { id })
    }

    /// The present master key first.
    fn every_master_key(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.master).chain(&self.retired).map(AsRef::as_ref)
    }
}

never_implements! {
    Secret: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    MasterKey: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    Vault: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    Card: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    CardEntry: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    Holes: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    NewApiKey: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
    Signer: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize;
}

#[cfg(test)]
mod tests;
