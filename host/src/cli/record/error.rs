//! Why nothing was recorded, and what to do about it.

use crate::{
    cli::failure::Kind,
    connector::RunError,
    wire::{NotSentReason, Refused},
};

/// Why there is no cassette, or none that passes.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("nothing was sent ({}): {detail}; {}", <&str>::from(*reason), advice(*reason))]
    NotSent { reason: NotSentReason, detail: String },
    /// The connector wants to send what it may not.
    #[error("the connector's request was refused: {refused}; {}", mending(refused))]
    Refused { refused: Refused },
    #[error("the connector's run ended badly: {error}; {BROKEN}")]
    Broken { error: RunError },
    /// The operation needs a session, and there is none: nothing of it was sent.
    #[error("no session could be opened: {why}; {SESSION}")]
    NoSession { why: String },
    /// Something was sent, and no complete reply came.
    #[error("it is not known what the gateway did: {detail}; {UNKNOWN}")]
    Unknown { detail: String },
    /// A reply has a value in it that was filled in.
    #[error("no cassette was written: the value of {hole} would stand in it; {LEAK}")]
    Leaks { hole: String },
    #[error("the reply to exchange {position} is no text, and a cassette is")]
    NoText { position: usize },
    /// What was written is not what happens.
    #[error("{path} was written and does not pass:\n{finding}")]
    DoesNotPass { path: String, finding: String },
}

const BROKEN: &str = "`interlock connector check` tries it out and says more";
const UNKNOWN: &str = "no cassette was written. Look at the gateway what became of it before you record it again";
const SESSION: &str = "are the account's secrets those of this gateway?";
const LEAK: &str = "the gateway, or a setting, repeats it in a form that cannot be taken out. Use another test value";
const PRIVATE: &str = "--allow-private lets requests go to this machine and to inner networks, for gateways that are \
                       stubs; of ports below 1024 only 443 is one";

impl RecordError {
    /// Which exit code it has.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotSent { .. } | Self::NoSession { .. } | Self::NoText { .. } => Kind::Failed,
            Self::Refused { .. } | Self::Broken { .. } | Self::Leaks { .. } | Self::DoesNotPass { .. } => Kind::Refused,
            Self::Unknown { .. } => Kind::Unknown,
        }
    }

    /// As programs know it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSent { reason, .. } => reason.into(),
            Self::Refused { .. } => "request_refused",
            Self::Broken { .. } => "run_broken",
            Self::NoSession { .. } => "no_session",
            Self::Unknown { .. } => "outcome_unknown",
            Self::Leaks { .. } => "secret_in_cassette",
            Self::NoText { .. } => "reply_is_no_text",
            Self::DoesNotPass { .. } => "does_not_pass",
        }
    }

    /// What to do about it; none where that is not known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotSent { reason, .. } => Some(advice(*reason)),
            Self::Refused { refused } => Some(mending(refused)),
            Self::Broken { .. } => Some(BROKEN),
            Self::NoSession { .. } => Some(SESSION),
            Self::Unknown { .. } => Some(UNKNOWN),
            Self::Leaks { .. } => Some(LEAK),
            Self::NoText { .. } | Self::DoesNotPass { .. } => None,
        }
    }
}

fn advice(reason: NotSentReason) -> &'static str {
    match reason {
        NotSentReason::Dns => "is the name in the settings right, and can it be looked up from here?",
        NotSentReason::AddressForbidden => PRIVATE,
        NotSentReason::Connect | NotSentReason::ConnectionLost => {
            "does the gateway run, and can it be reached from here?"
        }
        NotSentReason::Tls => "its certificate must be one of an authority that this system trusts",
        NotSentReason::TimedOut => "no connection within the time; --timeout gives it more",
        NotSentReason::BreakerOpen | NotSentReason::PoolFull | NotSentReason::LeaseTooShort => "try again",
    }
}

fn mending(refused: &Refused) -> &'static str {
    match refused {
        Refused::Url { .. } => PRIVATE,
        Refused::Origin { .. } => "the descriptor's `origins` must name it",
        Refused::Misplaced { .. } => "the descriptor's `placements` must say that it may stand there",
        Refused::NoValue { .. } => "give it with --secret, --card or --token",
        Refused::Header { .. }
        | Refused::Body { .. }
        | Refused::Json(_)
        | Refused::Computed { .. }
        | Refused::ValueUnfit { .. }
        | Refused::TooLarge { .. } => BROKEN,
    }
}
