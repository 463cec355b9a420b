//! Many messages at once, those of one key one after the other.
//!
//! A message goes out when the one before it under the same key is acknowledged. To send them all and look afterwards
//! which arrived would be faster for one payment with many events, and would change their order where one of them has
//! to be sent again: the broker has its successor already, and drops or keeps a second one behind it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt as _, stream};

/// Calls `publish` with every place of `keys`, up to `in_flight_max` at once and those of one key in their order. Where one
/// fails no other is begun; those that are under way are waited for. Returns the first failure and its place.
pub(super) async fn in_order<'a, E, F>(
    keys: impl Iterator<Item = &'a str>,
    in_flight_max: usize,
    publish: impl Fn(usize) -> F,
) -> Result<(), (usize, E)>
where
    F: Future<Output = Result<(), E>>,
{
    let (has_failed, failure) = (AtomicBool::new(false), Mutex::new(None));
    let chain = async |places: Vec<usize>| {
        for at in places {
            if has_failed.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = publish(at).await {
                has_failed.store(true, Ordering::Relaxed);
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((at, error));
            }
        }
    };
    stream::iter(chains(keys)).for_each_concurrent(in_flight_max, chain).await;
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The places of each key, keys in the order in which they first come.
fn chains<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<Vec<usize>> {
    let mut chains: Vec<Vec<usize>> = Vec::new();
    let mut of_key: HashMap<&str, usize> = HashMap::new();
    for (at, key) in keys.enumerate() {
        let chain = *of_key.entry(key).or_insert(chains.len());
        match chains.get_mut(chain) {
            Some(places) => places.push(at),
            None => chains.push(vec![at]),
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, time::Duration};

    use super::*;

    #[test]
    fn a_key_is_one_chain() {
        assert_eq!(chains("a b a c b a".split(' ')), [vec![0, 2, 5], vec![1, 4], vec![3]]);
    }

    #[tokio::test]
    async fn no_more_than_allowed_are_under_way_and_a_key_has_one() {
        let keys: Vec<String> = (0..40).map(|number| (number % 10).to_string()).collect();
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ended = Mutex::new(Vec::new());
        let publish = |at: usize| {
            let (under_way, most, ended) = (&under_way, &most, &ended);
            async move {
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Later ones of a key would be faster, if they were let.
                tokio::time::sleep(Duration::from_millis(if at < 10 { 4 } else { 1 })).await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                ended.lock().unwrap().push(at);
                Ok::<(), ()>(())
            }
        };
        assert_eq!(in_order(keys.iter().map(String::as_str), 3, publish).await, Ok(()));
        assert_eq!(most.load(Ordering::SeqCst), 3);
        let ended = ended.into_inner().unwrap();
        for key in 0..10 {
            let of_key: Vec<usize> = ended.iter().copied().filter(|at| at % 10 == key).collect();
            assert_eq!(of_key, [key, key + 10, key + 20, key + 30]);
        }
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_begun() {
        let begun = Mutex::new(Vec::new());
        let publish = |at: usize| {
            begun.lock().unwrap().push(at);
            async move { if at == 1 { Err("no") } else { Ok(()) } }
        };
        assert_eq!(in_order("a b b c".split(' '), 1, publish).await, Err((1, "no")));
        assert_eq!(begun.into_inner().unwrap(), [0, 1]);
    }
}
