//! What became of a request: the answers of [`super::Wire::send`].

use super::connection::{ConnectFault, ExchangeFault};
use super::refused::Refused;
use super::resolve::ResolveError;
use crate::connector::types::Response;

/// What became of one request. `payments.md` says what each means for the operation.
#[derive(Debug)]
pub enum Sent {
    /// A complete reply, whatever its status, scrubbed.
    Replied(Response),
    /// Not one byte of the request was given to the network, and none will be.
    NotSent { reason: NotSentReason, detail: String },
    /// At least one byte was, and no complete reply came: the gateway may or may not have acted.
    Unknown {
        reason: UnknownReason,
        detail: String,
        /// Given to the kernel, TLS included; whether they arrived is not known.
        bytes_written: u64,
    },
    /// The request breaks a rule; nothing was sent, and sending it again changes nothing.
    Refused(Refused),
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum NotSentReason {
    BreakerOpen,
    PoolFull,
    /// The name could not be resolved.
    Dns,
    /// It leads to an address or port that may not be reached.
    AddressForbidden,
    Connect,
    Tls,
    /// The time was over before the first byte.
    TimedOut,
    LeaseTooShort,
    /// The connection ended before the first byte.
    ConnectionLost,
}

/// Why it is not known what the gateway did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum UnknownReason {
    TimedOut,
    ConnectionLost,
    /// The reply began, and broke off.
    Truncated,
    ReplyTooLarge,
    /// What came back is no HTTP, or not a final reply.
    Garbage,
    /// Compressed although that was not offered: it cannot be scrubbed, so nobody may see it.
    Compressed,
}

impl Sent {
    /// A word for metrics and logs.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match self {
            Self::Replied(_) => "replied",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown { .. } => "unknown",
            Self::Refused(_) => "refused",
        }
    }

    /// A second word: why.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Replied(_) => "",
            Self::NotSent { reason, .. } => reason.into(),
            Self::Unknown { reason, .. } => reason.into(),
            Self::Refused(refused) => refused.code(),
        }
    }

    /// What an exchange's fault means, where `written` bytes had been given to the kernel.
    pub(super) fn of_fault(fault: &ExchangeFault, written: u64) -> Self {
        let detail = chain(fault);
        if written == 0 {
            let reason = match fault {
                ExchangeFault::LeaseTooShort => NotSentReason::LeaseTooShort,
                _ => NotSentReason::ConnectionLost,
            };
            return Self::NotSent { reason, detail };
        }
        let reason = match fault {
            // Asked for only while nothing is written.
            ExchangeFault::LeaseTooShort | ExchangeFault::Lost(_) | ExchangeFault::Closed => {
                UnknownReason::ConnectionLost
            }
            ExchangeFault::Truncated(_) => UnknownReason::Truncated,
            ExchangeFault::Garbage(_) | ExchangeFault::NotFinal => UnknownReason::Garbage,
            ExchangeFault::Compressed => UnknownReason::Compressed,
            ExchangeFault::HeadTooLarge { .. } | ExchangeFault::BodyTooLarge { .. } => UnknownReason::ReplyTooLarge,
        };
        Self::Unknown { reason, detail, bytes_written: written }
    }

    pub(super) fn timed_out(written: u64, timeout: std::time::Duration) -> Self {
        let detail = format!("the exchange was not over after {} ms", timeout.as_millis());
        if written == 0 {
            Self::NotSent { reason: NotSentReason::TimedOut, detail }
        } else {
            Self::Unknown { reason: UnknownReason::TimedOut, detail, bytes_written: written }
        }
    }
}

/// Why there is no connection, as an answer.
pub(super) fn not_resolved(fault: &ResolveError) -> Sent {
    let reason = match fault {
        ResolveError::LookUp { .. } | ResolveError::TimedOut { .. } | ResolveError::NoAddress { .. } => {
            NotSentReason::Dns
        }
        ResolveError::Private { .. } | ResolveError::Port { .. } => NotSentReason::AddressForbidden,
    };
    Sent::NotSent { reason, detail: chain(fault) }
}

/// As [`not_resolved`].
pub(super) fn not_connected(fault: &ConnectFault) -> Sent {
    let reason = match fault {
        ConnectFault::Tcp { .. } | ConnectFault::Http(_) => NotSentReason::Connect,
        ConnectFault::Tls { .. } => NotSentReason::Tls,
        ConnectFault::NoAddress { .. } => NotSentReason::Dns,
    };
    Sent::NotSent { reason, detail: chain(fault) }
}

/// An error with all its causes, on one line.
pub(super) fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        text.push_str(": ");
        text.push_str(&fault.to_string());
        cause = fault.source();
    }
    text
}
