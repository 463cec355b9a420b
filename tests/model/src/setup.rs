//! What is checked: which gateway, which clients, how much may go wrong, and which rule is broken on purpose.

/// Attempts that a payment may have in the model; the host's own limit is higher, and of the same kind.
pub const ATTEMPTS_MAX: usize = 3;
/// Hosts at most.
pub const HOSTS_MAX: usize = 3;
/// Clients, and keys at most.
pub const CLIENTS: usize = 2;

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What the gateways can do; both accounts are at gateways of this kind.
    pub gateway: Gateway,
    /// Gateway accounts that may take the payment: with two, what was not sent or advises it fails over.
    pub accounts: u8,
    pub keys: Keys,
    /// Attempts at most.
    pub attempts: usize,
    /// Hosts, each with one task in hand: a request, or what its worker has taken.
    pub hosts: usize,
    /// How often each client's request arrives: once, and again because the answer was lost or the network doubles it.
    pub requests: [u8; CLIENTS],
    /// Hosts that may die while they drive something.
    pub crashes: u8,
    /// Questions about an unknown outcome, before a person must look.
    pub checks: usize,
    /// How often a webhook is delivered.
    pub deliveries: u8,
    pub mutant: Option<Mutant>,
}

/// What a gateway can do.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an ability of its own")]
pub struct Gateway {
    /// It knows idempotency keys: the same request under the same key acts once.
    pub keys: bool,
    /// The time in which it knows them may end while something is still open.
    pub forgets_keys: bool,
    /// It can be asked by our operation's id.
    pub lookup: bool,
    /// It tells what happened by webhooks.
    pub webhooks: bool,
    /// It may accept first and decide later.
    pub decides_later: bool,
    /// It may say that it did not process a request.
    pub refuses: bool,
    /// A charge that it declined may go through later.
    pub reopens: bool,
}

/// What the clients have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Both repeat one request.
    Same,
    /// Two requests for the same payment: they race, or the second is the new attempt after a failure.
    Different,
}

/// A rule that the hosts break, to show that the checker would see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Sends although its lease may be over.
    SkipLeaseCheck,
    /// Sends again to a gateway that knows no keys.
    ResendWithoutKeys,
    /// Sends again after the gateway may have forgotten the key.
    ResendPastTheWindow,
    /// Fails what is still unknown when the schedule is used up.
    FailUnknownByTime,
    /// Writes without comparing the fence.
    NoFence,
    /// Begins an attempt without comparing the payment's version.
    NoVersion,
    /// Sends before it has written down what it sends.
    SendBeforeWriting,
    /// Takes the first "never received" for proof.
    NeverReceivedOnce,
    /// Takes a second "never received" for proof before the gateway has settled.
    NeverReceivedUnsettled,
    /// Counts "never received" answers that are older than a resend whose host died.
    TrustDeadResender,
    /// Applies late replies that say that nothing happened.
    BelieveLateNothing,
    /// Fails over while the outcome is unknown.
    FailOverUnknown,
    /// Begins without looking whether the key was used.
    ForgetKeys,
    /// Drops a success that comes after another attempt won.
    IgnoreSurplus,
    /// Answers a repeat with the payment as it is, instead of the stored answer.
    AnswerAnew,
}

impl Gateway {
    /// Knows nothing and tells nothing: only a person finds out.
    pub const MUTE: Self = Self {
        keys: false,
        forgets_keys: false,
        lookup: false,
        webhooks: false,
        decides_later: false,
        refuses: false,
        reopens: false,
    };
}

impl Setup {
    /// One account, two clients that repeat one request, three hosts of which one dies, two questions.
    #[must_use]
    pub fn of(gateway: Gateway) -> Self {
        Self {
            gateway,
            accounts: 1,
            keys: Keys::Same,
            attempts: 1,
            hosts: HOSTS_MAX,
            requests: [1, 1],
            crashes: 1,
            checks: 2,
            deliveries: 2,
            mutant: None,
        }
    }

    /// Two requests under keys of their own, so that there may be a second attempt.
    #[must_use]
    pub fn two_keys(self) -> Self {
        Self { keys: Keys::Different, attempts: 2, ..self }
    }

    /// With a rule broken.
    #[must_use]
    pub fn with(self, mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..self }
    }

    /// Whether this rule is broken.
    #[must_use]
    pub fn breaks(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The key that a client uses.
    #[must_use]
    pub fn key_of(&self, client: usize) -> usize {
        match self.keys {
            Keys::Same => 0,
            Keys::Different => client,
        }
    }
}
