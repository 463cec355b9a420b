//! Operations that the kit makes up from the descriptor: every declared operation, method and number of decimals, so that
//! a component is tried out too whose author left no cassettes.

use std::collections::BTreeSet;

use super::finding::{Finding, Rule};
use super::replay::{EXCHANGES_MAX, rule_of, told, with_replies};
use super::spoil::{self, PERSONAL, Wrong};
use super::subject::{End, Subject, Verifier};
use super::{amounts, rules};
use crate::types::{
    Action, Authorize, Browser, Cancel, Capture, CaptureMethod, Card, Complete, Context, Customer, Descriptor, Effect,
    Failure, Inbound, Money, Operation, OperationKind, Outcome, Pairs, PaymentMethod, Refund, Response, SettingKind,
    Sync, SyncTarget, Upi, Wallet,
};

/// What is asked for.
const MINOR_UNITS: u64 = 12_345;
/// Some day of the year 2025, as Unix time in milliseconds.
const NOW_MS: u64 = 1_763_697_600_000;
const NONCE_BYTES: u8 = 16;

/// What the kit knows of the account and of earlier outcomes: from cassettes where there are any.
pub struct Known {
    pub ctx: Context,
    /// By the kind of operation that was given them.
    pub references: Vec<(OperationKind, Pairs)>,
}

/// An account as the descriptor describes it.
pub fn context(descriptor: &Descriptor) -> Context {
    let value = |kind| match kind {
        SettingKind::Url => "https://gateway.example",
        SettingKind::Text | SettingKind::Secret => "x",
    };
    let settings = descriptor.settings.iter().filter(|setting| setting.kind != SettingKind::Secret);
    let settings = settings.filter_map(|setting| {
        let made_up = setting.required.then(|| value(setting.kind).to_owned());
        Some((setting.name.clone(), setting.default.clone().or(made_up)?))
    });
    Context { settings: settings.collect(), now: NOW_MS, nonce: (0..NONCE_BYTES).collect() }
}

/// Carries out everything that is declared, up to the first request, and answers it with garbage.
pub fn check(subject: &dyn Subject, known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    let descriptor = subject.descriptor();
    for (index, currency) in amounts::currencies(descriptor).enumerate() {
        for rules in &descriptor.operations {
            for (what, action) in actions(descriptor, rules.kind, currency) {
                let name = format!("a made-up {what} in {currency}");
                let operation = operation(action, known, rules.kind);
                let end = subject.perform(&known.ctx, &operation, &[]);
                let mut found = of_first_run(subject, &known.ctx, &operation, &end);
                // Garbage is garbage in every currency.
                if index == 0 && matches!(end, End::Asked(_)) {
                    found.extend(garbage(subject, &known.ctx, &operation));
                }
                findings.extend(found.into_iter().map(|finding| finding.in_cassette(&name)));
            }
        }
    }
    findings.extend(others(subject, &known.ctx));
    // What is wrong with every method, and in every currency, is wrong once.
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert((finding.rule, finding.says.clone())));
    findings
}

/// The first request of an operation, or why there is none.
fn of_first_run(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    end: &End<Result<Outcome, Failure>>,
) -> Vec<Finding> {
    match end {
        End::Asked(request) => {
            let writes = u32::from(request.effect != Effect::Reads);
            let broken = rules::of_request(subject, ctx, operation, request, writes);
            broken.into_iter().map(|finding| finding.at_exchange(0)).collect()
        }
        End::Returned(result) => {
            let mut findings: Vec<_> =
                spoil::judge("without a single exchange", end, Wrong::Body).into_iter().collect();
            if let (Err(failure), Action::Authorize(_)) = (result, &operation.action) {
                let says = format!("it is declared, and fails before anybody is asked: {}", failure.message);
                findings.push(Finding::warning(Rule::Coverage, says));
            }
            findings
        }
        End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => vec![Finding::error(rule_of(end), told(end))],
    }
}

/// The operation with every reply garbage, in every status that matters.
fn garbage(subject: &dyn Subject, ctx: &Context, operation: &Operation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let bodies = spoil::garbage().into_iter().chain([("somebody's address", PERSONAL.as_bytes().to_vec())]);
    for (how, body) in bodies {
        for status in [200, 500] {
            let reply = Response { status, headers: Vec::new(), body: body.clone() };
            let (transcript, end) = with_replies(subject, ctx, operation, &vec![reply; EXCHANGES_MAX]);
            let how = format!("with {how} for a reply, and status {status}");
            let position = transcript.len().saturating_sub(1);
            findings.extend(spoil::judge(&how, &end, Wrong::Body).map(|finding| finding.at_exchange(position)));
        }
    }
    spoil::few(findings)
}

/// Webhooks, settlement files and sessions: what comes from outside may be anything.
fn others(subject: &dyn Subject, ctx: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ended = |name: &str, how: &str, fault: Option<(Rule, String)>| {
        if let Some((rule, told)) = fault {
            findings.push(Finding::error(rule, format!("with {how}: {told}")).in_cassette(name));
        }
    };
    for (how, body) in spoil::garbage() {
        let inbound = Inbound { headers: Pairs::new(), query: String::new(), body: body.clone() };
        let end = subject.receive(ctx, &inbound, &Verifier::None);
        let proof = "an event has a proof, and the host has not given any".to_owned();
        ended(
            "a made-up webhook",
            how,
            match &end {
                End::Returned(Ok(delivery)) if delivery.events.iter().any(|event| event.proof.is_some()) => {
                    Some((Rule::Webhook, proof))
                }
                end => fault(end),
            },
        );
        ended("a made-up settlement file", how, fault(&subject.settlement(ctx, &body)));
    }
    let end = subject.open_session(ctx);
    ended("a made-up session", "nothing else", fault(&end));
    if let End::Returned(Some(opening)) = end {
        for (rule, says) in rules::of_opening(subject, ctx, &opening) {
            findings.push(Finding::error(rule, says).in_cassette("a made-up session"));
        }
    }
    spoil::few(findings)
}

/// What is wrong with an end that should have been a result.
fn fault<T: std::fmt::Debug>(end: &End<T>) -> Option<(Rule, String)> {
    match end {
        End::Returned(_) => None,
        End::Asked(_) => Some((Rule::Contract, "it asked for an exchange, where there is none".to_owned())),
        End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => Some((rule_of(end), told(end))),
    }
}

fn operation(action: Action, known: &Known, kind: OperationKind) -> Operation {
    let references = known.references.iter().find(|(of, _)| *of == kind).map(|(_, pairs)| pairs.clone());
    Operation {
        id: "op_01jd0000000000000000000009".to_owned(),
        payment_id: "pay_01jd0000000000000000000009".to_owned(),
        references: references.unwrap_or_default(),
        action,
    }
}

/// Every way to ask for that kind of operation, with its name.
fn actions(descriptor: &Descriptor, kind: OperationKind, currency: &str) -> Vec<(String, Action)> {
    let amount = || Money::new(MINOR_UNITS, currency);
    let target_id = || "op_01jd0000000000000000000001".to_owned();
    let capture = || Capture { amount: amount(), is_final: true };
    let cancel = || Cancel { target_id: target_id(), reason: None };
    let refund = || Refund { amount: amount(), reason: None, captures: Vec::new() };
    let complete = || Complete {
        amount: amount(),
        capture: CaptureMethod::Automatic,
        parameters: Pairs::new(),
        extra: Pairs::new(),
    };
    match kind {
        OperationKind::Authorize => {
            let methods = descriptor.methods.iter().filter_map(|name| Some((name, method(name)?)));
            let asked = |(name, method): (&String, _)| {
                (format!("authorize by {name}"), Action::Authorize(authorize(amount(), method)))
            };
            methods.map(asked).collect()
        }
        OperationKind::Complete => vec![("complete".to_owned(), Action::Complete(complete()))],
        OperationKind::Capture => vec![("capture".to_owned(), Action::Capture(capture()))],
        OperationKind::Cancel => vec![("cancel".to_owned(), Action::Cancel(cancel()))],
        OperationKind::Refund => vec![("refund".to_owned(), Action::Refund(refund()))],
        OperationKind::Sync => {
            let declared = descriptor.operations.iter().map(|rules| rules.kind);
            let targets = declared.filter_map(|kind| {
                let target = match kind {
                    OperationKind::Authorize => {
                        let method = descriptor.methods.iter().find_map(|name| method(name))?;
                        SyncTarget::Authorize(authorize(amount(), method))
                    }
                    OperationKind::Complete => SyncTarget::Complete(complete()),
                    OperationKind::Capture => SyncTarget::Capture(capture()),
                    OperationKind::Cancel => SyncTarget::Cancel(cancel()),
                    OperationKind::Refund => SyncTarget::Refund(refund()),
                    OperationKind::Sync => return None,
                };
                let name = format!("sync of {}", kind_name(kind));
                Some((name, Action::Sync(Sync { target_id: target_id(), target })))
            });
            targets.collect()
        }
    }
}

/// As the contract names it.
pub fn kind_name(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Authorize => "authorize",
        OperationKind::Complete => "complete",
        OperationKind::Capture => "capture",
        OperationKind::Cancel => "cancel",
        OperationKind::Refund => "refund",
        OperationKind::Sync => "sync",
    }
}

fn authorize(amount: Money, method: PaymentMethod) -> Authorize {
    Authorize {
        amount,
        method,
        capture: CaptureMethod::Automatic,
        customer: customer(),
        description: Some("Two books".to_owned()),
        order_reference: Some("cart-9".to_owned()),
        return_url: Some("https://pay.example/back/9".to_owned()),
        metadata: Pairs::new(),
        extra: Pairs::new(),
    }
}

/// A customer of whom everything is known that may be.
fn customer() -> Customer {
    Customer {
        reference: Some("customer-9".to_owned()),
        name: Some("Jane Roe".to_owned()),
        email: Some(PERSONAL.to_owned()),
        phone: Some("+4915100000000".to_owned()),
        ip: Some("192.0.2.1".to_owned()),
        user_agent: Some("Mozilla/5.0".to_owned()),
        browser: Some(Browser {
            accept: "text/html".to_owned(),
            language: "en-GB".to_owned(),
            color_depth: 24,
            screen_height: 1080,
            screen_width: 1920,
            timezone_offset_minutes: -60,
            java: false,
            java_script: true,
        }),
    }
}

/// The method of that name; none for a name that is none.
fn method(name: &str) -> Option<PaymentMethod> {
    Some(match name {
        "card" => PaymentMethod::Card(Card {
            brand: "visa".to_owned(),
            bin: "424242".to_owned(),
            last4: "4242".to_owned(),
            has_cvc: true,
            has_holder: true,
        }),
        "upi_collect" => PaymentMethod::Upi(Upi::Collect("jane@bank".to_owned())),
        "upi_intent" => PaymentMethod::Upi(Upi::Intent),
        "upi_qr" => PaymentMethod::Upi(Upi::Qr),
        "gateway_token" => PaymentMethod::GatewayToken,
        _ => PaymentMethod::Wallet(Wallet { provider: name.strip_prefix("wallet:")?.to_owned(), has_token: true }),
    })
}

/// As a descriptor names it.
pub fn method_name(method: &PaymentMethod) -> String {
    match method {
        PaymentMethod::Card(_) => "card".to_owned(),
        PaymentMethod::Upi(Upi::Collect(_)) => "upi_collect".to_owned(),
        PaymentMethod::Upi(Upi::Intent) => "upi_intent".to_owned(),
        PaymentMethod::Upi(Upi::Qr) => "upi_qr".to_owned(),
        PaymentMethod::Wallet(wallet) => ["wallet:", &wallet.provider].concat(),
        PaymentMethod::GatewayToken => "gateway_token".to_owned(),
    }
}
