//! Each rule, broken on purpose, is found: a checker that cannot fail proves nothing.

use interlock_model::{
    properties::name,
    setup::{Gateway, Mutant, Setup},
};
use stateright::{Checker as _, HasDiscoveries, Model as _};

const KEYS: Gateway = Gateway { keys: true, ..Gateway::MUTE };
const LOOKUP: Gateway = Gateway { lookup: true, ..Gateway::MUTE };
const BOTH: Gateway = Gateway { lookup: true, ..KEYS };

/// The rule `property` does not hold where `mutant` is at work. That it holds elsewhere is what `configurations` shows.
fn finds(setup: Setup, mutant: Mutant, property: &'static str) {
    let when = HasDiscoveries::AllOf([property].into());
    let checker = setup.with(mutant).checker().finish_when(when).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else { panic!("{mutant:?} does not break \"{property}\"") };
    eprintln!("{mutant:?} breaks \"{property}\":\n{path}");
}

/// A host that slept past its lease sends, and its successor had proved that nothing was sent.
#[test]
fn a_skipped_lease_check_charges_twice() {
    finds(Setup::of(LOOKUP).two_keys(), Mutant::SkipLeaseCheck, name::FAILED_IS_PROVED);
    finds(Setup::of(LOOKUP).two_keys(), Mutant::SkipLeaseCheck, name::CHARGED_ONCE);
}

#[test]
fn a_resend_without_keys_charges_twice() {
    finds(Setup::of(Gateway::MUTE), Mutant::ResendWithoutKeys, name::CHARGED_ONCE);
}

#[test]
fn a_resend_past_the_window_charges_twice() {
    let gateway = Gateway { forgets_keys: true, ..KEYS };
    finds(Setup::of(gateway), Mutant::ResendPastTheWindow, name::CHARGED_ONCE);
}

#[test]
fn failing_the_unknown_by_time_charges_twice() {
    finds(Setup::of(Gateway::MUTE), Mutant::FailUnknownByTime, name::FAILED_IS_PROVED);
    finds(Setup { checks: 0, ..Setup::of(Gateway::MUTE).two_keys() }, Mutant::FailUnknownByTime, name::CHARGED_ONCE);
}

/// A host that slept says "not sent" of what its successor has sent again.
#[test]
fn a_missing_fence_is_found() {
    finds(Setup::of(KEYS), Mutant::NoFence, name::NO_STALE_WRITE);
    finds(Setup::of(KEYS), Mutant::NoFence, name::FAILED_IS_PROVED);
}

#[test]
fn two_attempts_at_once_are_found() {
    finds(Setup::of(Gateway::MUTE).two_keys(), Mutant::NoVersion, name::ONE_UNDER_WAY);
    finds(Setup::of(Gateway::MUTE).two_keys(), Mutant::NoVersion, name::CHARGED_ONCE);
}

#[test]
fn sending_before_writing_is_found() {
    finds(Setup::of(KEYS), Mutant::SendBeforeWriting, name::ON_DISK_FIRST);
}

#[test]
fn one_never_received_is_no_proof() {
    finds(Setup::of(LOOKUP), Mutant::NeverReceivedOnce, name::FAILED_IS_PROVED);
    finds(Setup::of(LOOKUP), Mutant::NeverReceivedUnsettled, name::FAILED_IS_PROVED);
}

/// "Never received" twice, the first of them before a resend whose host died: the resend is still on its way.
#[test]
fn a_dead_resender_is_not_forgotten() {
    finds(Setup { checks: 3, ..Setup::of(BOTH) }, Mutant::TrustDeadResender, name::FAILED_IS_PROVED);
}

/// A host that slept brings "not processed" or "never received" of long ago; its successor has sent since.
#[test]
fn a_late_no_is_no_proof() {
    finds(Setup::of(Gateway { refuses: true, ..KEYS }), Mutant::BelieveLateNothing, name::FAILED_IS_PROVED);
    finds(Setup::of(LOOKUP), Mutant::BelieveLateNothing, name::FAILED_IS_PROVED);
}

#[test]
fn failing_over_while_unknown_charges_twice() {
    let setup = Setup { accounts: 2, attempts: 2, ..Setup::of(Gateway::MUTE) };
    finds(setup, Mutant::FailOverUnknown, name::CHARGED_ONCE);
}

#[test]
fn forgotten_keys_are_found() {
    let setup = Setup { attempts: 2, ..Setup::of(Gateway::MUTE) };
    finds(setup, Mutant::ForgetKeys, name::SAME_ANSWER);
}

/// The answer of a failed attempt is replayed, whatever the gateway made of it later.
#[test]
fn an_answer_that_is_made_anew_is_found() {
    let gateway = Gateway { webhooks: true, reopens: true, ..Gateway::MUTE };
    finds(Setup::of(gateway), Mutant::AnswerAnew, name::SAME_ANSWER);
}

#[test]
fn an_ignored_surplus_is_found() {
    let gateway = Gateway { webhooks: true, reopens: true, ..Gateway::MUTE };
    finds(Setup { crashes: 0, ..Setup::of(gateway).two_keys() }, Mutant::IgnoreSurplus, name::REST_IS_FINAL);
}
