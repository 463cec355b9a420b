//! Look-ups of the names of merchants' endpoints: a name that hangs is its merchant's trouble and nobody else's.
//!
//! A look-up holds a thread until the system gives up on it, which can take half a minute. So there are only so many at
//! once, a merchant has a small part of them, whoever wants the same name of the same merchant waits for the same look-up,
//! and what came of it is kept for some seconds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::resolve::{ResolveError, Resolver};

/// Look-ups under way at once, of all merchants: threads that dead name servers can hold.
const LOOKUPS_MAX: usize = 64;
/// Those of one merchant.
const MERCHANT_LOOKUPS_MAX: usize = 4;
/// How long one is waited for, and how long a merchant's delivery waits for its merchant's other look-ups.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it waits for those of others. After that this host has too much to do, which is nobody's failure.
const HOST_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a result is kept, good or bad: shorter than the first pause of the usual schedule.
const KEPT: Duration = Duration::from_secs(3);
/// Results that are kept.
const KEPT_MAX: u64 = 10_000;
/// Merchants that are remembered before those without a look-up are forgotten.
const MERCHANTS_MAX: usize = 1_024;

/// What a look-up came to.
type Found = Result<Vec<SocketAddr>, Arc<ResolveError>>;

/// Why there are no addresses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NameError {
    #[error(transparent)]
    Resolve(Arc<ResolveError>),
    /// Too many look-ups of others are under way.
    #[error("this host has too many look-ups of names under way")]
    Busy,
}

/// Looks names up for merchants. One per process.
pub struct Names {
    resolver: Resolver,
    lookups: Arc<Semaphore>,
    merchants: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
    /// By merchant, host and port. Also who waits for whom.
    found: Cache<(Uuid, url::Host<String>, u16), Found>,
}

impl Names {
    pub fn new(allow_private_networks: bool) -> Self {
        Self {
            resolver: Resolver::new(allow_private_networks, RESOLVE_TIMEOUT),
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            merchants: Mutex::default(),
            found: Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build(),
        }
    }

    /// The addresses to connect to, all of them allowed, not older than [`KEPT`].
    pub async fn resolve(
        &self,
        merchant: Uuid,
        host: &url::Host<String>,
        port: u16,
    ) -> Result<Vec<SocketAddr>, NameError> {
        let key = (merchant, host.clone(), port);
        let looking = async { self.look_up(merchant, host, port).await.ok_or(NameError::Busy) };
        match self.found.try_get_with(key, Box::pin(looking)).await {
            Ok(found) => found.map_err(NameError::Resolve),
            Err(busy) => Err((*busy).clone()),
        }
    }

    /// None where too many of others' are under way.
    async fn look_up(&self, merchant: Uuid, host: &url::Host<String>, port: u16) -> Option<Found> {
        if !matches!(host, url::Host::Domain(_)) {
            return Some(self.resolver.resolve_holding(host, port, ()).await.map_err(Arc::new));
        }
        let own = self.of(merchant).acquire_owned();
        let Ok(Ok(own)) = tokio::time::timeout(RESOLVE_TIMEOUT, own).await else {
            let fault = ResolveError::TimedOut { host: host.to_string(), timeout: RESOLVE_TIMEOUT };
            return Some(Err(Arc::new(fault)));
        };
        let shared = Arc::clone(&self.lookups).acquire_owned();
        let shared = tokio::time::timeout(HOST_WAIT_MAX, shared).await.ok()?.ok()?;
        Some(self.resolver.resolve_holding(host, port, (own, shared)).await.map_err(Arc::new))
    }

    fn of(&self, merchant: Uuid) -> Arc<Semaphore> {
        // Nothing in here panics between two writes, so what a poisoned lock guards is still whole.
        let mut merchants = self.merchants.lock().unwrap_or_else(PoisonError::into_inner);
        if merchants.len() >= MERCHANTS_MAX {
            // One with a look-up has a second owner.
            merchants.retain(|_, lookups| Arc::strong_count(lookups) > 1);
        }
        Arc::clone(merchants.entry(merchant).or_insert_with(|| Arc::new(Semaphore::new(MERCHANT_LOOKUPS_MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> url::Host<String> {
        url::Host::parse(name).unwrap()
    }

    fn merchant(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// All of a merchant's look-ups hang. Its next one gives up; another merchant's is answered meanwhile.
    #[tokio::test(start_paused = true)]
    async fn names_that_hang_are_their_merchants_trouble() {
        let names = Names::new(true);
        let hanging = names.of(merchant(1)).acquire_many_owned(u32::try_from(MERCHANT_LOOKUPS_MAX).unwrap()).await;
        let found = names.resolve(merchant(1), &host("localhost"), 80).await;
        assert!(
            matches!(&found, Err(NameError::Resolve(fault)) if matches!(**fault, ResolveError::TimedOut { .. })),
            "{found:?}"
        );
        assert!(names.look_up(merchant(2), &host("127.0.0.1"), 80).await.unwrap().is_ok());
        assert!(names.of(merchant(2)).available_permits() == MERCHANT_LOOKUPS_MAX);
        drop(hanging);
        assert_eq!(names.of(merchant(1)).available_permits(), MERCHANT_LOOKUPS_MAX);
    }

    /// That is no fault of the name, and is not kept as one.
    #[tokio::test]
    async fn a_host_that_is_busy_says_so_and_forgets_it() {
        let names = Names::new(true);
        let all = Arc::clone(&names.lookups).acquire_many_owned(u32::try_from(LOOKUPS_MAX).unwrap()).await;
        tokio::time::pause();
        let found = names.resolve(merchant(1), &host("localhost"), 80).await;
        assert!(matches!(found, Err(NameError::Busy)), "{found:?}");
        tokio::time::resume();
        drop(all);
        assert!(names.resolve(merchant(1), &host("localhost"), 80).await.is_ok());
    }

    /// Many deliveries to one name need one place, and what it came to is not asked for again at once.
    #[tokio::test]
    async fn who_wants_the_same_waits_for_the_same() {
        let names = Names::new(true);
        let rest = names.of(merchant(1)).acquire_many_owned(u32::try_from(MERCHANT_LOOKUPS_MAX - 1).unwrap()).await;
        let dead = host("no-such-host.invalid");
        let found = futures_util::future::join_all((0..20).map(|_| names.resolve(merchant(1), &dead, 443))).await;
        let faults: Vec<_> = found
            .into_iter()
            .map(|found| match found {
                Err(NameError::Resolve(fault)) => fault,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(faults.iter().all(|fault| Arc::ptr_eq(fault, &faults[0])), "one look-up");
        drop(rest);
    }
}
