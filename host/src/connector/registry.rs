//! The versions that this host has loaded, and which of them takes new operations.
//!
//! Reading takes no lock: every operation asks here. What is loaded is never unloaded while the process lives, because
//! operations that began with a version end with it; what is written down elsewhere (states, shares, history) is the
//! store's.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use super::version::Version;
use crate::domain::{connector_life::is_canarys, id::PaymentId};

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
    chosen: HashMap<String, Chosen>,
    /// Versions that the cluster has, but those that it has withdrawn.
    in_use: HashSet<[u8; 32]>,
}

/// What new operations of one connector begin with.
#[derive(Clone, Default)]
struct Chosen {
    active: Option<Arc<Version>>,
    canary: Option<(Arc<Version>, u8)>,
    /// Of those that were one of the two, the one that is it no more since the shortest time.
    drains: Option<Arc<Version>>,
}

/// One loaded version.
#[derive(Clone, Debug)]
pub struct Listed {
    pub version: Arc<Version>,
    pub role: Role,
}

/// What part of the new operations a version takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All that no canary takes.
    Active,
    Canary {
        share_percent: u8,
    },
    /// None: what it has begun goes on.
    Draining,
    /// None.
    Idle,
    /// None, and it must not go on with any either, not even where its successor is not loaded yet.
    Withdrawn,
}

/// What the cluster says of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub name: String,
    pub digest: [u8; 32],
    pub role: Role,
}

impl Registry {
    /// The version that new operations of the connector begin with, canaries aside: what its accounts are checked by.
    #[must_use]
    pub fn active(&self, name: &str) -> Option<Arc<Version>> {
        self.catalogue.load().chosen.get(name)?.active.clone()
    }

    /// The version that a new operation of this payment begins with: the canary's where the payment is one of its share,
    /// else the active one. None where no version is active.
    #[must_use]
    pub fn choose(&self, name: &str, payment: PaymentId) -> Option<Arc<Version>> {
        let catalogue = self.catalogue.load();
        let chosen = catalogue.chosen.get(name)?;
        match &chosen.canary {
            Some((canary, share_percent)) if is_canarys(payment, *share_percent) => Some(Arc::clone(canary)),
            Some(_) | None => chosen.active.clone(),
        }
    }

    /// The version that reads what comes in for the connector's accounts: the active one; where there is none, one that
    /// operators have let near payments before and not withdrawn. None where there is no such version.
    #[must_use]
    pub fn reader(&self, name: &str) -> Option<Arc<Version>> {
        let catalogue = self.catalogue.load();
        let chosen = catalogue.chosen.get(name)?;
        let canary = || chosen.canary.as_ref().map(|(canary, _)| Arc::clone(canary));
        chosen.active.clone().or_else(canary).or_else(|| chosen.drains.clone())
    }

    /// As [`Registry::by_digest`], of a version that may begin something: none where it was withdrawn.
    #[must_use]
    pub fn in_use(&self, digest: &[u8; 32]) -> Option<Arc<Version>> {
        let catalogue = self.catalogue.load();
        catalogue.in_use.contains(digest).then(|| catalogue.by_digest.get(digest).cloned())?
    }

    /// The version with this digest, whatever it takes: what an operation that began with it goes on with.
    #[must_use]
    pub fn by_digest(&self, digest: &[u8; 32]) -> Option<Arc<Version>> {
        self.catalogue.load().by_digest.get(digest).cloned()
    }

    /// Of everything that is loaded, in no order.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; 32]> {
        self.catalogue.load().by_digest.keys().copied().collect()
    }

    /// Everything that is loaded, by name, then by digest.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let catalogue = self.catalogue.load();
        let mut listed: Vec<_> = catalogue
            .by_digest
            .values()
            .map(|version| Listed { version: Arc::clone(version), role: catalogue.role(version) })
            .collect();
        listed.sort_by(|a, b| (a.version.name(), a.version.digest()).cmp(&(b.version.name(), b.version.digest())));
        listed
    }

    /// Takes a version in, without giving it anything to do. One that is there already stays, and is returned.
    pub fn insert(&self, version: Arc<Version>) -> Arc<Version> {
        self.change(|catalogue| Arc::clone(catalogue.by_digest.entry(*version.digest()).or_insert(version)))
    }

    /// Makes new operations begin with what the cluster says; `standings` is all of it, what changed last first. Where an
    /// active version is not loaded here yet, the one before it goes on, unless it was withdrawn; a canary that is not
    /// loaded takes nothing. What is not among them is withdrawn.
    /// Returns the names of the connectors for which something has changed.
    pub fn follow(&self, standings: &[Standing]) -> Vec<String> {
        self.change(|catalogue| {
            let before = std::mem::take(&mut catalogue.chosen);
            let in_use = standings.iter().filter(|standing| standing.role != Role::Withdrawn);
            catalogue.in_use = in_use.map(|standing| standing.digest).collect();
            for standing in standings {
                let Some(version) = catalogue.loaded(standing) else { continue };
                match standing.role {
                    Role::Active => catalogue.chosen_of(&standing.name).active = Some(version),
                    Role::Canary { share_percent } => {
                        catalogue.chosen_of(&standing.name).canary = Some((version, share_percent));
                    }
                    Role::Draining => {
                        catalogue.chosen_of(&standing.name).drains.get_or_insert(version);
                    }
                    Role::Idle | Role::Withdrawn => {}
                }
            }
            for standing in standings.iter().filter(|standing| standing.role == Role::Active) {
                if catalogue.loaded(standing).is_some() {
                    continue;
                }
                let last = before.get(&standing.name).and_then(|chosen| chosen.active.clone());
                if let Some(last) = last.filter(|last| catalogue.in_use.contains(last.digest())) {
                    catalogue.chosen_of(&standing.name).active = Some(last);
                }
            }
            let names: BTreeSet<&String> = before.keys().chain(catalogue.chosen.keys()).collect();
            let digests = |chosen: Option<&Chosen>| {
                let digest = |version: &Arc<Version>| *version.digest();
                chosen.map(|chosen| {
                    let canary = chosen.canary.as_ref().map(|(version, share)| (digest(version), *share));
                    (chosen.active.as_ref().map(digest), canary)
                })
            };
            let changed =
                names.into_iter().filter(|name| digests(before.get(*name)) != digests(catalogue.chosen.get(*name)));
            changed.cloned().collect()
        })
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
    fn role(&self, version: &Version) -> Role {
        let Some(chosen) = self.chosen.get(version.name()) else { return Role::Idle };
        let is_it = |other: &Arc<Version>| other.digest() == version.digest();
        match &chosen.canary {
            _ if chosen.active.as_ref().is_some_and(is_it) => Role::Active,
            Some((canary, share_percent)) if is_it(canary) => Role::Canary { share_percent: *share_percent },
            Some(_) | None if chosen.drains.as_ref().is_some_and(is_it) => Role::Draining,
            Some(_) | None => Role::Idle,
        }
    }

    fn loaded(&self, standing: &Standing) -> Option<Arc<Version>> {
        let version = self.by_digest.get(&standing.digest)?;
        (version.name() == standing.name).then(|| Arc::clone(version))
    }

    fn chosen_of(&mut self, name: &str) -> &mut Chosen {
        self.chosen.entry(name.to_owned()).or_default()
    }
}
