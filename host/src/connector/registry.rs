//! The versions that this host has loaded, and which of them takes new operations.
//!
//! Reading takes no lock: every operation asks here. What is loaded is never unloaded while the process lives, because
//! operations that began with a version end with it; what is written down elsewhere (states, shares, history) is the
//! store's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use super::version::Version;

/// The registry of one host.
#[derive(Default)]
pub struct Registry {
    catalogue: ArcSwap<Catalogue>,
    /// Held while the catalogue is replaced, so that of two changes at once none is lost.
    changing: Mutex<()>,
}

#[derive(Clone, Default)]
struct Catalogue {
    by_digest: HashMap<[u8; 32], Arc<Version>>,
    active: HashMap<String, Arc<Version>>,
}

/// One loaded version.
#[derive(Clone, Debug)]
pub struct Listed {
    pub version: Arc<Version>,
    /// Whether new operations of its connector begin with it.
    pub active: bool,
}

/// The version is not loaded here, or is another connector's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this host has no such version of the connector")]
pub struct NotInstalled;

impl Registry {
    /// The version that new operations of the connector begin with.
    #[must_use]
    pub fn active(&self, name: &str) -> Option<Arc<Version>> {
        self.catalogue.load().active.get(name).cloned()
    }

    /// The version with this digest, active or not: what an operation that began with it goes on with.
    #[must_use]
    pub fn by_digest(&self, digest: &[u8; 32]) -> Option<Arc<Version>> {
        self.catalogue.load().by_digest.get(digest).cloned()
    }

    /// Everything that is loaded, by name, then by digest.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let catalogue = self.catalogue.load();
        let mut listed: Vec<_> = catalogue
            .by_digest
            .values()
            .map(|version| Listed { version: Arc::clone(version), active: catalogue.is_active(version) })
            .collect();
        listed.sort_by(|a, b| (a.version.name(), a.version.digest()).cmp(&(b.version.name(), b.version.digest())));
        listed
    }

    /// Takes a version in, without giving it anything to do. One that is there already stays, and is returned.
    pub fn insert(&self, version: Arc<Version>) -> Arc<Version> {
        self.change(|catalogue| Arc::clone(catalogue.by_digest.entry(*version.digest()).or_insert(version)))
    }

    /// Lets new operations of the connector begin with this version. Returns the one that did so before.
    pub fn activate(&self, name: &str, digest: &[u8; 32]) -> Result<Option<Arc<Version>>, NotInstalled> {
        self.change(|catalogue| {
            let version =
                catalogue.by_digest.get(digest).filter(|version| version.name() == name).ok_or(NotInstalled)?;
            let version = Arc::clone(version);
            Ok(catalogue.active.insert(name.to_owned(), version))
        })
    }

    /// Lets no new operation of the connector begin. Returns the version that was active.
    pub fn deactivate(&self, name: &str) -> Option<Arc<Version>> {
        self.change(|catalogue| catalogue.active.remove(name))
    }

    fn change<R>(&self, change: impl FnOnce(&mut Catalogue) -> R) -> R {
        // The lock guards no data of its own: what a panicked holder left is the whole catalogue of before.
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut catalogue = Catalogue::clone(&self.catalogue.load());
        let result = change(&mut catalogue);
        self.catalogue.store(Arc::new(catalogue));
        result
    }
}

impl Catalogue {
    fn is_active(&self, version: &Version) -> bool {
        self.active.get(version.name()).is_some_and(|active| active.digest() == version.digest())
    }
}
