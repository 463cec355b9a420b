//! Shorter ways to say what came of an operation.

use crate::types::{Accepted, Approval, Decline, Money, Pairs};

/// What the host lets through of a network's code.
const NETWORK_CODE_MAX_BYTES: usize = 64;

impl Approval {
    /// An approval that says no more than what was done and how much: totals, further references and the like can be
    /// filled in with struct update syntax.
    pub fn of(gateway_reference: impl Into<String>, amount: Money) -> Self {
        Self {
            gateway_reference: gateway_reference.into(),
            amount,
            captured_total: None,
            refunded_total: None,
            references: Pairs::new(),
            network_reference: None,
            authorization_code: None,
            capture_before: None,
            extra: Pairs::new(),
        }
    }
}

impl Accepted {
    /// That the gateway has it under this reference, and what later operations are to know.
    pub fn of(gateway_reference: impl Into<String>, references: Pairs) -> Self {
        Self { gateway_reference: Some(gateway_reference.into()), references }
    }
}

impl Decline {
    /// The gateway's reference for what it declined.
    #[must_use]
    pub fn about(self, gateway_reference: impl Into<String>) -> Self {
        Self { gateway_reference: Some(gateway_reference.into()), ..self }
    }

    /// For how long the gateway may still turn it into a success, in seconds.
    #[must_use]
    pub fn reopenable_for(self, seconds: u32) -> Self {
        Self { reopenable_for_seconds: seconds, ..self }
    }

    /// The card network's or issuer's code behind the gateway's, if the gateway passes one on. What the contract has no
    /// room for (empty, longer than 64 bytes, not printable ASCII) is left out: a decline is worth more than its code.
    #[must_use]
    pub fn with_network_code(self, code: Option<&str>) -> Self {
        let fits = |code: &&str| {
            (1..=NETWORK_CODE_MAX_BYTES).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        };
        Self { network_code: code.filter(fits).map(str::to_owned), ..self }
    }

    /// What later operations of the attempt are to know.
    #[must_use]
    pub fn with_references(self, references: Pairs) -> Self {
        Self { references, ..self }
    }
}

/// References for an outcome, as an operation gets them back.
///
/// ```
/// let references = interlock_connector::references([("charge", "ch_1"), ("refund", "re_1")]);
/// assert_eq!(references[1], ("refund".to_owned(), "re_1".to_owned()));
/// ```
#[must_use]
pub fn references<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Pairs {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
