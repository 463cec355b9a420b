//! What a host does with an operation in its hands, up to what it has to write: send, ask, wait, die.

use crate::{
    gateway,
    setup::{Mutant, Setup},
    system::Step,
    world::{Driving, Errand, Stage, Task, What, World},
};

/// Requests of one operation on their way without a sender. More are no different: a gateway that knows keys acts on one
/// of them, and to any other a request is sent once.
const STRAY_MAX: u8 = 2;

/// What may happen to the operation next, the gateway's doing aside.
pub fn steps(setup: &Setup, world: &World, number: usize, driving: Driving, steps: &mut Vec<Step>) {
    match (driving.stage, driving.errand) {
        (Stage::ToSend, Errand::Ask) => {
            if may_send(setup, world, driving) {
                steps.extend(gateway::answers(world, driving.attempt).map(|says| Step::Asks(number, says)));
            }
            steps.push(Step::CannotSend(number));
        }
        (Stage::ToSend, _) => {
            if may_send(setup, world, driving) {
                steps.push(Step::Sends(number));
            }
            steps.push(Step::CannotSend(number));
        }
        (Stage::OnTheWire, _) => steps.push(Step::TimesOut(number)),
        (Stage::Knows(_), _) => {
            if world.attempts[driving.attempt].is_some() {
                steps.push(Step::Finishes(number));
            }
        }
    }
    if world.crashes > 0 {
        steps.push(Step::Dies(number));
    }
}

/// The lease check: whether it outlives the gateway's time-out, on a clock that runs through suspension.
fn may_send(setup: &Setup, world: &World, driving: Driving) -> bool {
    let lives =
        world.attempts[driving.attempt].and_then(|attempt| attempt.work).is_some_and(|work| driving.held && !work.due);
    lives || setup.breaks(Mutant::SkipLeaseCheck)
}

fn become_known(world: &mut World, task: usize, what: What) {
    if let Task::Driving(driving) = &mut world.tasks[task] {
        driving.stage = Stage::Knows(what);
    }
}

/// The request leaves.
pub fn sends(setup: &Setup, world: &mut World, task: usize) {
    let Task::Driving(driving) = world.tasks[task] else { return };
    if may_send(setup, world, driving) {
        world.tasks[task] = Task::Driving(Driving { stage: Stage::OnTheWire, ..driving });
    }
}

/// Not a byte leaves: no connection, or the lease is over.
pub fn cannot_send(world: &mut World, task: usize) {
    become_known(world, task, What::NotSent);
}

/// A question and its answer. That it gets none is as if it had not left: nothing was learned.
pub fn asks(setup: &Setup, world: &mut World, task: usize, says: crate::world::Says) {
    let Task::Driving(driving) = world.tasks[task] else { return };
    if may_send(setup, world, driving) {
        become_known(world, task, What::Says(says));
    }
}

/// The time for the exchange is over.
pub fn times_out(world: &mut World, task: usize) {
    lets_go(world, task);
    become_known(world, task, What::Unknown);
}

/// The host dies, and what it knew with it.
pub fn dies(world: &mut World, task: usize) {
    lets_go(world, task);
    world.crashes -= 1;
    world.tasks[task] = Task::Idle;
}

/// What was sent goes its own way.
fn lets_go(world: &mut World, task: usize) {
    if let Task::Driving(driving) = world.tasks[task]
        && driving.stage == Stage::OnTheWire
    {
        let charge = &mut world.charges[driving.attempt];
        charge.stray = charge.stray.saturating_add(1).min(STRAY_MAX);
    }
}
