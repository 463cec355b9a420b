//! What the worker does: takes what is due under a new fence, and chooses how to find out.

use std::time::Duration;

use interlock::domain::resolution::{Situation, Way, choose};

use crate::{
    gateway::resend_is_offered,
    setup::{Mutant, Setup},
    system::Step,
    world::{Driving, Errand, Job, Says, Stage, Status, Task, Unknown, What, World},
};

/// The gateway's window for keys; an operation is either younger than a second or older than this.
const WINDOW: Duration = Duration::from_hours(24);
/// The gateway's settling time: "lately" is less, "settled" is as much.
pub const SETTLE: Duration = Duration::from_mins(1);

/// What time and the worker may do to an attempt.
pub fn steps(setup: &Setup, world: &World, number: usize, steps: &mut Vec<Step>) {
    let Some(attempt) = world.attempts[number] else { return };
    if attempt.evidence.approved && may_apply(world, number) {
        steps.push(Step::Applies(number, Says::Approved));
    }
    if attempt.evidence.declined && may_apply(world, number) {
        steps.push(Step::Applies(number, Says::Declined));
    }
    if attempt.evidence.nothing && may_apply(world, number) {
        steps.push(Step::Applies(number, Says::NeverReceived));
    }
    let Some(work) = attempt.work else { return };
    // Where it cannot be asked, what was accepted waits for the gateway's webhook.
    let waits = work.job == Job::Poll && !setup.gateway.lookup;
    if work.job == Job::Person || waits {
        return;
    }
    if !work.due {
        steps.push(Step::TimeComes(number));
    } else if world.tasks.contains(&Task::Idle) {
        steps.push(Step::Claims(number));
    }
    let sending = |driving: &Driving| driving.attempt == number && driving.stage == Stage::OnTheWire;
    if work.unknown == Unknown::Lately && world.charges[number].stray == 0 && !world.driving().any(sending) {
        steps.push(Step::Settles(number));
    }
    if setup.gateway.forgets_keys && !attempt.window_over && world.charges[number].status != Status::None {
        steps.push(Step::WindowEnds(number));
    }
}

/// Evidence waits while a live host drives the operation: that one will know more.
fn may_apply(world: &World, number: usize) -> bool {
    world.attempts[number].and_then(|attempt| attempt.work).is_none_or(|work| work.due || !work.owned)
}

/// The lease is over, or the pause.
pub fn time_comes(world: &mut World, number: usize) {
    if let Some(work) = &mut world.attempt(number).work {
        work.due = true;
    }
}

/// Enough time for the gateway has passed.
pub fn settles(world: &mut World, number: usize) {
    if let Some(work) = &mut world.attempt(number).work {
        work.unknown = Unknown::Settled;
    }
}

/// A claim: a new fence, a new lease, and what is to be done.
pub fn claims(setup: &Setup, world: &mut World, number: usize) {
    world.fence(number);
    let window_over = world.attempt(number).window_over;
    let Some(work) = &mut world.attempt(number).work else { return };
    // Who claimed it before and never let go may have sent again: only from now on can that not be under way.
    if work.owned && work.unknown != Unknown::No && !setup.breaks(Mutant::TrustDeadResender) {
        work.never_received = 0;
        work.unknown = Unknown::Lately;
    }
    work.due = false;
    work.owned = true;
    let (errand, stage) = match work.job {
        Job::Drive => (Errand::TakeOver, Stage::Knows(What::Unknown)),
        Job::Poll | Job::Person => (Errand::Ask, Stage::ToSend),
        Job::Resolve => match way(setup, window_over, work.checks) {
            Some(Way::Resend { .. }) => (Errand::Resend, Stage::ToSend),
            Some(Way::GetByReference | Way::FindByOperationId { .. }) => (Errand::Ask, Stage::ToSend),
            Some(Way::AwaitWebhook | Way::CancelByOperationId) | None => (Errand::Ask, Stage::Knows(What::Unknown)),
        },
    };
    let driving = Driving { attempt: number, errand, stage, held: true, settled: work.unknown == Unknown::Settled };
    if let Some(task) = world.tasks.iter_mut().find(|task| **task == Task::Idle) {
        *task = Task::Driving(driving);
    }
}

/// The way that the host would choose, by its own rules.
fn way(setup: &Setup, window_over: bool, checks: u8) -> Option<Way> {
    let mut ways = Vec::new();
    if setup.gateway.lookup {
        ways.push(Way::FindByOperationId { settle: SETTLE });
    }
    if resend_is_offered(setup) {
        ways.push(Way::Resend { window: WINDOW });
    }
    if setup.gateway.webhooks {
        ways.push(Way::AwaitWebhook);
    }
    let old = window_over && !setup.breaks(Mutant::ResendPastTheWindow);
    let situation = Situation {
        age: if old { WINDOW } else { Duration::from_secs(1) },
        gateway_timeout: Duration::from_secs(30),
        resendable: true,
        holes_complete: true,
        has_reference: false,
        called_off: false,
    };
    choose(&ways, &situation, usize::from(checks.max(1) - 1))
}
