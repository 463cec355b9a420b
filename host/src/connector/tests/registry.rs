//! Which version new operations begin with, and that old ones are still found.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    admitted, engine,
    fixture::{Fixture, descriptor},
};
use crate::{
    connector::{Registry, Role, Standing, Version, types::Descriptor},
    domain::id::PaymentId,
};

fn version(number: &str) -> Arc<Version> {
    let descriptor = Descriptor { version: number.to_owned(), ..descriptor() };
    admitted(&engine(), &Fixture { descriptor, ..Fixture::default() }.component())
}

fn standing(version: &Version, role: Role) -> Standing {
    Standing { name: version.name().to_owned(), digest: *version.digest(), role }
}

fn active(registry: &Registry) -> Option<String> {
    registry.active("fixture").map(|version| version.version().to_owned())
}

#[test]
fn versions_are_followed_and_never_forgotten() {
    let (one, two) = (version("1.0.0"), version("2.0.0"));
    let registry = Registry::default();
    assert!(registry.follow(&[standing(&one, Role::Active)]).is_empty(), "it is not loaded");
    registry.insert(one.clone());
    registry.insert(two.clone());
    assert_eq!(active(&registry), None, "inserting activates nothing");
    assert_eq!(registry.follow(&[standing(&one, Role::Active)]), ["fixture"]);
    assert_eq!(registry.follow(&[standing(&one, Role::Active)]), [""; 0], "nothing new");
    assert_eq!(registry.follow(&[standing(&one, Role::Idle), standing(&two, Role::Active)]), ["fixture"]);
    assert_eq!(active(&registry).as_deref(), Some("2.0.0"));
    assert_eq!(registry.by_digest(one.digest()).unwrap().version(), "1.0.0");
    let listed: Vec<_> = registry.list().iter().map(|l| (l.version.version().to_owned(), l.role)).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&("2.0.0".to_owned(), Role::Active)) && listed.contains(&("1.0.0".to_owned(), Role::Idle)));
    assert_eq!(registry.follow(&[]), ["fixture"]);
    assert!(active(&registry).is_none() && registry.by_digest(two.digest()).is_some());
    let of_another = Standing { name: "other".to_owned(), ..standing(&one, Role::Active) };
    assert!(registry.follow(&[of_another]).is_empty(), "a name has no version of another's");
}

/// A canary takes the payments of its share, and the same ones whenever it is asked.
#[test]
fn a_canary_takes_its_share_of_the_payments() {
    let (one, two) = (version("1.0.0"), version("2.0.0"));
    let registry = Registry::default();
    registry.insert(one.clone());
    let canary = Role::Canary { share_percent: 30 };
    let standings = [standing(&one, Role::Active), standing(&two, canary)];
    registry.follow(&standings);
    let chosen = || -> Vec<String> {
        let payments = (0..1000_u128).map(|number| PaymentId::from_uuid(Uuid::from_u128(number << 64 | number)));
        payments.map(|payment| registry.choose("fixture", payment).unwrap().version().to_owned()).collect()
    };
    assert!(chosen().iter().all(|number| number == "1.0.0"), "a canary that is not loaded takes nothing");
    registry.insert(two.clone());
    registry.follow(&standings);
    let taken = chosen().iter().filter(|number| *number == "2.0.0").count();
    assert!((230..370).contains(&taken), "{taken} of 1000");
    assert_eq!(chosen(), chosen());
    assert_eq!(active(&registry).as_deref(), Some("1.0.0"));
    assert_eq!(registry.list().iter().find(|listed| listed.version.version() == "2.0.0").unwrap().role, canary);
}

/// What was activated and is not loaded yet leaves the version before at work; one that was withdrawn must stop.
#[test]
fn a_version_that_is_not_here_yet_leaves_the_one_before_at_work() {
    let (one, two) = (version("1.0.0"), version("2.0.0"));
    let registry = Registry::default();
    registry.insert(one.clone());
    registry.follow(&[standing(&one, Role::Active)]);
    registry.follow(&[standing(&one, Role::Idle), standing(&two, Role::Active)]);
    assert_eq!(active(&registry).as_deref(), Some("1.0.0"));
    registry.follow(&[standing(&one, Role::Withdrawn), standing(&two, Role::Active)]);
    assert_eq!(active(&registry), None);
}

/// What comes in for an account is read by a version that operators have let near payments: the active one, else a canary,
/// else the one that was it last. One that was only pushed reads nothing, and neither does one that was withdrawn.
#[test]
fn what_was_only_pushed_reads_nothing() {
    let (one, two, three) = (version("1.0.0"), version("2.0.0"), version("3.0.0"));
    let registry = Registry::default();
    for version in [&one, &two, &three] {
        registry.insert(Arc::clone(version));
    }
    let reader = |standings: &[Standing]| {
        registry.follow(standings);
        registry.reader("fixture").map(|version| version.version().to_owned())
    };
    let staged = standing(&one, Role::Idle);
    assert_eq!(reader(std::slice::from_ref(&staged)), None);
    let canary = standing(&two, Role::Canary { share_percent: 5 });
    assert_eq!(reader(&[canary.clone(), staged.clone(), standing(&three, Role::Active)]).as_deref(), Some("3.0.0"));
    assert_eq!(reader(&[canary, staged.clone(), standing(&three, Role::Withdrawn)]).as_deref(), Some("2.0.0"));
    let drains = [standing(&three, Role::Draining), standing(&two, Role::Draining), staged.clone()];
    assert_eq!(reader(&drains).as_deref(), Some("3.0.0"), "the one that was in use last");
    assert_eq!(reader(&[staged, standing(&three, Role::Withdrawn)]), None);
    assert!(registry.in_use(one.digest()).is_some() && registry.in_use(three.digest()).is_none());
}

/// The same component again is the same version: operations that hold the first see no second.
#[test]
fn a_component_is_taken_in_once() {
    let engine = engine();
    let component = Fixture::default().component();
    let registry = Registry::default();
    let first = registry.insert(admitted(&engine, &component));
    let again = registry.insert(admitted(&engine, &component));
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(registry.list().len(), 1);
}
