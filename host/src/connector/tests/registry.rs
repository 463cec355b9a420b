//! Which version new operations begin with, and that old ones are still found.

use super::{
    admitted, engine,
    fixture::{Fixture, descriptor},
};
use crate::connector::{NotInstalled, Registry, types::Descriptor};

#[test]
fn versions_are_activated_and_never_forgotten() {
    let engine = engine();
    let version = |number: &str| {
        let descriptor = Descriptor { version: number.to_owned(), ..descriptor() };
        admitted(&engine, &Fixture { descriptor, ..Fixture::default() }.component())
    };
    let (one, two) = (version("1.0.0"), version("2.0.0"));
    let registry = Registry::default();
    assert_eq!(registry.activate("fixture", one.digest()).unwrap_err(), NotInstalled);
    registry.insert(one.clone());
    registry.insert(two.clone());
    assert!(registry.active("fixture").is_none(), "inserting activates nothing");
    assert!(registry.activate("fixture", one.digest()).unwrap().is_none());
    assert_eq!(registry.activate("other", one.digest()).unwrap_err(), NotInstalled);
    let before = registry.activate("fixture", two.digest()).unwrap().unwrap();
    assert_eq!(before.version(), "1.0.0");
    assert_eq!(registry.active("fixture").unwrap().version(), "2.0.0");
    assert_eq!(registry.by_digest(one.digest()).unwrap().version(), "1.0.0");
    let listed: Vec<_> = registry.list().iter().map(|l| (l.version.version().to_owned(), l.active)).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&("2.0.0".to_owned(), true)) && listed.contains(&("1.0.0".to_owned(), false)));
    assert_eq!(registry.deactivate("fixture").unwrap().version(), "2.0.0");
    assert!(registry.active("fixture").is_none() && registry.by_digest(two.digest()).is_some());
}

/// The same component again is the same version: operations that hold the first see no second.
#[test]
fn a_component_is_taken_in_once() {
    let engine = engine();
    let component = Fixture::default().component();
    let registry = Registry::default();
    let first = registry.insert(admitted(&engine, &component));
    let again = registry.insert(admitted(&engine, &component));
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    assert_eq!(registry.list().len(), 1);
}
