//! The keys of the day, under which card codes lie, and which are destroyed: with its key, a code is gone from every
//! table, log of the database and backup at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::NaiveDate;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Binding, Content, OpenError, Secret, Vault, envelope, master_key::WrappingKey, random};
use crate::domain::id::MerchantId;

/// A key of the day as the database keeps it: sealed under the master key.
pub struct WrappedDayKey(pub Vec<u8>);

/// The keys of the day that this host knows. Few: a day's codes live for hours.
#[derive(Default)]
pub(super) struct DayKeys(RwLock<BTreeMap<NaiveDate, Arc<WrappingKey>>>);

impl DayKeys {
    fn get(&self, day: NaiveDate) -> Option<Arc<WrappingKey>> {
        // A panic cannot have left the map half-changed: it is changed by single calls.
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&day).cloned()
    }

    fn insert(&self, day: NaiveDate, key: WrappingKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(day, Arc::new(key));
    }

    fn forget_before(&self, day: NaiveDate) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|kept, _| *kept >= day);
    }
}

/// Days are those of UTC, everywhere.
impl Vault {
    /// Draws a key for `day`, to be written down. Not used by this vault until it is learnt: of several hosts that
    /// draw one at the same time, the database decides whose counts.
    #[must_use]
    pub fn new_day_key(&self, day: NaiveDate) -> WrappedDayKey {
        let key = Zeroizing::new(random::bytes::<32>());
        WrappedDayKey(self.seal(&binding(&day.to_string()), key.as_slice()))
    }

    /// Takes in the key of `day` as the database has it; replaces one learnt before.
    pub fn learn_day_key(&self, day: NaiveDate, wrapped: &[u8]) -> Result<(), OpenError> {
        let opened = self.open(&binding(&day.to_string()), wrapped)?;
        let bytes = opened.expose().try_into().map_err(|_| OpenError::RecordIsForeign)?;
        self.days.insert(day, WrappingKey::new(bytes));
        Ok(())
    }

    /// A key of the day, moved from a retired master key to the present one; none where that is not needed.
    pub fn rewrap_day_key(&self, day: NaiveDate, wrapped: &[u8]) -> Result<Option<WrappedDayKey>, OpenError> {
        Ok(self.rewrap(&binding(&day.to_string()), wrapped)?.map(WrappedDayKey))
    }

    /// Whether codes of `day` can be sealed and opened here.
    #[must_use]
    pub fn has_day_key(&self, day: NaiveDate) -> bool {
        self.days.get(day).is_some()
    }

    /// Wipes the keys of all days before `day` from memory. Their rows are the store's to delete.
    pub fn forget_day_keys_before(&self, day: NaiveDate) {
        self.days.forget_before(day);
    }

    /// Encrypts a card's code under the key of `day`, in the layout of [`envelope`].
    ///
    /// Fails with [`OpenError::DayKeyIsGone`] alone: learn the key first.
    pub fn seal_code(&self, day: NaiveDate, binding: &Binding<'_>, code: &[u8]) -> Result<Vec<u8>, OpenError> {
        let key = self.days.get(day).ok_or(OpenError::DayKeyIsGone { day })?;
        Ok(envelope::seal(&key, binding, code))
    }

    /// Decrypts what [`Vault::seal_code`] made, while the key of `day` exists.
    pub fn open_code(&self, day: NaiveDate, binding: &Binding<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        let key = self.days.get(day).ok_or(OpenError::DayKeyIsGone { day })?;
        envelope::open(&key, binding, sealed)
    }
}

/// A key of the day belongs to the installation: to no merchant, to one day.
fn binding(day: &str) -> Binding<'_> {
    Binding { content: Content::DayKey, merchant: MerchantId::from_uuid(Uuid::nil()), record: day }
}
