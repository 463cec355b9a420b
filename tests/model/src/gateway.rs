//! What a gateway does with a request that reaches it, and what it tells by itself.

use crate::{
    setup::{Mutant, Setup},
    system::Step,
    world::{Charge, Driving, Errand, Job, Says, Stage, Status, Task, Unknown, What, World},
};

/// What may become of a request on its way.
pub fn steps_of_request(setup: &Setup, world: &World, number: usize, driving: Driving, steps: &mut Vec<Step>) {
    let charge = &world.charges[driving.attempt];
    steps.extend(replies(setup, charge).map(|says| Step::Reaches(number, says)));
    if setup.gateway.keys && !setup.gateway.refuses && charge.stray == 0 {
        steps.push(Step::Doubles(number));
    }
}

/// What may happen at the gateway that nobody waits for.
pub fn steps(setup: &Setup, world: &World, attempt: usize, steps: &mut Vec<Step>) {
    let charge = &world.charges[attempt];
    if charge.stray > 0 {
        steps.extend(replies(setup, charge).map(|says| Step::StrayReaches(attempt, says)));
        steps.push(Step::StrayIsLost(attempt));
    }
    if charge.status == Status::Pending {
        steps.extend([Step::Decides(attempt, Says::Approved), Step::Decides(attempt, Says::Declined)]);
    }
    if setup.gateway.reopens && charge.status == Status::Declined {
        steps.push(Step::Decides(attempt, Says::Approved));
    }
    for (deliveries, says) in charge.news.iter().zip([Says::Approved, Says::Declined]) {
        if *deliveries > 0 {
            steps.push(Step::Tells(attempt, says));
            // Lost the first time and never tried again; that a second delivery is missing is nothing new.
            if *deliveries == setup.deliveries {
                steps.push(Step::TellsNobody(attempt, says));
            }
        }
    }
    if setup.gateway.forgets_keys && !charge.forgot && charge.status != Status::None && may_forget(world, attempt) {
        steps.push(Step::Forgets(attempt));
    }
}

/// The margin: what was sent within the window, or will be under a lease that began in it, has arrived before the gateway
/// forgets.
fn may_forget(world: &World, number: usize) -> bool {
    let Some(attempt) = world.attempts[number] else { return false };
    let leased = attempt.work.is_some_and(|work| !work.due);
    let sending = |driving: &Driving| {
        let may_send = driving.errand != Errand::Ask && driving.stage == Stage::ToSend && driving.held && leased;
        driving.attempt == number && (driving.stage == Stage::OnTheWire || may_send)
    };
    attempt.window_over && world.charges[number].stray == 0 && !world.driving().any(sending)
}

/// What the gateway may reply to a request that reaches it. A known key gets what it got, or how things stand now.
fn replies(setup: &Setup, charge: &Charge) -> impl Iterator<Item = Says> {
    let gateway = setup.gateway;
    let known = gateway.keys && !charge.forgot;
    let allowed = move |says: Says| match (known, charge.status, says) {
        (true, Status::Approved, Says::Approved) | (true, Status::Declined, Says::Declined) => true,
        (true, Status::Approved, Says::Declined) => charge.reopened,
        (true, Status::Pending, Says::Pending) => true,
        (true, Status::Approved | Status::Declined, Says::Pending) => gateway.decides_later,
        (true, Status::Approved | Status::Declined | Status::Pending, _) => false,
        (_, _, Says::Approved | Says::Declined) => true,
        (_, _, Says::Pending) => gateway.decides_later,
        (_, _, Says::NotProcessed) => gateway.refuses,
        (_, _, Says::NeverReceived) => false,
    };
    [Says::Approved, Says::Declined, Says::Pending, Says::NotProcessed].into_iter().filter(move |says| allowed(*says))
}

/// What the gateway may answer to a question. Until it has settled it may not see yet what it has done,
/// except where it acknowledged that.
pub fn answers(world: &World, number: usize) -> impl Iterator<Item = Says> + use<> {
    let work = world.attempts[number].and_then(|attempt| attempt.work);
    let unsettled = work.is_some_and(|work| work.job == Job::Resolve && work.unknown != Unknown::Settled);
    let (now, also) = match world.charges[number].status {
        Status::None => (Says::NeverReceived, None),
        Status::Pending => (Says::Pending, None),
        Status::Approved => (Says::Approved, unsettled.then_some(Says::NeverReceived)),
        Status::Declined => (Says::Declined, unsettled.then_some(Says::NeverReceived)),
    };
    [Some(now), also].into_iter().flatten()
}

/// A request reaches the gateway while its sender waits.
pub fn reaches(setup: &Setup, world: &mut World, task: usize, says: Says) {
    if let Task::Driving(driving) = world.tasks[task] {
        acts(setup, world, driving.attempt, says);
        world.tasks[task] = Task::Driving(Driving { stage: Stage::Knows(What::Says(says)), ..driving });
    }
}

/// One more of the same is on its way.
pub fn doubles(world: &mut World, task: usize) {
    if let Task::Driving(driving) = world.tasks[task] {
        world.charges[driving.attempt].stray += 1;
    }
}

/// A request reaches the gateway, and nobody waits for the reply.
pub fn stray_reaches(setup: &Setup, world: &mut World, attempt: usize, says: Says) {
    world.charges[attempt].stray -= 1;
    acts(setup, world, attempt, says);
}

/// What a request does. A known key does nothing; where there are no keys, each request is a charge of its own.
fn acts(setup: &Setup, world: &mut World, number: usize, says: Says) {
    let charge = &mut world.charges[number];
    if setup.gateway.keys && !charge.forgot && charge.status != Status::None {
        return;
    }
    match says {
        Says::Approved => {
            charge.taken += 1;
            became(setup, charge, Status::Approved);
        }
        Says::Declined if charge.status == Status::None => became(setup, charge, Status::Declined),
        Says::Pending if charge.status == Status::None => charge.status = Status::Pending,
        Says::Declined | Says::Pending | Says::NotProcessed | Says::NeverReceived => {}
    }
}

/// Requests on their way to a gateway that knows their key, and has acted on it, do nothing any more. They are taken out
/// of the model, which makes it a tenth of the size.
pub fn without_idle_strays(setup: &Setup, charge: &mut Charge) {
    if setup.gateway.keys && !setup.gateway.forgets_keys && charge.status != Status::None {
        charge.stray = 0;
    }
}

/// It decides about what it accepted, or calls a decline off.
pub fn decides(setup: &Setup, world: &mut World, number: usize, says: Says) {
    let charge = &mut world.charges[number];
    match (charge.status, says) {
        (Status::Declined, _) => {
            charge.reopened = true;
            became(setup, charge, Status::Approved);
        }
        (_, Says::Approved) => {
            charge.taken += 1;
            became(setup, charge, Status::Approved);
        }
        _ => became(setup, charge, Status::Declined),
    }
}

fn became(setup: &Setup, charge: &mut Charge, status: Status) {
    charge.status = status;
    if setup.gateway.webhooks {
        let [approved, declined] = &mut charge.news;
        *(if status == Status::Approved { approved } else { declined }) = setup.deliveries;
    }
}

/// A webhook is stored. One that was stored and applied before may come again: the gate must bear it.
pub fn tells(world: &mut World, number: usize, says: Says) {
    let [approved, declined] = &mut world.charges[number].news;
    *(if says == Says::Approved { approved } else { declined }) -= 1;
    if let Some(attempt) = &mut world.attempts[number] {
        match says {
            Says::Approved => attempt.evidence.approved = true,
            _ => attempt.evidence.declined = true,
        }
    }
}

/// A webhook is lost for good.
pub fn tells_nobody(world: &mut World, number: usize, says: Says) {
    let charge = &mut world.charges[number];
    let [approved, declined] = &mut charge.news;
    if says == Says::Approved {
        *approved = 0;
        charge.lost = charge.reopened;
    } else {
        *declined = 0;
    }
}

/// Whether a resend would be a second charge: for the mutants that allow it.
#[must_use]
pub fn resend_is_offered(setup: &Setup) -> bool {
    setup.gateway.keys || setup.breaks(Mutant::ResendWithoutKeys)
}
