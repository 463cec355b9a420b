//! Which call meets which fault.

use serde::{Deserialize, Serialize};

use super::Fault;

/// What a rule looks at.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub reference: Option<&'a str>,
    /// The amount that the call names; for one that names none, that of the charge or refund it is about.
    pub amount: Option<i64>,
    /// Hash of the caller's API key.
    pub owner: u64,
}

/// One rule: which calls, how often, what happens to them.
#[derive(Deserialize, Serialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(default, rename = "match")]
    pub matches: Matcher,
    /// How often; without a number every time, or once where `match.nth` picks a call.
    #[serde(default)]
    pub times: Option<u64>,
    #[serde(deserialize_with = "Fault::read")]
    pub fault: Fault,
    /// How many calls matched so far.
    #[serde(default, skip_deserializing)]
    matched: u64,
    /// How many of them met the fault.
    #[serde(default, skip_deserializing)]
    fired: u64,
}

/// All that is given must be so.
#[derive(Deserialize, Serialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    /// The caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    /// Begins with this one of the calls that match otherwise, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<u64>,
}

impl Rule {
    /// Whether this call meets the fault. Counts it where it matches.
    pub fn fires(&mut self, seen: &Seen) -> bool {
        if !self.matches.covers(seen) {
            return false;
        }
        self.matched += 1;
        let times = self.times.unwrap_or(if self.matches.nth.is_some() { 1 } else { u64::MAX });
        let fires = self.matched >= self.matches.nth.unwrap_or(1) && self.fired < times;
        self.fired += u64::from(fires);
        fires
    }
}

impl Matcher {
    fn covers(&self, seen: &Seen) -> bool {
        self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(seen.method))
            && self.path_prefix.as_ref().is_none_or(|prefix| seen.path.starts_with(prefix.as_str()))
            && self.reference.as_ref().is_none_or(|reference| seen.reference == Some(reference.as_str()))
            && self.api_key.as_ref().is_none_or(|key| seen.owner == crate::hash(key))
            && self.amount.is_none_or(|amount| seen.amount == Some(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Seen = Seen { method: "POST", path: "/charges", reference: Some("op_1"), amount: Some(100), owner: 7 };

    fn fired(rule: &str, calls: usize) -> Vec<bool> {
        let mut rule: Rule = serde_json::from_str(rule).expect("a rule");
        (0..calls).map(|_| rule.fires(&CALL)).collect()
    }

    #[test]
    fn times_and_nth_choose_among_the_calls_that_match() {
        assert_eq!(fired(r#"{"fault":"garbage"}"#, 3), [true, true, true]);
        assert_eq!(fired(r#"{"fault":"garbage","times":2}"#, 3), [true, true, false]);
        assert_eq!(fired(r#"{"fault":"garbage","match":{"nth":2}}"#, 3), [false, true, false]);
        assert_eq!(fired(r#"{"fault":"garbage","match":{"nth":2},"times":2}"#, 4), [false, true, true, false]);
    }

    #[test]
    fn everything_that_is_given_must_match() {
        assert_eq!(fired(r#"{"fault":"garbage","match":{"method":"post","amount":100}}"#, 1), [true]);
        assert_eq!(fired(r#"{"fault":"garbage","match":{"path_prefix":"/charges","reference":"op_2"}}"#, 1), [false]);
        assert_eq!(fired(r#"{"fault":"garbage","match":{"method":"GET"}}"#, 1), [false]);
        assert_eq!(fired(r#"{"fault":"garbage","match":{"api_key":"another"}}"#, 1), [false]);
        assert_eq!(fired(r#"{"fault":"garbage","match":{"amount":101}}"#, 1), [false]);
    }
}
