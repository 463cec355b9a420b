//! Whether amounts are the gateway's: what an outcome says must follow from the reply, and what a request says from the
//! operation, in the currency's own decimals.
//!
//! A reply's shape is the connector's to know, so the amount is found by changing it: where the reply says less, an
//! outcome that still says the same was not read out of it.

use super::cassette::Exchange;
use super::finding::{Finding, Rule};
use super::replay::with_replies;
use super::rules::texts;
use super::subject::{End, Subject, Verifier};
use crate::money::{exponent, to_decimal};
use crate::types::{
    Action, Approval, Context, Descriptor, EventKind, Inbound, Money, Operation, Outcome, Response, SyncTarget,
};

/// An amount that looks different in every exponent.
const PROBE_MINOR_UNITS: u64 = 12_345;
/// Numbers of a reply that are added and subtracted to find where an amount comes from.
const NUMBERS_MAX: usize = 64;

/// The approval that an outcome carries.
fn approval(outcome: &Outcome) -> Option<&Approval> {
    match outcome {
        Outcome::Authorized(it) | Outcome::Captured(it) | Outcome::Cancelled(it) | Outcome::Refunded(it) => Some(it),
        Outcome::Declined(_)
        | Outcome::ActionRequired(_)
        | Outcome::ReadyToComplete(_)
        | Outcome::Pending(_)
        | Outcome::Expired(_)
        | Outcome::NotProcessed(_)
        | Outcome::NeverReceived => None,
    }
}

/// Whether the outcome's amount follows from the replies.
pub fn of_outcome(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    transcript: &[Exchange],
    outcome: &Outcome,
) -> Vec<Finding> {
    let Some(said) = approval(outcome).map(|approval| &approval.amount) else { return Vec::new() };
    let bodies: Vec<_> = transcript.iter().map(|exchange| text(&exchange.response.body)).collect();
    let mut findings: Vec<_> = from_nowhere(said, asked(&operation.action), &bodies).into_iter().collect();
    for (changed, what) in changes(said, &bodies) {
        let replies: Vec<_> = transcript
            .iter()
            .zip(changed)
            .map(|(exchange, body)| Response { body: body.into_bytes(), ..exchange.response.clone() })
            .collect();
        let (_, end) = with_replies(subject, ctx, operation, &replies);
        if let End::Returned(Ok(outcome)) = end {
            findings.extend(kept(said, approval(&outcome), &what));
        }
    }
    findings
}

/// The same for the events of a webhook, with every signature taken for good.
pub fn of_webhook(subject: &dyn Subject, ctx: &Context, inbound: &Inbound) -> Vec<Finding> {
    let approvals = |inbound: &Inbound| -> Vec<Approval> {
        let End::Returned(Ok(delivery)) = subject.receive(ctx, inbound, &Verifier::All) else { return Vec::new() };
        let told = delivery.events.into_iter().filter_map(|event| match event.kind {
            EventKind::Outcome((_, outcome)) => approval(&outcome).cloned(),
            EventKind::Approved(approval) => Some(approval),
            EventKind::Notice(_) => None,
        });
        told.collect()
    };
    let bodies = [text(&inbound.body)];
    let mut findings = Vec::new();
    for Approval { amount: said, .. } in approvals(inbound) {
        findings.extend(from_nowhere(&said, None, &bodies));
        for (changed, what) in changes(&said, &bodies) {
            let body = changed.concat().into_bytes();
            let after = approvals(&Inbound { body, ..inbound.clone() });
            // Where there are several, any may have had that amount.
            if let [one] = after.as_slice() {
                findings.extend(kept(&said, Some(one), &what));
            }
        }
    }
    findings
}

/// Whether the first request of an operation says its amount in the currency's decimals.
pub fn of_request(subject: &dyn Subject, ctx: &Context, operation: &Operation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for currency in currencies(subject.descriptor()) {
        let Some(operation) = with_amount(operation, Money::new(PROBE_MINOR_UNITS, currency)) else { continue };
        let End::Asked(request) = subject.perform(ctx, &operation, &[]) else { continue };
        let holds = |form: &String| texts(&request).any(|text| replaced(text, form, "").is_some());
        let right = forms(PROBE_MINOR_UNITS, currency);
        if right.iter().any(holds) {
            continue;
        }
        if let Some(wrong) = wrong_forms(currency).into_iter().find(|form| holds(form)) {
            let mut right = right;
            right.dedup();
            let says = format!("it sends {wrong:?} where {} {currency} is asked for", right.join(" or "));
            findings.push(Finding::error(Rule::Amount, says).at_exchange(0));
        }
    }
    findings
}

/// One currency for each number of decimals, within those that the descriptor declares.
pub fn currencies(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    [("JPY", 0), ("EUR", 2), ("KWD", 3)].into_iter().filter_map(|(usual, decimals)| {
        if descriptor.currencies.is_empty() {
            return Some(usual);
        }
        descriptor.currencies.iter().map(String::as_str).find(|code| exponent(code) == Some(decimals))
    })
}

/// What the operation is about, or the one that it asks after.
pub fn asked(action: &Action) -> Option<&Money> {
    match action {
        Action::Authorize(it) => Some(&it.amount),
        Action::Complete(it) => Some(&it.amount),
        Action::Capture(it) => Some(&it.amount),
        Action::Refund(it) => Some(&it.amount),
        Action::Cancel(_) => None,
        Action::Sync(sync) => match &sync.target {
            SyncTarget::Authorize(it) => Some(&it.amount),
            SyncTarget::Complete(it) => Some(&it.amount),
            SyncTarget::Capture(it) => Some(&it.amount),
            SyncTarget::Refund(it) => Some(&it.amount),
            SyncTarget::Cancel(_) => None,
        },
    }
}

fn with_amount(operation: &Operation, amount: Money) -> Option<Operation> {
    let mut operation = operation.clone();
    match &mut operation.action {
        Action::Authorize(it) => it.amount = amount,
        Action::Capture(it) => it.amount = amount,
        Action::Refund(it) => it.amount = amount,
        Action::Complete(_) | Action::Cancel(_) | Action::Sync(_) => return None,
    }
    Some(operation)
}

/// A finding where the amount is neither in the replies, nor what was asked for, nor the sum or difference of two
/// numbers of the replies (what was released is what was held less what was taken).
fn from_nowhere(said: &Money, asked: Option<&Money>, bodies: &[String]) -> Option<Finding> {
    if asked == Some(said) {
        return None;
    }
    let is_known = |code: &str| bodies.iter().any(|body| replaced_in_any_case(body, code, "").is_some());
    if asked.is_some_and(|asked| asked.currency != said.currency) && !is_known(&said.currency) {
        let says = format!("the outcome is in {}, which neither the reply nor the operation speaks of", said.currency);
        return Some(Finding::error(Rule::Amount, says));
    }
    let numbers: Vec<u64> =
        bodies.iter().flat_map(|body| numbers(body, exponent(&said.currency))).take(NUMBERS_MAX).collect();
    let is_made_of = |one: u64| {
        one == said.minor_units
            || numbers.iter().any(|other| {
                one.checked_sub(*other) == Some(said.minor_units) || one.checked_add(*other) == Some(said.minor_units)
            })
    };
    let is_asked = asked.is_some_and(|asked| asked.minor_units == said.minor_units);
    // Nothing released is what many a gateway says by saying nothing.
    if is_asked || said.minor_units == 0 || numbers.iter().copied().any(is_made_of) {
        return None;
    }
    let says = format!("the outcome says {}, and no reply does", shown(said));
    Some(Finding::error(Rule::Amount, says))
}

/// The bodies with another amount, and with another currency, where they have this one; and what was changed.
fn changes(said: &Money, bodies: &[String]) -> Vec<(Vec<String>, Changed)> {
    let mut changes = Vec::new();
    // Not by one: a reply with a 1 in it would make it up again.
    let less = said.minor_units - (said.minor_units / 3).max(1).min(said.minor_units);
    if less > 0 {
        let pairs: Vec<_> =
            forms(said.minor_units, &said.currency).into_iter().zip(forms(less, &said.currency)).collect();
        let change = |body: &String| {
            pairs.iter().fold((body.clone(), false), |(body, changed), (from, to)| {
                replaced(&body, from, to).map_or((body, changed), |body| (body, true))
            })
        };
        // Where the rest of the reply still makes up the amount, nothing follows from its being said again.
        let is_gone = |(bodies, _): &(Vec<String>, Changed)| from_nowhere(said, None, bodies).is_some();
        changes.extend(changed(bodies.iter().map(change), Changed::Amount).filter(is_gone));
    }
    let other = match exponent(&said.currency) {
        Some(0) if said.currency != "KRW" => "KRW",
        Some(3) if said.currency != "BHD" => "BHD",
        _ if said.currency != "CHF" => "CHF",
        _ => "SEK",
    };
    let change = |body: &String| {
        replaced_in_any_case(body, &said.currency, other).map_or((body.clone(), false), |body| (body, true))
    };
    changes.extend(changed(bodies.iter().map(change), Changed::Currency(other)));
    changes
}

/// What was changed in a reply.
enum Changed {
    Amount,
    Currency(&'static str),
}

fn changed(bodies: impl Iterator<Item = (String, bool)>, what: Changed) -> Option<(Vec<String>, Changed)> {
    let (bodies, changed): (Vec<_>, Vec<_>) = bodies.unzip();
    changed.contains(&true).then_some((bodies, what))
}

/// A finding where the outcome is the same although the reply is not.
fn kept(said: &Money, now: Option<&Approval>, changed: &Changed) -> Option<Finding> {
    let now = &now?.amount;
    let says = match changed {
        Changed::Amount if now.minor_units == said.minor_units => {
            format!("the outcome says {} where the reply says less", shown(said))
        }
        Changed::Currency(other) if now.currency == said.currency => {
            format!("the outcome says {} where the reply says {other}", shown(said))
        }
        Changed::Amount | Changed::Currency(_) => return None,
    };
    Some(Finding::error(Rule::Amount, says))
}

fn shown(money: &Money) -> String {
    format!("{} {} (minor units)", money.minor_units, money.currency)
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// How gateways write an amount: minor units, decimals, decimals without zeros at the end.
fn forms(minor_units: u64, currency: &str) -> Vec<String> {
    let decimal = exponent(currency).filter(|exponent| *exponent > 0).map(|exponent| to_decimal(minor_units, exponent));
    let short = decimal.as_ref().map(|text| text.trim_end_matches('0').trim_end_matches('.').to_owned());
    let mut forms = vec![minor_units.to_string()];
    forms.extend(decimal);
    forms.extend(short);
    forms
}

/// How an amount comes out whose writer took another number of decimals for the currency's.
fn wrong_forms(currency: &str) -> Vec<String> {
    let others = [0, 2, 3].into_iter().filter(|decimals| exponent(currency) != Some(*decimals));
    let mut forms: Vec<_> =
        others.filter(|decimals| *decimals > 0).map(|decimals| to_decimal(PROBE_MINOR_UNITS, decimals)).collect();
    forms.extend([10, 100, 1000].map(|factor| (PROBE_MINOR_UNITS * factor).to_string()));
    forms
}

/// `text` with every `word` that stands alone replaced; none where there is none.
fn replaced(text: &str, word: &str, by: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, _) in text.match_indices(word) {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + word.len()..).unwrap_or_default();
        if at >= rest && !continues_before(before) && !continues_after(after) {
            out.push_str(text.get(rest..at).unwrap_or_default());
            out.push_str(by);
            rest = at + word.len();
        }
    }
    if rest == 0 {
        return None;
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    Some(out)
}

fn replaced_in_any_case(text: &str, code: &str, by: &str) -> Option<String> {
    let upper = replaced(text, code, by);
    let lower = replaced(upper.as_deref().unwrap_or(text), &code.to_ascii_lowercase(), &by.to_ascii_lowercase());
    lower.or(upper)
}

fn continues_before(before: &str) -> bool {
    let mut signs = before.chars().rev();
    match signs.next() {
        Some('-') => signs.next().is_some_and(char::is_alphanumeric),
        Some(sign) => sign.is_alphanumeric() || matches!(sign, '_' | '.'),
        None => false,
    }
}

fn continues_after(after: &str) -> bool {
    let mut signs = after.chars();
    match signs.next() {
        Some('.') => signs.next().is_some_and(|sign| sign.is_ascii_digit()),
        Some(sign) => sign.is_alphanumeric() || matches!(sign, '_' | '-'),
        None => false,
    }
}

/// The numbers of a text that stand alone, as minor units: as they are, and as decimals of `exponent`.
fn numbers(text: &str, exponent: Option<u32>) -> Vec<u64> {
    let words = text.split(|sign: char| !(sign.is_alphanumeric() || matches!(sign, '_' | '.' | '-')));
    let bare = words.map(|word| word.trim_start_matches('-').trim_end_matches('.'));
    bare.flat_map(|word| {
        let decimal = exponent.and_then(|exponent| crate::money::from_decimal(word, exponent));
        [word.parse::<u64>().ok(), decimal]
    })
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_stand_alone_are_replaced() {
        let text = r#"{"id":"ch_1250","amount":1250,"fee":12.50,"sum":"-12.5","n":11250,"x":"1250.50","y":"a-1250"}"#;
        let changed = replaced(text, "1250", "1249").unwrap();
        assert_eq!(changed, text.replace("\"amount\":1250", "\"amount\":1249"));
        assert_eq!(replaced(text, "12.5", "12.49").unwrap(), text.replace("-12.5", "-12.49"));
        assert_eq!(replaced(text, "125", ""), None);
        assert_eq!(replaced_in_any_case("EUR eur euro", "EUR", "CHF").unwrap(), "CHF chf euro");
    }

    #[test]
    fn amounts_come_from_replies_or_from_nowhere() {
        let body = [r#"{"amount":5000,"captured":1250,"currency":"EUR"}"#.to_owned()];
        let said = |minor_units| Money::new(minor_units, "EUR");
        for (minor_units, known) in [(5000, true), (3750, true), (6250, true), (99, false), (0, true)] {
            assert_eq!(from_nowhere(&said(minor_units), None, &body).is_none(), known, "{minor_units}");
        }
        assert!(from_nowhere(&said(99), Some(&said(99)), &body).is_none());
        let decimals = ["<amount>50.00</amount>".to_owned()];
        assert!(from_nowhere(&said(5000), Some(&said(1)), &decimals).is_none());
        assert!(from_nowhere(&Money::new(5000, "USD"), Some(&said(5000)), &body).is_some());
    }
}
