//! What a component can reach, in plain words: for the operator who decides whether it may run.
//!
//! Everything said here is enforced elsewhere: imports by admission, origins and placements by the wire.

use std::fmt::Write as _;

use super::{
    inspect::Contents,
    types::{Descriptor, Location, Method, OperationKind, Placement},
};

const SETTING: &str = "setting:";

/// The sentences, the most important first.
pub fn sentences(descriptor: &Descriptor, contents: &Contents) -> Vec<String> {
    let mut said = Vec::new();
    if contents.imports_interface("egress") {
        let origins: Vec<_> = descriptor.origins.iter().map(|name| origin(descriptor, name)).collect();
        said.push(format!("It can ask for {}, and for nothing else.", listed(&origins, "and")));
        said.extend(placements(descriptor));
    } else {
        said.push("It can ask for nothing: it does not import `egress`.".to_owned());
    }
    said.extend(sights(descriptor));
    if contents.imports_interface("signatures") {
        said.push(
            "It can have signatures checked under the account's secrets, and learns only whether they fit.".to_owned(),
        );
    }
    if contents.imports_interface("log") {
        said.push("It can leave a bounded number of lines in the operators' log.".to_owned());
    }
    said.push(
        "It can do nothing else: it has no clock, no files, no network of its own, no random numbers and no secrets."
            .to_owned(),
    );
    said
}

/// An origin by setting is the account's choice only where the account makes it: else it is the component's.
fn origin(descriptor: &Descriptor, declared: &str) -> String {
    let Some(name) = declared.strip_prefix(SETTING) else { return declared.to_owned() };
    let setting = descriptor.settings.iter().find(|setting| setting.name == name);
    match setting.and_then(|setting| setting.default.as_deref()) {
        Some(default) => {
            format!("the origin that the account's setting `{name}` names ({default} where the account says nothing)")
        }
        None => format!("the origin that the account's setting `{name}` names"),
    }
}

/// Where the host may fill something in for it: one sentence for each thing at each place, methods and paths together.
fn placements(descriptor: &Descriptor) -> Vec<String> {
    let mut groups: Vec<(&Placement, Vec<Method>, Vec<&str>)> = Vec::new();
    for placement in &descriptor.placements {
        let same = groups.iter_mut().find(|(first, ..)| {
            (&first.hole, first.location, &first.name, &first.origin)
                == (&placement.hole, placement.location, &placement.name, &placement.origin)
        });
        match same {
            Some((_, methods, paths)) => {
                if !methods.contains(&placement.method) {
                    methods.push(placement.method);
                }
                if !paths.contains(&placement.path_prefix.as_str()) {
                    paths.push(&placement.path_prefix);
                }
            }
            None => groups.push((placement, vec![placement.method], vec![&placement.path_prefix])),
        }
    }
    groups.iter().map(|(placement, methods, paths)| sentence(descriptor, placement, methods, paths)).collect()
}

fn sentence(descriptor: &Descriptor, placement: &Placement, methods: &[Method], paths: &[&str]) -> String {
    let methods: Vec<_> = methods.iter().map(|method| name(*method).to_owned()).collect();
    let mut said = format!(
        "It can have {} put into {} of {} requests to {}",
        hole(&placement.hole),
        place(placement),
        listed(&methods, "and"),
        origin(descriptor, &placement.origin)
    );
    if !paths.contains(&"/") {
        let paths: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
        write!(said, ", where the path begins with {}", listed(&paths, "or")).expect("a String takes everything");
    }
    said.push('.');
    said
}

fn hole(hole: &str) -> String {
    if let Some((kind, name)) = hole.split_once(':') {
        return match kind {
            "secret" => format!("the secret `{name}`"),
            "session" => format!("the session's value `{name}`"),
            _ => format!("what the host computes as `{name}`"),
        };
    }
    match hole {
        "card-number" => "the card's number",
        "card-cvc" => "the card's code",
        "card-holder" => "the name on the card",
        "card-expiry-month" => "the month in which the card expires",
        "card-expiry-year" | "card-expiry-year-short" => "the year in which the card expires",
        "wallet-token" => "the wallet's token",
        "gateway-token" => "the gateway's token for a stored payment method",
        other => return format!("`{other}`"),
    }
    .to_owned()
}

fn place(placement: &Placement) -> String {
    let name = &placement.name;
    match placement.location {
        Location::Header => format!("the header `{name}`"),
        Location::FormField => format!("the form field `{name}`"),
        Location::JsonString => format!("the text at `{name}` in the JSON body"),
        Location::RawBody => "the body".to_owned(),
    }
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// What it is told in clear.
fn sights(descriptor: &Descriptor) -> Vec<String> {
    let mut said = Vec::new();
    if descriptor.rules(OperationKind::Authorize).is_some() {
        if descriptor.methods.iter().any(|method| method == "card") {
            said.push(
                "Of a card it sees the brand, the first six and the last four digits; never the number, the code, the \
                 holder or the expiry date."
                    .to_owned(),
            );
        }
        said.push(
            "It sees what a merchant tells of a payment and its customer: amount, description, metadata, references, name, \
             e-mail, phone, network address, browser, UPI address."
                .to_owned(),
        );
    }
    said.push(
        "It sees the account's public settings, and what the gateway says: replies, webhooks, settlement files, without \
         what the host filled in."
            .to_owned(),
    );
    let secrets = descriptor.placements.iter().any(|placement| placement.hole.starts_with("secret:"));
    if secrets {
        said.push("It never sees a secret: the host fills in secrets after the request has left it.".to_owned());
    }
    said
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String], last: &str) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::types::{Features, OperationRules};

    fn placement(hole: &str, method: Method, path_prefix: &str, location: Location, name: &str) -> Placement {
        Placement {
            hole: hole.to_owned(),
            method,
            origin: "https://api.stripe.example".to_owned(),
            path_prefix: path_prefix.to_owned(),
            location,
            name: name.to_owned(),
        }
    }

    fn descriptor() -> Descriptor {
        Descriptor {
            name: "stripe".to_owned(),
            version: "1.0.0".to_owned(),
            display_name: "Stripe".to_owned(),
            methods: vec!["card".to_owned()],
            currencies: vec![],
            origins: vec!["https://api.stripe.example".to_owned(), "setting:base_url".to_owned()],
            settings: vec![],
            placements: vec![
                placement("secret:api_key", Method::Post, "/v1/", Location::Header, "authorization"),
                placement("secret:api_key", Method::Get, "/v1/", Location::Header, "authorization"),
                placement("card-number", Method::Post, "/", Location::FormField, "card[number]"),
            ],
            operations: vec![OperationRules {
                kind: OperationKind::Authorize,
                resolutions: vec![],
                settles_within_seconds: 0,
            }],
            features: Features {
                partial_capture: false,
                multiple_capture: false,
                partial_refund: false,
                cancel: false,
            },
        }
    }

    #[test]
    fn what_a_component_can_reach_is_said_in_plain_words() {
        let contents = Contents::with_imports(&["egress", "log"]);
        insta::assert_snapshot!(sentences(&descriptor(), &contents).join("\n"), @r"
        It can ask for https://api.stripe.example and the origin that the account's setting `base_url` names, and for nothing else.
        It can have the secret `api_key` put into the header `authorization` of POST and GET requests to https://api.stripe.example, where the path begins with `/v1/`.
        It can have the card's number put into the form field `card[number]` of POST requests to https://api.stripe.example.
        Of a card it sees the brand, the first six and the last four digits; never the number, the code, the holder or the expiry date.
        It sees what a merchant tells of a payment and its customer: amount, description, metadata, references, name, e-mail, phone, network address, browser, UPI address.
        It sees the account's public settings, and what the gateway says: replies, webhooks, settlement files, without what the host filled in.
        It never sees a secret: the host fills in secrets after the request has left it.
        It can leave a bounded number of lines in the operators' log.
        It can do nothing else: it has no clock, no files, no network of its own, no random numbers and no secrets.
        ");
    }

    #[test]
    fn one_that_imports_nothing_asks_for_nothing() {
        let said = sentences(&descriptor(), &Contents::with_imports(&[]));
        assert_eq!(said[0], "It can ask for nothing: it does not import `egress`.");
        assert!(!said.iter().any(|sentence| sentence.contains("put into") || sentence.contains("log")));
    }
}
