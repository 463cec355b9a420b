//! The gate: commit 2, and what becomes of evidence. The only place that changes a payment after commit 1.

use std::time::Duration;

use interlock::domain::{
    payment::{Decision, Event, State, decide},
    resolution, schedule,
};

use crate::{
    client,
    setup::{Mutant, Setup},
    worker::SETTLE,
    world::{Driving, Errand, Job, Key, Says, Stage, Task, Unknown, Verdict, What, Work, World, Wrong},
};

/// What was learned: an event, and what happens to the work next.
struct Learned {
    event: Event,
    /// None where the operation is resolved.
    next: Option<Work>,
}

/// A task writes what it knows. One whose fence is not current writes nothing but its reply, as evidence.
pub fn finishes(setup: &Setup, world: &mut World, task: usize) {
    let Task::Driving(driving) = world.tasks[task] else { return };
    let Stage::Knows(what) = driving.stage else { return };
    world.tasks[task] = Task::Idle;
    if !driving.held {
        if !setup.breaks(Mutant::NoFence) {
            keeps(setup, world, driving.attempt, what);
            return;
        }
        world.wrong = Some(Wrong::StaleWrite);
    }
    let learned = learned(setup, world, driving, what);
    if let Some(other) = fails_over(setup, world, driving, learned.event) {
        world.tasks[task] = Task::Driving(Driving { attempt: other, stage: Stage::ToSend, ..driving });
        return;
    }
    apply(world, driving.attempt, &learned);
    // The client that waits for it is told what its key will replay.
    let key = world.attempt(driving.attempt).key;
    if let (Errand::Drive, Key::Answered(state)) = (driving.errand, world.keys[key]) {
        world.say(key, state);
    }
}

/// A reply that comes after its lease is evidence. One that says that nothing happened speaks of its own moment alone:
/// whoever took over may have sent again since.
fn keeps(setup: &Setup, world: &mut World, number: usize, what: What) {
    let evidence = &mut world.attempt(number).evidence;
    match what {
        What::Says(Says::Approved) => evidence.approved = true,
        What::Says(Says::Declined) => evidence.declined = true,
        What::Says(Says::NotProcessed | Says::NeverReceived) => {
            evidence.nothing = setup.breaks(Mutant::BelieveLateNothing);
        }
        What::Says(Says::Pending) | What::NotSent | What::Unknown => {}
    }
}

/// What it means, in the domain's words.
fn learned(setup: &Setup, world: &mut World, driving: Driving, what: What) -> Learned {
    let none = Work { job: Job::Drive, due: false, owned: false, checks: 0, never_received: 0, unknown: Unknown::No };
    let work = Work { due: false, owned: false, ..world.attempt(driving.attempt).work.unwrap_or(none) };
    let resolved = |event| Learned { event, next: None };
    let again = driving.errand == Errand::Resend;
    match what {
        What::Says(Says::Approved) => resolved(Event::Captured),
        What::Says(Says::Declined) => resolved(Event::Declined),
        What::Says(Says::Pending) => Learned { event: Event::Accepted, next: Some(Work { job: Job::Poll, ..work }) },
        What::Says(Says::NeverReceived) => never_received(setup, driving, work),
        // What a resend or a question says of itself says nothing about the first time.
        What::NotSent | What::Says(Says::NotProcessed) if driving.errand == Errand::Drive => resolved(Event::NotSent),
        What::NotSent => unknown(setup, work),
        // Such answers count anew from the last time that it was sent.
        What::Says(Says::NotProcessed) | What::Unknown if again => {
            unknown(setup, Work { never_received: 0, unknown: Unknown::No, ..work })
        }
        What::Says(Says::NotProcessed) | What::Unknown => unknown(setup, work),
    }
}

/// Proof only when it is said twice, the second time after settling.
fn never_received(setup: &Setup, driving: Driving, work: Work) -> Learned {
    let times = work.never_received.saturating_add(1);
    let since = if driving.settled { SETTLE } else { Duration::ZERO };
    let counts = match setup.mutant {
        Some(Mutant::NeverReceivedOnce) => true,
        Some(Mutant::NeverReceivedUnsettled) => resolution::never_received_counts(usize::from(times), SETTLE, SETTLE),
        _ => resolution::never_received_counts(usize::from(times), since, SETTLE),
    };
    if counts {
        return Learned { event: Event::NotSent, next: None };
    }
    unknown(setup, Work { never_received: times, ..work })
}

/// Nobody knows: the next question of the schedule, or a person.
fn unknown(setup: &Setup, work: Work) -> Learned {
    if work.job == Job::Poll {
        return Learned { event: Event::Accepted, next: Some(work) };
    }
    let delays = vec![Duration::from_secs(1); setup.checks];
    if schedule::next_check(&delays, usize::from(work.checks)).is_none() {
        if setup.breaks(Mutant::FailUnknownByTime) {
            return Learned { event: Event::Declined, next: None };
        }
        return Learned { event: Event::GaveUp, next: Some(Work { job: Job::Person, ..work }) };
    }
    let unknown = if work.unknown == Unknown::No { Unknown::Lately } else { work.unknown };
    let next = Work { job: Job::Resolve, checks: work.checks + 1, unknown, ..work };
    Learned { event: Event::Unknown, next: Some(next) }
}

/// Another account, only by the host that began the attempt, and only where this one did nothing. One commit ends the
/// one and begins the other.
fn fails_over(setup: &Setup, world: &mut World, driving: Driving, event: Event) -> Option<usize> {
    let proved = matches!(event, Event::NotSent | Event::Declined);
    let begun = world.attempts.iter().flatten().count();
    let attempt = *world.attempt(driving.attempt);
    let may = driving.errand == Errand::Drive
        && attempt.account + 1 < setup.accounts
        && begun < setup.attempts
        && decide(world.payment.state, Event::FailedOver) == Decision::Stay
        && (proved || (setup.breaks(Mutant::FailOverUnknown) && event == Event::Unknown));
    if !may {
        return None;
    }
    let ended = world.attempt(driving.attempt);
    ended.verdict = Verdict::Failed;
    ended.work = None;
    client::write_down(world, attempt.key, attempt.account + 1, begun);
    Some(begun)
}

/// Commit 2 for the attempt under way.
fn apply(world: &mut World, number: usize, learned: &Learned) {
    let from = world.payment.state;
    let decision = decide(from, learned.event);
    let to = if let Decision::Move(to) = decision { to } else { from };
    let moved = to != from;
    world.payment.state = to;
    world.payment.reviewed |= decision == Decision::Review || (moved && to == State::ManualReview);
    let reviewed = to == State::ManualReview;
    let attempt = world.attempt(number);
    attempt.work = learned.next;
    if reviewed {
        attempt.verdict = Verdict::Review;
        attempt.work = attempt.work.map(|work| Work { job: Job::Person, ..work });
    } else if learned.next.is_none() {
        attempt.verdict = if learned.event == Event::Captured { Verdict::Won } else { Verdict::Failed };
        world.payment.open = None;
    }
    if moved && to == State::Succeeded && world.payment.won.is_none() {
        world.payment.won = Some(number);
    }
    if to.is_answer() {
        let key = world.attempt(number).key;
        if world.keys[key] == Key::Claimed {
            world.keys[key] = Key::Answered(to);
        }
    }
    world.payment_changed();
}

/// A webhook or a late reply goes through the gate, under a new fence.
pub fn applies(setup: &Setup, world: &mut World, number: usize, says: Says) {
    let evidence = &mut world.attempt(number).evidence;
    let event = match says {
        Says::Approved => {
            evidence.approved = false;
            Event::Captured
        }
        Says::Declined => {
            evidence.declined = false;
            Event::Declined
        }
        Says::Pending | Says::NotProcessed | Says::NeverReceived => {
            evidence.nothing = false;
            Event::NotSent
        }
    };
    match (world.attempt(number).verdict, event) {
        (Verdict::Open, _) => {
            world.fence(number);
            apply(world, number, &Learned { event, next: None });
        }
        (Verdict::Failed, Event::Captured) => late_success(setup, world, number),
        // A person decides, and has it as evidence.
        (Verdict::Review | Verdict::Surplus | Verdict::Failed | Verdict::Won, _) => {}
    }
}

/// It had failed, and is paid after all.
fn late_success(setup: &Setup, world: &mut World, number: usize) {
    if world.payment.won.is_none() && world.payment.open.is_none() {
        apply(world, number, &Learned { event: Event::Captured, next: None });
    } else if !setup.breaks(Mutant::IgnoreSurplus) {
        world.attempt(number).verdict = Verdict::Surplus;
        world.payment.reviewed |= decide(world.payment.state, Event::Surplus) == Decision::Review;
        world.payment_changed();
    }
}
