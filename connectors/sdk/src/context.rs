//! What a call is given besides its operation: settings, references, time.

use crate::types::{Context, Failure, Operation, Pairs};

impl Context {
    /// The value of a public setting; none where the account leaves it open and the descriptor has no default.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        find(&self.settings, name)
    }

    /// The value of a setting that the descriptor declares as required.
    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.setting(name).ok_or_else(|| Failure::new(["the account has no setting ", name].concat()))
    }

    /// The setting `name`, a base URL, followed by `path` (which begins with a slash), with one slash in between.
    pub fn url(&self, name: &str, path: &str) -> Result<String, Failure> {
        Ok([self.required(name)?.trim_end_matches('/'), path].concat())
    }

    /// Whether the Unix time `seconds` lies no further from the moment of the call than `tolerance_seconds`, in
    /// either direction: how old a webhook may be, and how far the clocks may differ.
    #[must_use]
    pub fn is_recent(&self, seconds: u64, tolerance_seconds: u64) -> bool {
        (self.now / 1000).abs_diff(seconds) <= tolerance_seconds
    }
}

impl Operation {
    /// A reference that an earlier outcome of the attempt returned, by the connector's own name for it.
    #[must_use]
    pub fn reference(&self, name: &str) -> Option<&str> {
        find(&self.references, name)
    }

    /// As [`Operation::reference`], where the operation makes no sense without it.
    pub fn required_reference(&self, name: &str) -> Result<&str, Failure> {
        self.reference(name).ok_or_else(|| Failure::new(["no earlier outcome gave the reference ", name].concat()))
    }
}

/// The last value of that name: later outcomes are merged after earlier ones.
fn find<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(base_url: &str) -> Context {
        let settings = vec![("base_url".to_owned(), base_url.to_owned())];
        Context { settings, now: 1_000_000_999, nonce: Vec::new() }
    }

    #[test]
    fn a_base_url_may_end_in_a_slash() {
        for base in ["https://x/v1", "https://x/v1/", "https://x/v1//"] {
            assert_eq!(context(base).url("base_url", "/charges").unwrap(), "https://x/v1/charges");
        }
        assert_eq!(context("").url("other", "/").unwrap_err().message, "the account has no setting other");
    }

    #[test]
    fn time_is_compared_in_both_directions() {
        let ctx = context("");
        for (seconds, recent) in [(999_700, true), (999_699, false), (1_000_300, true), (1_000_301, false)] {
            assert_eq!(ctx.is_recent(seconds, 300), recent, "{seconds}");
        }
        assert!(!ctx.is_recent(u64::MAX, 300));
    }
}
