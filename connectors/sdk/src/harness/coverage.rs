//! What is declared, and what no cassette shows: nobody has looked at that.

use std::collections::BTreeSet;

use super::amounts::{asked, currencies};
use super::cassette::Cassette;
use super::finding::{Finding, Rule};
use super::made_up::{kind_name, method_name};
use crate::money::exponent;
use crate::types::{Action, Descriptor, OperationKind, Resolution};

/// Warnings for whatever the descriptor declares and the cassettes leave out.
pub fn check<'a>(descriptor: &Descriptor, cassettes: impl Iterator<Item = &'a Cassette>) -> Vec<Finding> {
    let mut shown = Shown::default();
    let count = cassettes.map(|cassette| shown.add(cassette)).count();
    if count == 0 {
        let says = "it has no cassettes: all that is known is that it does not trap, and makes no money of garbage";
        let hint = "put cassettes into the folder `cassettes` beside its source (`interlock connector record` writes \
                    them, docs/connector-tools.md has their form), and build it again";
        return vec![Finding::warning(Rule::Coverage, says).hint(hint)];
    }
    let missing = |what: &str, name: &str| {
        Finding::warning(Rule::Coverage, format!("no cassette shows {what} `{name}`, which is declared")).field(name)
    };
    let kinds = descriptor.operations.iter().map(|rules| kind_name(rules.kind));
    let mut findings: Vec<_> =
        kinds.filter(|kind| !shown.kinds.contains(kind)).map(|kind| missing("the operation", kind)).collect();
    let methods = descriptor.methods.iter().filter(|method| !shown.methods.contains(*method));
    findings.extend(methods.map(|method| missing("the method", method)));
    let decimals = currencies(descriptor).filter_map(|code| Some((code, exponent(code)?)));
    findings.extend(decimals.filter(|(_, decimals)| !shown.decimals.contains(decimals)).map(|(code, decimals)| {
        let says = format!("no cassette shows a currency with {decimals} decimals, as {code}, which it takes");
        Finding::warning(Rule::Coverage, says)
    }));
    let awaits = descriptor.operations.iter().any(|rules| rules.resolutions.contains(&Resolution::AwaitWebhook));
    if awaits && !shown.webhook {
        findings.push(Finding::warning(Rule::Coverage, "no cassette shows a webhook, and operations await one"));
    }
    findings
}

/// What cassettes show.
#[derive(Default)]
struct Shown {
    kinds: BTreeSet<&'static str>,
    methods: BTreeSet<String>,
    decimals: BTreeSet<u32>,
    webhook: bool,
}

impl Shown {
    fn add(&mut self, cassette: &Cassette) {
        match cassette {
            Cassette::Operation(performed) => {
                let action = &performed.operation.action;
                self.kinds.insert(kind_name(kind_of(action)));
                self.decimals.extend(asked(action).and_then(|amount| exponent(&amount.currency)));
                if let Action::Authorize(authorize) = action {
                    self.methods.insert(method_name(&authorize.method));
                }
            }
            Cassette::Webhook(_) => self.webhook = true,
            Cassette::Settlement(_) | Cassette::Session(_) => {}
        }
    }
}

/// Which kind of operation asks for it.
pub fn kind_of(action: &Action) -> OperationKind {
    match action {
        Action::Authorize(_) => OperationKind::Authorize,
        Action::Complete(_) => OperationKind::Complete,
        Action::Capture(_) => OperationKind::Capture,
        Action::Cancel(_) => OperationKind::Cancel,
        Action::Refund(_) => OperationKind::Refund,
        Action::Sync(_) => OperationKind::Sync,
    }
}
