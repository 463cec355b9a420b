//! One state of everything: what is written in Postgres, what the gateways did, what hosts have in hand.

use interlock::domain::payment::State;

use crate::setup::{ATTEMPTS_MAX, CLIENTS, HOSTS_MAX};

/// One state of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub payment: Payment,
    pub keys: [Key; CLIENTS],
    /// What we wrote, by attempt.
    pub attempts: [Option<Attempt>; ATTEMPTS_MAX],
    /// What the gateways did, by attempt.
    pub charges: [Charge; ATTEMPTS_MAX],
    /// What hosts have in hand. In order, because no host is like no other: which one does it makes no difference.
    pub tasks: [Task; HOSTS_MAX],
    /// How often each client's request may still arrive.
    pub requests: [u8; CLIENTS],
    /// How many hosts may still die.
    pub crashes: u8,
    /// The final answer that each key's clients were given.
    pub said: [Option<State>; CLIENTS],
    /// What must never happen, and did.
    pub wrong: Option<Wrong>,
}

/// What must never happen and does not show in what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// Two final answers under one key differ.
    AnswersDiffer,
    /// A task wrote for an operation that another one owns.
    StaleWrite,
}

/// The row in `payments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Payment {
    pub state: State,
    /// The attempt under way.
    pub open: Option<usize>,
    pub won: Option<usize>,
    /// A review is open.
    pub reviewed: bool,
}

/// The row in `idempotency_keys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Free,
    Claimed,
    /// The stored answer shows the payment in this state.
    Answered(State),
}

/// An attempt with its one operation and the exchange of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The key whose answer it makes.
    pub key: usize,
    /// At which account.
    pub account: u8,
    pub verdict: Verdict,
    /// The row in `work`; none where it is resolved.
    pub work: Option<Work>,
    /// Kept and not applied yet: a webhook in the inbox, or a reply that came after its lease.
    pub evidence: Evidence,
    /// The gateway's window for keys, less the margin, is over.
    pub window_over: bool,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Open,
    Won,
    /// Declined, or proved to have done nothing.
    Failed,
    /// It took money although another attempt won or was under way.
    Surplus,
    /// A person decides.
    Review,
}

/// What is under way, and who owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Work {
    pub job: Job,
    /// The lease is over, or the pause until the next question.
    pub due: bool,
    /// Somebody claimed it and has not let go: it lives, or died, or sleeps.
    pub owned: bool,
    /// Questions asked.
    pub checks: u8,
    /// How often the gateway said that it never received it.
    pub never_received: u8,
    pub unknown: Unknown,
}

/// Why somebody must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// A host drives it.
    Drive,
    /// Its outcome is unknown.
    Resolve,
    /// The gateway has accepted it.
    Poll,
    /// A person decides.
    Person,
}

/// Since when it can no longer be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unknown {
    No,
    /// Not long enough for the gateway to have settled.
    Lately,
    Settled,
}

/// News of an attempt that wait to be applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Evidence {
    pub approved: bool,
    pub declined: bool,
    /// A late reply that says that nothing happened. It is kept and not applied: see [`crate::gate`].
    pub nothing: bool,
}

/// What the gateway has for one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Charge {
    pub status: Status,
    /// How often money was taken.
    pub taken: u8,
    /// It had declined, and took the money later.
    pub reopened: bool,
    /// It has forgotten the key.
    pub forgot: bool,
    /// Requests on their way whose sender does not wait any more.
    pub stray: u8,
    /// Deliveries to come of a webhook that says approved, and of one that says declined.
    pub news: [u8; 2],
    /// A webhook about a success was lost, and no other one will come.
    pub lost: bool,
}

/// What a gateway says of a charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    #[default]
    None,
    Pending,
    Approved,
    Declined,
}

/// What a host has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// A request whose key is free, as far as was read.
    Asked {
        client: usize,
    },
    /// A request for a payment that may be tried. `current`: the payment has not changed since it was read.
    Ready {
        client: usize,
        current: bool,
    },
    /// An operation that it owns, or owned.
    Driving(Driving),
    Idle,
    /// There is no such host.
    Absent,
}

/// An operation in a host's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Driving {
    pub attempt: usize,
    pub errand: Errand,
    pub stage: Stage,
    /// Its fence is still the current one.
    pub held: bool,
    /// When it claimed it the gateway had settled.
    pub settled: bool,
}

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Errand {
    /// The first sending, by the host that began it.
    Drive,
    /// The host that drove it is gone.
    TakeOver,
    /// The same bytes under the same key.
    Resend,
    /// A question that only reads.
    Ask,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Written down, not a byte sent.
    ToSend,
    OnTheWire,
    /// The gateway's reply is there, or this much is known without one. What follows is to be written.
    Knows(What),
}

/// What is known of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Says(Says),
    /// Not a byte was sent.
    NotSent,
    Unknown,
}

/// A gateway's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Says {
    Approved,
    Declined,
    Pending,
    NotProcessed,
    NeverReceived,
}

impl World {
    /// Forgets what other tasks know about the payment: it has changed.
    pub fn payment_changed(&mut self) {
        for task in &mut self.tasks {
            if let Task::Ready { current, .. } = task {
                *current = false;
            }
        }
    }

    /// A new fence for the attempt: nobody holds its lease any more.
    pub fn fence(&mut self, of: usize) {
        for task in &mut self.tasks {
            if let Task::Driving(driving) = task
                && driving.attempt == of
            {
                driving.held = false;
            }
        }
    }

    /// The written attempt.
    ///
    /// # Panics
    /// Where it was not written down.
    #[must_use]
    pub fn attempt(&mut self, number: usize) -> &mut Attempt {
        self.attempts[number].as_mut().expect("what is driven was written down")
    }

    /// What a final answer does to what the key's clients know.
    pub fn say(&mut self, key: usize, state: State) {
        if *self.said[key].get_or_insert(state) != state {
            self.wrong = Some(Wrong::AnswersDiffer);
        }
    }

    /// Operations in hosts' hands.
    pub fn driving(&self) -> impl Iterator<Item = &Driving> {
        self.tasks.iter().filter_map(|task| match task {
            Task::Driving(driving) => Some(driving),
            Task::Idle | Task::Absent | Task::Asked { .. } | Task::Ready { .. } => None,
        })
    }
}
