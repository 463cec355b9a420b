//! What a merchant's request does until its attempt is written down: the key, the payment, commit 1.

use interlock::domain::payment::{Decision, Event, State, decide};

use crate::{
    setup::{ATTEMPTS_MAX, Mutant, Setup},
    system::Step,
    world::{Attempt, Driving, Errand, Evidence, Job, Key, Stage, Task, Unknown, Verdict, Work, World},
};

/// Requests that may arrive: a host must be free to take one.
pub fn steps(world: &World, steps: &mut Vec<Step>) {
    if world.tasks.contains(&Task::Idle) {
        steps.extend((0..world.requests.len()).filter(|client| world.requests[*client] > 0).map(Step::Arrives));
    }
}

/// A request arrives, and its key is read.
pub fn arrives(setup: &Setup, world: &mut World, client: usize) {
    world.requests[client] -= 1;
    let free = world.tasks.iter().position(|task| *task == Task::Idle).expect("asked for by the step");
    if !answers(setup, world, setup.key_of(client)) {
        world.tasks[free] = Task::Asked { client };
    }
}

/// What the key's record says: the stored answer, or "not yet", which is no final answer. False where it is free.
fn answers(setup: &Setup, world: &mut World, key: usize) -> bool {
    if setup.breaks(Mutant::ForgetKeys) {
        return false;
    }
    match world.keys[key] {
        Key::Answered(_) if setup.breaks(Mutant::AnswerAnew) => world.say(key, world.payment.state),
        Key::Answered(state) => world.say(key, state),
        Key::Claimed => {}
        Key::Free => return false,
    }
    true
}

/// The payment is read: what a confirm does by its state.
pub fn reads(setup: &Setup, world: &mut World, task: usize) {
    let Task::Asked { client } = world.tasks[task] else { return };
    let key = setup.key_of(client);
    let tried = world.attempts.iter().flatten().count();
    let state = world.payment.state;
    world.tasks[task] = Task::Idle;
    match state {
        State::Created => world.tasks[task] = Task::Ready { client, current: true },
        State::Failed if tried < setup.attempts => world.tasks[task] = Task::Ready { client, current: true },
        // 200 with the payment; but between the two reads an equal request may have moved it: then its answer is this one's.
        State::Authorized
        | State::PartiallyCaptured
        | State::Succeeded
        | State::PartiallyRefunded
        | State::Refunded => {
            if !answers(setup, world, key) {
                world.say(key, state);
            }
        }
        // 202, or 409: neither is kept.
        State::Processing
        | State::PendingVerification
        | State::RequiresAction
        | State::Failed
        | State::Cancelled
        | State::Expired
        | State::ManualReview => {}
    }
}

/// Commit 1, by compare-and-set on the key and on the payment's version.
pub fn begins(setup: &Setup, world: &mut World, task: usize) {
    let Task::Ready { client, current } = world.tasks[task] else { return };
    let key = setup.key_of(client);
    if answers(setup, world, key) {
        world.tasks[task] = Task::Idle;
        return;
    }
    if !current && !setup.breaks(Mutant::NoVersion) {
        world.tasks[task] = Task::Asked { client };
        return;
    }
    let Some(number) = world.attempts.iter().position(Option::is_none).filter(|number| *number < ATTEMPTS_MAX) else {
        world.tasks[task] = Task::Idle;
        return;
    };
    let driving = Driving { attempt: number, errand: Errand::Drive, stage: Stage::ToSend, held: true, settled: false };
    if setup.breaks(Mutant::SendBeforeWriting) {
        world.tasks[task] = Task::Driving(Driving { stage: Stage::OnTheWire, ..driving });
        return;
    }
    write_down(world, key, 0, number);
    world.keys[key] = Key::Claimed;
    if let Decision::Move(to) = decide(world.payment.state, Event::Submitted) {
        world.payment.state = to;
    }
    world.tasks[task] = Task::Driving(driving);
}

/// The rows of an attempt: what is on the wire is on disk first.
pub fn write_down(world: &mut World, key: usize, account: u8, number: usize) {
    world.attempts[number] = Some(Attempt {
        key,
        account,
        verdict: Verdict::Open,
        work: Some(Work {
            job: Job::Drive,
            due: false,
            owned: true,
            checks: 0,
            never_received: 0,
            unknown: Unknown::No,
        }),
        evidence: Evidence::default(),
        window_over: false,
    });
    world.payment.open = Some(number);
    world.payment_changed();
}
