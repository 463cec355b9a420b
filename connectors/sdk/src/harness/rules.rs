//! Rules of the contract that requests can break. The host enforces them too; here an author learns it sooner, and with
//! the cassette's name.

use std::collections::BTreeSet;

use super::cassette::Exchange;
use super::finding::{Finding, Rule};
use super::subject::Subject;
use crate::request::idempotency_key;
use crate::types::{
    Action, Body, Context, Descriptor, Effect, Location, Method, Opening, Operation, Outcome, Placement, Request,
    Segment, SettingKind, Template,
};

/// Headers that carry what nobody but the gateway may know.
const SECRET_HEADERS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "api-key",
    "apikey",
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "x-client-secret",
];
/// Words in the name of a setting that speak of a secret.
const SECRET_WORDS: [&str; 6] = ["secret", "password", "passphrase", "credential", "api_key", "private_key"];

/// What the requests of an operation break, and what they do not say that they should.
pub fn check(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    transcript: &[Exchange],
    outcome: Option<&Outcome>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut writes = 0;
    for (position, Exchange { request, .. }) in transcript.iter().enumerate() {
        if request.effect != Effect::Reads {
            writes += 1;
        }
        let broken = of_request(subject, ctx, operation, request, writes);
        findings.extend(broken.into_iter().map(|finding| finding.at_exchange(position)));
    }
    let moves = transcript.iter().any(|exchange| exchange.request.effect == Effect::MovesMoney);
    let must_move = matches!(
        (&operation.action, outcome),
        (
            Action::Authorize(_) | Action::Capture(_) | Action::Refund(_),
            Some(Outcome::Authorized(_) | Outcome::Captured(_) | Outcome::Refunded(_))
        )
    );
    if must_move && !moves {
        findings.push(Finding::error(Rule::Effect, "money moved, and no request says that it moves any"));
    }
    findings
}

/// What one request breaks; `writes` counts it and the writing ones before it.
pub fn of_request(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    request: &Request,
    writes: u32,
) -> Vec<Finding> {
    let mut findings: Vec<_> =
        subject.objections(ctx, request).into_iter().map(|(rule, says)| Finding::error(rule, says)).collect();
    let is_read = request.effect == Effect::Reads;
    if is_read && request.method != Method::Get && !request.resendable {
        findings.push(Finding::error(Rule::Effect, "it says that it only reads, and that it must not be repeated"));
    }
    if !is_read && matches!(operation.action, Action::Sync(_)) {
        findings.push(Finding::error(Rule::Effect, "a sync only asks, and this request says that it does more"));
    }
    if !is_read {
        let key = idempotency_key(operation, writes);
        if !texts(request).any(|text| holds_word(text, &key)) {
            let says = format!("it writes, and sends {key:?} neither as a header nor in URL or body");
            findings.push(Finding::error(Rule::IdempotencyKey, says));
        }
    }
    for (name, _) in request.headers.iter().filter(|(name, value)| is_secret_in_clear(name, value)) {
        let says = format!("the header `{name}` is sent without a hole: whatever it proves stands in the connector");
        findings.push(Finding::error(Rule::Secret, says).field(name));
    }
    findings
}

/// Settings that are secrets by their names, and not by their kinds.
pub fn of_settings(descriptor: &Descriptor) -> Vec<Finding> {
    let open = descriptor.settings.iter().filter(|setting| {
        setting.kind != SettingKind::Secret && SECRET_WORDS.iter().any(|word| setting.name.contains(word))
    });
    let finding = |name: &str| {
        let says = format!("the setting `{name}` is no secret: the connector sees it, and it is kept in clear");
        let hint = "make its kind `secret` and leave a hole where it belongs, or give it a name that frightens nobody";
        Finding::warning(Rule::Secret, says).field(name).hint(hint)
    };
    open.map(|setting| finding(&setting.name)).collect()
}

/// Why a host would not send the request, as far as that can be seen without one.
pub fn objections(descriptor: &Descriptor, ctx: &Context, request: &Request) -> Vec<(Rule, String)> {
    let mut objections = Vec::new();
    if !origins(descriptor, ctx).any(|origin| is_under(&request.url, origin)) {
        objections.push((Rule::Origin, format!("{} is at no declared origin", request.url)));
    }
    let misplaced: BTreeSet<_> = misplaced(descriptor, request).collect();
    objections.extend(misplaced.into_iter().map(|hole| (Rule::Placement, format!("no placement allows {hole}"))));
    objections
}

/// Why a host would not open a session so. What signs it in are the account's secrets: nothing of a customer, and no other
/// session.
pub fn of_opening(subject: &dyn Subject, ctx: &Context, opening: &Opening) -> Vec<(Rule, String)> {
    let mut objections = subject.objections(ctx, &opening.request);
    let holes = templates(&opening.request).flat_map(|(_, _, template)| template).flat_map(hole_names);
    let others = holes.filter(|hole| !hole.starts_with("secret:") && !hole.starts_with("computed:"));
    objections.extend(others.map(|hole| (Rule::Placement, format!("{hole} opens no session"))));
    if opening.request.effect == Effect::MovesMoney {
        objections.push((Rule::Effect, "opening a session moves no money".to_owned()));
    }
    let placed = subject.descriptor().placements.iter().filter_map(|placement| placement.hole.strip_prefix("session:"));
    let names: BTreeSet<_> = placed.filter(|name| !opening.keep.iter().any(|keep| keep.name == *name)).collect();
    objections.extend(names.into_iter().map(|name| (Rule::Placement, format!("nothing is kept as session:{name}"))));
    objections
}

fn is_secret_in_clear(name: &str, value: &Template) -> bool {
    SECRET_HEADERS.contains(&name) && !value.is_empty() && value.iter().all(|part| matches!(part, Segment::Text(_)))
}

fn origins<'a>(descriptor: &'a Descriptor, ctx: &'a Context) -> impl Iterator<Item = &'a str> {
    descriptor.origins.iter().filter_map(|origin| match origin.strip_prefix("setting:") {
        Some(setting) => ctx.setting(setting).map(|url| url.trim_end_matches('/')),
        None => Some(origin.as_str()),
    })
}

fn is_under(url: &str, origin: &str) -> bool {
    url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// `<id>` must not be found in `<id>-2`.
fn holds_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let after = text.get(at + word.len()..).and_then(|rest| rest.chars().next());
        !after.is_some_and(|next| next == '-' || next.is_ascii_alphanumeric())
    })
}

/// All that a request says in clear.
pub fn texts(request: &Request) -> impl Iterator<Item = &str> {
    let pieces = templates(request).flat_map(|(_, _, template)| template).filter_map(|segment| match segment {
        Segment::Text(text) => Some(text.as_str()),
        _ => None,
    });
    pieces.chain([request.url.as_str()])
}

/// Every template of a request, with where it stands; JSON and raw bodies have no name for it.
fn templates(request: &Request) -> impl Iterator<Item = (Location, &str, &Template)> {
    let headers = request.headers.iter().map(|(name, value)| (Location::Header, name.as_str(), value));
    let (fields, body): (&[_], _) = match &request.body {
        Body::Empty => (&[], None),
        Body::Json(template) => (&[], Some((Location::JsonString, "", template))),
        Body::Raw((_, template)) => (&[], Some((Location::RawBody, "", template))),
        Body::Form(fields) => (fields, None),
    };
    headers.chain(fields.iter().map(|(name, value)| (Location::FormField, name.as_str(), value))).chain(body)
}

/// Holes without a placement of their kind. Where in a JSON body one stands, only the host looks.
fn misplaced<'a>(descriptor: &'a Descriptor, request: &'a Request) -> impl Iterator<Item = String> + 'a {
    templates(request).flat_map(move |(location, name, template)| {
        template.iter().flat_map(hole_names).filter(move |hole| {
            !descriptor.placements.iter().any(|placement| {
                placement.hole == *hole
                    && placement.method == request.method
                    && placement.location == location
                    && names(placement, location, name)
            })
        })
    })
}

fn names(placement: &Placement, location: Location, name: &str) -> bool {
    match location {
        Location::Header | Location::FormField => placement.name == name,
        Location::JsonString | Location::RawBody => true,
    }
}

fn hole_names(segment: &Segment) -> Vec<String> {
    let name = match segment {
        Segment::Text(_) => return Vec::new(),
        Segment::Secret(name) => return vec![format!("secret:{name}")],
        Segment::Session(name) => return vec![format!("session:{name}")],
        Segment::Computed(name) => return vec![format!("computed:{name}")],
        Segment::BasicAuth((first, second)) => {
            let named = [first, second].into_iter().filter(|name| !name.is_empty());
            return named.map(|name| format!("secret:{name}")).collect();
        }
        Segment::CardNumber => "card-number",
        Segment::CardCvc => "card-cvc",
        Segment::CardHolder => "card-holder",
        Segment::CardExpiryMonth => "card-expiry-month",
        Segment::CardExpiryYear => "card-expiry-year",
        Segment::CardExpiryYearShort => "card-expiry-year-short",
        Segment::WalletToken => "wallet-token",
        Segment::GatewayToken => "gateway-token",
    };
    vec![name.to_owned()]
}
