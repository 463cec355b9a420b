//! The model as the checker sees it: where it begins, what may happen next, and what that does.

use interlock::domain::payment::State;
use stateright::{Model, Property};

use crate::{
    client, gate, gateway, host, properties,
    setup::{ATTEMPTS_MAX, Setup},
    worker,
    world::{Charge, Key, Payment, Says, Stage, Task, World},
};

/// Anything that may happen. Numbers are those of clients, tasks and attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A client's request arrives at a host, for the first time or once more.
    Arrives(usize),
    /// The host reads the payment.
    Reads(usize),
    /// Commit 1.
    Begins(usize),
    /// The lease is checked and the bytes are sent.
    Sends(usize),
    /// No connection, breaker open, pool full.
    CannotSend(usize),
    /// The lease is checked and a question is asked, which the gateway answers.
    Asks(usize, Says),
    /// The request reaches the gateway, which acts and replies.
    Reaches(usize, Says),
    /// The network delivers the request twice.
    Doubles(usize),
    /// The host waits no longer; its request may still be on its way.
    TimesOut(usize),
    /// Commit 2, or what remains of it where the lease was lost.
    Finishes(usize),
    /// The host dies.
    Dies(usize),
    /// A request whose sender is gone reaches the gateway after all.
    StrayReaches(usize, Says),
    StrayIsLost(usize),
    /// The gateway decides about what it has accepted, or decides anew about what it declined.
    Decides(usize, Says),
    /// It forgets the key.
    Forgets(usize),
    /// A webhook arrives and is stored.
    Tells(usize, Says),
    /// It never will.
    TellsNobody(usize, Says),
    /// The lease is over, or the pause until the next question.
    TimeComes(usize),
    /// Nothing of the attempt can be under way any more, and the gateway has settled.
    Settles(usize),
    /// The window in which a resend is allowed ends.
    WindowEnds(usize),
    /// The worker takes what is due.
    Claims(usize),
    /// The worker applies a webhook, or a reply that came late.
    Applies(usize, Says),
}

impl Model for Setup {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            payment: Payment { state: State::Created, open: None, won: None, reviewed: false },
            keys: [Key::Free; 2],
            attempts: [None; ATTEMPTS_MAX],
            charges: [Charge::default(); ATTEMPTS_MAX],
            tasks: std::array::from_fn(|number| if number < self.hosts { Task::Idle } else { Task::Absent }),
            requests: self.requests,
            crashes: self.crashes,
            said: [None; 2],
            wrong: None,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        client::steps(world, steps);
        for (number, task) in world.tasks.iter().enumerate() {
            // Equal tasks are one another's equals.
            if number > 0 && world.tasks[number - 1] == *task {
                continue;
            }
            match task {
                Task::Asked { .. } => steps.push(Step::Reads(number)),
                Task::Ready { .. } => steps.push(Step::Begins(number)),
                Task::Driving(driving) => {
                    host::steps(self, world, number, *driving, steps);
                    if driving.stage == Stage::OnTheWire {
                        gateway::steps_of_request(self, world, number, *driving, steps);
                    }
                }
                Task::Idle | Task::Absent => {}
            }
        }
        for attempt in 0..ATTEMPTS_MAX {
            gateway::steps(self, world, attempt, steps);
            worker::steps(self, world, attempt, steps);
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = *before;
        match step {
            Step::Arrives(client) => client::arrives(self, &mut world, client),
            Step::Reads(task) => client::reads(self, &mut world, task),
            Step::Begins(task) => client::begins(self, &mut world, task),
            Step::Sends(task) => host::sends(self, &mut world, task),
            Step::CannotSend(task) => host::cannot_send(&mut world, task),
            Step::Asks(task, says) => host::asks(self, &mut world, task, says),
            Step::Reaches(task, says) => gateway::reaches(self, &mut world, task, says),
            Step::Doubles(task) => gateway::doubles(&mut world, task),
            Step::TimesOut(task) => host::times_out(&mut world, task),
            Step::Finishes(task) => gate::finishes(self, &mut world, task),
            Step::Dies(task) => host::dies(&mut world, task),
            Step::StrayReaches(attempt, says) => gateway::stray_reaches(self, &mut world, attempt, says),
            Step::StrayIsLost(attempt) => world.charges[attempt].stray -= 1,
            Step::Decides(attempt, says) => gateway::decides(self, &mut world, attempt, says),
            Step::Forgets(attempt) => world.charges[attempt].forgot = true,
            Step::Tells(attempt, says) => gateway::tells(&mut world, attempt, says),
            Step::TellsNobody(attempt, says) => gateway::tells_nobody(&mut world, attempt, says),
            Step::TimeComes(attempt) => worker::time_comes(&mut world, attempt),
            Step::Settles(attempt) => worker::settles(&mut world, attempt),
            Step::WindowEnds(attempt) => world.attempt(attempt).window_over = true,
            Step::Claims(attempt) => worker::claims(self, &mut world, attempt),
            Step::Applies(attempt, says) => gate::applies(self, &mut world, attempt, says),
        }
        for charge in &mut world.charges {
            gateway::without_idle_strays(self, charge);
        }
        world.tasks.sort_unstable();
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self)
    }
}
