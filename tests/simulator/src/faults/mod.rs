//! What goes wrong, and when: rules for single calls, and chance with a seed.

mod fault;
mod rules;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use fault::{Fault, When};
pub use rules::{Rule, Seen};

/// What is to go wrong with one call.
#[derive(Default, Clone)]
pub struct Plan {
    /// To wait before anything is done, in milliseconds.
    pub before_ms: u64,
    /// To wait between the deed and the answer, in milliseconds.
    pub after_ms: u64,
    pub fault: Option<Fault>,
}

/// Faults by chance. Each call draws once; the probabilities stand side by side on one line, so they may add up to 1.
#[derive(Deserialize, Serialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Fault by name, probability from 0 to 1.
    pub probability: BTreeMap<String, f64>,
    /// What the faults need to know (`{"delay":{"ms":200}}`), where the defaults do not do.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// Only calls of these methods; all where empty.
    #[serde(default)]
    pub methods: Vec<String>,
}

/// All faults that are set.
pub struct Faults {
    /// Whether there is anything to look up: most calls of a load test meet no fault and shall not pay for one.
    active: AtomicBool,
    set: Mutex<Set>,
}

struct Set {
    rules: Vec<Rule>,
    random: Option<Random>,
    /// `random`, ready to draw from: where each fault's stretch of the line from 0 to 1 ends.
    line: Vec<(f64, Fault)>,
    chance: fastrand::Rng,
}

/// What `GET /__faults` shows.
#[derive(Serialize)]
pub struct View {
    rules: Vec<Rule>,
    random: Option<Random>,
}

impl Faults {
    /// No faults yet. The same seed and the same order of calls draw the same faults.
    pub fn new(seed: u64) -> Self {
        let chance = fastrand::Rng::with_seed(seed);
        Self {
            active: AtomicBool::new(false),
            set: Mutex::new(Set { rules: Vec::new(), random: None, line: Vec::new(), chance }),
        }
    }

    /// Whether any call can meet a fault.
    pub fn active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Adds rules behind those that are set, and replaces the faults by chance where new ones are given.
    ///
    /// # Errors
    /// A sentence, where a name or a parameter is not known. Nothing was changed then.
    pub fn add(&self, rules: Vec<Rule>, random: Option<Random>) -> Result<(), String> {
        let line = random.as_ref().map(Random::line).transpose()?;
        let mut set = self.set();
        set.rules.extend(rules);
        if let Some(line) = line {
            set.line = line;
            set.random = random;
        }
        let active = !set.rules.is_empty() || !set.line.is_empty();
        self.active.store(active, Ordering::Release);
        Ok(())
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        let mut set = self.set();
        set.rules.clear();
        set.random = None;
        set.line.clear();
        self.active.store(false, Ordering::Release);
    }

    /// What is set, and how often each rule was met.
    pub fn view(&self) -> View {
        let set = self.set();
        View { rules: set.rules.clone(), random: set.random.clone() }
    }

    /// What goes wrong with this call. Delays of all rules that match add up; of the other faults the first one counts.
    pub fn choose(&self, seen: &Seen) -> Plan {
        let mut set = self.set();
        let mut plan = Plan::default();
        for rule in &mut set.rules {
            // A rule behind one that has fired is still asked when it is a delay, and else not even counted.
            if plan.fault.is_some() && !matches!(rule.fault, Fault::Delay { .. }) {
                continue;
            }
            if rule.fires(seen) {
                plan.join(&rule.fault);
            }
        }
        let covered = set.random.as_ref().is_some_and(|random| {
            random.methods.is_empty() || random.methods.iter().any(|method| method.eq_ignore_ascii_case(seen.method))
        });
        if covered {
            let drawn = set.chance.f64();
            if let Some((_, fault)) = set.line.iter().find(|(end, _)| drawn < *end)
                && plan.fault.is_none()
            {
                plan.join(&fault.clone());
            }
        }
        plan
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn join(&mut self, fault: &Fault) {
        match fault {
            Fault::Delay { ms, when: When::Before } => self.before_ms += ms,
            Fault::Delay { ms, when: When::After } => self.after_ms += ms,
            other => self.fault = Some(other.clone()),
        }
    }
}

impl Random {
    #[expect(clippy::float_arithmetic, reason = "probabilities are not money")]
    fn line(&self) -> Result<Vec<(f64, Fault)>, String> {
        let mut end = 0.0;
        let mut line = Vec::with_capacity(self.probability.len());
        for (name, probability) in &self.probability {
            if !(0.0..=1.0).contains(probability) {
                return Err(format!("the probability of {name} must be between 0 and 1"));
            }
            let parameters =
                self.parameters.get(name).cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            end += probability;
            line.push((end, Fault::named(name, parameters)?));
        }
        if let Some(stray) = self.parameters.keys().find(|name| !self.probability.contains_key(*name)) {
            return Err(format!("{stray} has parameters and no probability"));
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<bool> {
        let faults = Faults::new(seed);
        let random = serde_json::from_str(r#"{"probability":{"drop_before":0.25,"delay":0.25}}"#);
        faults.add(Vec::new(), Some(random.expect("valid"))).expect("known names");
        let call = Seen { method: "POST", path: "/charges", reference: None, amount: None, owner: 0 };
        (0..200).map(|_| faults.choose(&call).fault.is_some()).collect()
    }

    #[test]
    fn chance_repeats_for_the_same_seed_and_only_then() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let dropped = drawn(1).into_iter().filter(|fault| *fault).count();
        assert!((30..=70).contains(&dropped), "about a quarter of 200, not {dropped}");
    }

    #[test]
    fn an_unknown_fault_or_a_stray_parameter_is_refused() {
        let faults = Faults::new(1);
        for text in [
            r#"{"probability":{"explode":0.5}}"#,
            r#"{"probability":{"delay":1.5}}"#,
            r#"{"probability":{"delay":0.5},"parameters":{"garbage":{}}}"#,
            r#"{"probability":{"delay":0.5},"parameters":{"delay":{"seconds":1}}}"#,
        ] {
            let random = serde_json::from_str(text).expect("valid");
            assert!(faults.add(Vec::new(), Some(random)).is_err(), "{text}");
        }
        assert!(!faults.active());
    }
}
