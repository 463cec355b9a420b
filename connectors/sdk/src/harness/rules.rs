//! Rules of the contract that a cassette's requests can break. The host enforces them too; here an author learns it
//! sooner, and with the cassette's name.

use std::collections::BTreeSet;

use super::cassette::Exchange;
use crate::request::idempotency_key;
use crate::types::{
    Body, Context, Descriptor, Effect, Location, Method, Operation, Placement, Request, Segment, Template,
};

/// What the transcript's requests break, in words.
pub fn broken(descriptor: &Descriptor, ctx: &Context, operation: &Operation, transcript: &[Exchange]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut writes = 0;
    for (position, Exchange { request, .. }) in transcript.iter().enumerate() {
        let mut problem = |what: String| problems.push(format!("exchange {}: {what}", position + 1));
        if !origins(descriptor, ctx).any(|origin| is_under(&request.url, origin)) {
            problem(format!("{} is at no declared origin", request.url));
        }
        if request.effect == Effect::Reads && request.method != Method::Get && !request.resendable {
            problem("it says that it only reads, and that it must not be repeated".to_owned());
        }
        if request.effect != Effect::Reads {
            writes += 1;
            let key = idempotency_key(operation, writes);
            if !texts(request).any(|text| holds_word(text, &key)) {
                problem(format!("it writes, and sends {key:?} neither as a header nor in URL or body"));
            }
        }
        let misplaced: BTreeSet<_> = misplaced(descriptor, request).collect();
        for hole in misplaced {
            problem(format!("no placement allows {hole}"));
        }
    }
    problems
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

fn texts(request: &Request) -> impl Iterator<Item = &str> {
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
