//! Why a request may not be sent as it stands. Each is a fault of the connector or of the account's settings, never of
//! the network: sending it again changes nothing.

use super::placement::JsonFault;

/// A request that breaks a rule. The texts are shown to operators: they carry names and places, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the URL is not acceptable: {why}")]
    Url { why: String },
    #[error("{origin} is not among the origins that this connector declares")]
    Origin { origin: String },
    #[error("the header {name:?} is not acceptable: {why}")]
    Header { name: String, why: &'static str },
    #[error("the body is not acceptable: {why}")]
    Body { why: &'static str },
    #[error("the places of the body's holes cannot be told")]
    Json(#[source] JsonFault),
    #[error("{hole} may not stand in {place}")]
    Misplaced { hole: String, place: String },
    #[error("the computed value {name:?} is not acceptable: {why}")]
    Computed { name: String, why: &'static str },
    #[error("there is no value for {hole}")]
    NoValue { hole: String },
    #[error("the value for {hole} cannot stand in {place}")]
    ValueUnfit { hole: String, place: String },
    #[error("the request's {what} is larger than {max} bytes")]
    TooLarge { what: &'static str, max: usize },
}

impl Refused {
    /// A word for metrics and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "url",
            Self::Origin { .. } => "origin",
            Self::Header { .. } => "header",
            Self::Body { .. } | Self::Json(_) => "body",
            Self::Misplaced { .. } => "misplaced_hole",
            Self::Computed { .. } => "computed",
            Self::NoValue { .. } => "no_value",
            Self::ValueUnfit { .. } => "value_unfit",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// Tells the operator, loudly where it is worth an alarm. For whoever refuses a request, once.
    pub fn tell(&self) {
        let reason = self.code();
        if self.is_alarming() {
            tracing::error!(reason, error = %self, alarm = true, "a connector tried to send what it may not");
        } else {
            tracing::warn!(reason, error = %self, "a connector's request was refused");
        }
    }

    /// Whether a connector tried to get a secret or a request out to where it may not go. Worth an alarm: a faulty
    /// connector does it once in its tests, a hostile one in production.
    #[must_use]
    pub fn is_alarming(&self) -> bool {
        match self {
            Self::Origin { .. } | Self::Misplaced { .. } | Self::Json(JsonFault::HoleInName | JsonFault::Forged) => {
                true
            }
            Self::Url { .. }
            | Self::Header { .. }
            | Self::Body { .. }
            | Self::Json(JsonFault::NotJson { .. })
            | Self::Computed { .. }
            | Self::NoValue { .. }
            | Self::ValueUnfit { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}
