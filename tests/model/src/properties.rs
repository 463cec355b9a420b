//! What holds in every state, and what must be reached for that to mean anything.

use interlock::domain::payment::State;
use stateright::{Model, Property};

use crate::{
    setup::{Keys, Setup},
    world::{Driving, Errand, Job, Key, Says, Stage, Status, Task, Unknown, Verdict, What, World, Wrong},
};

/// Names of the invariants, for tests that expect one to be broken.
pub mod name {
    /// Declines that the gateway itself called off later do not count: nobody could know.
    pub const CHARGED_ONCE: &str = "a payment is charged once at most";
    pub const FAILED_IS_PROVED: &str = "what is closed as failed has taken nothing";
    pub const ON_DISK_FIRST: &str = "what a gateway did was written down before";
    pub const ONE_WINNER: &str = "one attempt wins at most, and the payment knows which";
    pub const ONE_UNDER_WAY: &str = "one attempt is under way at most, and the payment knows which";
    pub const SAME_ANSWER: &str = "final answers under one key are equal";
    pub const NO_STALE_WRITE: &str = "nobody writes with a stale fence";
    pub const SUCCESS_IS_REAL: &str = "what is reported as paid was taken";
    pub const SURPLUS_IS_SEEN: &str = "a surplus is under review";
    pub const WORK_IS_NOT_LOST: &str = "what is open has somebody to look after it";
    pub const REST_IS_FINAL: &str = "when nothing more can happen, everything is final or under review";
}

/// All properties of a configuration.
#[must_use]
pub fn of(setup: &Setup) -> Vec<Property<Setup>> {
    let mut all = invariants();
    all.extend(reached(setup));
    all
}

fn invariants() -> Vec<Property<Setup>> {
    vec![
        Property::always(name::CHARGED_ONCE, |_, world: &World| {
            world.charges.iter().map(|charge| charge.taken).sum::<u8>() <= 1
        }),
        Property::always(name::FAILED_IS_PROVED, |_, world: &World| {
            closed(world, Verdict::Failed).all(|number| world.charges[number].taken == 0)
        }),
        Property::always(name::ON_DISK_FIRST, |_, world: &World| {
            (0..world.charges.len())
                .all(|number| world.charges[number].status == Status::None || world.attempts[number].is_some())
        }),
        Property::always(name::ONE_WINNER, |_, world: &World| {
            let won = closed(world, Verdict::Won).next();
            closed(world, Verdict::Won).count() <= 1
                && (won == world.payment.won || world.payment.state == State::ManualReview)
        }),
        Property::always(name::ONE_UNDER_WAY, |_, world: &World| {
            let mut under_way = closed(world, Verdict::Open).chain(closed(world, Verdict::Review));
            under_way.next() == world.payment.open && under_way.next().is_none()
        }),
        Property::always(name::SAME_ANSWER, |_, world: &World| world.wrong != Some(Wrong::AnswersDiffer)),
        Property::always(name::NO_STALE_WRITE, |_, world: &World| world.wrong != Some(Wrong::StaleWrite)),
        Property::always(name::SUCCESS_IS_REAL, |_, world: &World| {
            world.payment.state != State::Succeeded
                || world.payment.won.is_some_and(|won| world.charges[won].status == Status::Approved)
        }),
        Property::always(name::SURPLUS_IS_SEEN, |_, world: &World| {
            closed(world, Verdict::Surplus).count() == 0 || world.payment.reviewed
        }),
        Property::always(name::WORK_IS_NOT_LOST, |_, world: &World| {
            world.attempts.iter().flatten().all(|attempt| {
                let open = matches!(attempt.verdict, Verdict::Open | Verdict::Review);
                open == attempt.work.is_some()
            })
        }),
        Property::always(name::REST_IS_FINAL, |setup: &Setup, world: &World| {
            !is_at_rest(setup, world) || is_settled(setup, world)
        }),
    ]
}

/// Numbers of the attempts with this verdict.
fn closed(world: &World, verdict: Verdict) -> impl Iterator<Item = usize> {
    world
        .attempts
        .iter()
        .enumerate()
        .filter_map(move |(number, attempt)| (attempt.as_ref()?.verdict == verdict).then_some(number))
}

fn is_at_rest(setup: &Setup, world: &World) -> bool {
    let mut steps = Vec::new();
    setup.actions(world, &mut steps);
    steps.is_empty()
}

/// The outcome is known, or a person or the gateway's own decision is waited for; no money is unaccounted for, except
/// where a gateway that called a decline off never said so.
fn is_settled(setup: &Setup, world: &World) -> bool {
    let awaited = world.attempts.iter().flatten().any(|attempt| attempt.work.is_some_and(|work| work.job == Job::Poll))
        && !setup.gateway.lookup;
    let known = (0..world.charges.len()).all(|number| {
        let charge = &world.charges[number];
        let verdict = world.attempts[number].map(|attempt| attempt.verdict);
        let told = !charge.reopened || (setup.gateway.webhooks && !charge.lost);
        charge.status != Status::Approved
            || !told
            || matches!(verdict, Some(Verdict::Won | Verdict::Surplus | Verdict::Review))
            || awaited
    });
    let answered = world.keys.iter().all(|key| *key != Key::Claimed);
    known && (awaited || (world.payment.state.is_answer() && answered))
}

/// States that a configuration must come to: else its invariants would hold of nothing.
fn reached(setup: &Setup) -> Vec<Property<Setup>> {
    let gateway = setup.gateway;
    let mut all = vec![
        Property::sometimes("paid", |_, world: &World| world.payment.state == State::Succeeded),
        Property::sometimes("declined", |_, world: &World| world.payment.state == State::Failed),
        Property::sometimes("taken over while the first host is still at it", |_, world: &World| {
            any_task(world, |driving| driving.errand == Errand::Drive && !driving.held)
        }),
        Property::sometimes("a success that comes after its lease", |_, world: &World| {
            any_task(world, |driving| !driving.held && driving.stage == Stage::Knows(What::Says(Says::Approved)))
        }),
        Property::sometimes("a host whose lease is over has not sent yet", |_, world: &World| {
            any_task(world, |driving| !driving.held && driving.stage == Stage::ToSend)
        }),
        Property::sometimes("money is taken while nobody knows", |_, world: &World| {
            world.payment.state == State::PendingVerification && any_status(world, Status::Approved)
        }),
        Property::sometimes("a person must look", |_, world: &World| world.payment.state == State::ManualReview),
        Property::sometimes("a stored answer is waiting for a repeat", |_, world: &World| {
            world.keys.iter().any(|key| matches!(key, Key::Answered(_))) && world.requests.iter().any(|left| *left > 0)
        }),
    ];
    if setup.crashes > 0 {
        all.push(Property::sometimes("a host dies after sending, and the request arrives", |setup: &Setup, world| {
            world.crashes < setup.crashes && world.driving().next().is_none() && any_status(world, Status::Approved)
        }));
    }
    if gateway.keys {
        all.push(Property::sometimes("sent again, and known", |_, world: &World| {
            any_task(world, |driving| driving.errand == Errand::Resend && driving.stage == Stage::OnTheWire)
                && any_status(world, Status::Approved)
        }));
    }
    if gateway.lookup && setup.checks >= 2 {
        all.push(Property::sometimes("never received, said twice after settling", |_, world: &World| {
            any_task(world, |driving| {
                driving.held && driving.settled && driving.stage == Stage::Knows(What::Says(Says::NeverReceived))
            }) && world.attempts.iter().flatten().any(|attempt| {
                attempt.work.is_some_and(|work| work.never_received == 1 && work.unknown == Unknown::Settled)
            })
        }));
    }
    if gateway.webhooks {
        all.push(Property::sometimes("a webhook comes before the reply", |_, world: &World| {
            world.attempts.iter().flatten().any(|attempt| attempt.evidence.approved)
                && any_task(world, |driving| driving.held && driving.errand == Errand::Drive)
        }));
        all.push(Property::sometimes("found out by webhook alone", |_, world: &World| {
            world.payment.state == State::Succeeded
                && world.driving().next().is_none()
                && world.attempts.iter().flatten().any(|attempt| attempt.verdict == Verdict::Won)
        }));
    }
    if setup.keys == Keys::Different {
        all.extend(of_two_keys(setup));
    }
    if setup.accounts > 1 {
        all.push(Property::sometimes("failed over and paid", |_, world: &World| {
            world.payment.won.is_some_and(|won| world.attempts[won].is_some_and(|attempt| attempt.account > 0))
        }));
    }
    all
}

fn of_two_keys(setup: &Setup) -> Vec<Property<Setup>> {
    let mut all = vec![
        Property::sometimes("two requests race for commit 1", |_, world: &World| {
            world.tasks.iter().any(|task| matches!(task, Task::Ready { current: false, .. }))
        }),
        Property::sometimes("a new attempt after a failure is paid", |_, world: &World| {
            world.payment.won == Some(1) && world.keys[0] != world.keys[1]
        }),
    ];
    if setup.gateway.reopens && setup.gateway.webhooks {
        all.push(Property::sometimes("a surplus", |_, world: &World| closed(world, Verdict::Surplus).count() > 0));
        all.push(Property::sometimes("a late success of a failed payment", |_, world: &World| {
            world.payment.won.is_some_and(|won| world.charges[won].reopened)
        }));
    }
    all
}

fn any_task(world: &World, what: fn(&Driving) -> bool) -> bool {
    world.driving().any(what)
}

fn any_status(world: &World, status: Status) -> bool {
    world.charges.iter().any(|charge| charge.status == status)
}
