//! What merchants are told: every type of event, and which of them an endpoint wants.
//!
//! An endpoint names types one by one (`payment.succeeded`), all of an object (`payment.*`) or all there are (`*`).

use strum::{IntoStaticStr, VariantArray};

/// What an event is about. The names are those of `object` in the API and of `aggregatetype` in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum About {
    Payment,
    Refund,
    Order,
    WebhookEndpoint,
}

/// One type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// `payment.succeeded`, …: part of the contract, never changed.
    pub name: &'static str,
    /// What `data.object` is.
    pub about: About,
    /// What has happened, for people.
    pub says: &'static str,
}

/// An endpoint was switched off by this host, and gets nothing any more.
pub const DISABLED: &str = "webhook_endpoint.disabled";
/// Sent at the merchant's wish, to the endpoint that it is about and to no other.
pub const TEST: &str = "webhook_endpoint.test";

/// Every event: the pattern that takes all.
const EVERYTHING: &str = "*";
/// What follows the object in a pattern that takes all of its events.
const ANY: &str = "*";

const fn row(name: &'static str, about: About, says: &'static str) -> EventType {
    EventType { name, about, says }
}

/// All types there are. A reader should let pass what it does not know: types are added.
pub const CATALOGUE: &[EventType] = &[
    row("payment.created", About::Payment, "A payment was made; nothing has been asked of a gateway yet."),
    row("payment.processing", About::Payment, "A gateway is being asked, or has accepted it and decides later."),
    row("payment.requires_action", About::Payment, "The customer must do what `next_action` says."),
    row("payment.authorized", About::Payment, "The money is held: capture it or cancel it."),
    row("payment.partially_captured", About::Payment, "Some of the held money was taken; more of it can be."),
    row("payment.succeeded", About::Payment, "The money was taken: deliver."),
    row("payment.failed", About::Payment, "The last attempt did not succeed; `last_error` says why."),
    row("payment.cancelled", About::Payment, "It was called off; no money is held."),
    row("payment.expired", About::Payment, "Nobody went on with it in time; no money is held."),
    row("payment.pending_verification", About::Payment, "What the gateway did is not known yet. Do not pay again."),
    row("payment.manual_review", About::Payment, "A person at the operator decides. Do not pay again."),
    row("payment.partially_refunded", About::Payment, "Some of the money was given back."),
    row("payment.refunded", About::Payment, "All of the money was given back."),
    row("payment.surplus_charge", About::Payment, "A gateway took money that another attempt had taken already."),
    row("payment.corrected", About::Payment, "What was said of it before has turned out to be wrong; read it again."),
    row("refund.created", About::Refund, "A refund was asked for."),
    row("refund.succeeded", About::Refund, "The money was given back."),
    row("refund.failed", About::Refund, "The money was not given back; `last_error` says why."),
    row("order.partially_paid", About::Order, "Some of the order is paid."),
    row("order.paid", About::Order, "All of the order is paid."),
    row("order.refunded", About::Order, "All that was paid of the order was given back."),
    row("order.cancelled", About::Order, "The order was called off; nothing of it is paid."),
    row(
        DISABLED,
        About::WebhookEndpoint,
        "An endpoint of yours was switched off, because it is gone (410) or nothing was delivered to it for too long. Your \
         other endpoints hear of it.",
    ),
    row(
        TEST,
        About::WebhookEndpoint,
        "You asked for it, to see whether your endpoint works. Sent to that endpoint alone.",
    ),
];

/// Whether an endpoint may ask for this: `*`, an object's events (`payment.*`), or a type there is.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    patterns().any(|known| known == text)
}

/// Everything that [`is_pattern`] takes: the types first.
pub fn patterns() -> impl Iterator<Item = String> {
    let types = CATALOGUE.iter().map(|known| known.name.to_owned());
    let objects = About::VARIANTS.iter().map(|about| format!("{}.{ANY}", <&str>::from(about)));
    types.chain(objects).chain([EVERYTHING.to_owned()])
}

/// Whether `pattern` takes events of this type.
#[must_use]
pub fn matches(pattern: &str, kind: &str) -> bool {
    if pattern == EVERYTHING || pattern == kind {
        return true;
    }
    let object = pattern.strip_suffix(ANY).and_then(|object| object.strip_suffix('.'));
    object.is_some_and(|object| kind.split_once('.').is_some_and(|(about, _)| about == object))
}

/// Whether an endpoint with these patterns is sent events of this type as they happen. None: every event. A [`TEST`] is
/// nobody's by its patterns: it goes to the endpoint that it is about.
#[must_use]
pub fn wants(patterns: Option<&[String]>, kind: &str) -> bool {
    kind != TEST && patterns.is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, kind)))
}

/// The types that an endpoint with these patterns [`wants`], for those who can only compare.
#[must_use]
pub fn wanted(patterns: Option<&[String]>) -> Vec<&'static str> {
    CATALOGUE.iter().map(|known| known.name).filter(|kind| wants(patterns, kind)).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn names() -> BTreeSet<String> {
        CATALOGUE.iter().map(|known| known.name.to_owned()).collect()
    }

    /// The list of the contract, as merchants were promised it.
    #[test]
    fn the_catalogue_is_that_of_the_contract() {
        let contract = "payment.created payment.processing payment.requires_action payment.authorized \
            payment.partially_captured payment.succeeded payment.failed payment.cancelled payment.expired \
            payment.pending_verification payment.manual_review payment.partially_refunded payment.refunded \
            payment.surplus_charge payment.corrected refund.created refund.succeeded refund.failed order.partially_paid \
            order.paid order.refunded order.cancelled webhook_endpoint.disabled";
        let mut wanted: BTreeSet<String> = contract.split_whitespace().map(str::to_owned).collect();
        wanted.insert(TEST.to_owned());
        assert_eq!(names(), wanted);
        assert_eq!(CATALOGUE.len(), wanted.len(), "a type is there twice");
        for known in CATALOGUE {
            assert_eq!(known.name.split_once('.').unwrap().0, <&str>::from(known.about), "{}", known.name);
        }
    }

    /// What the code pushes into the outbox is in the catalogue, and nothing in it is never pushed.
    #[test]
    fn the_code_tells_what_the_catalogue_lists() {
        let mut told = BTreeSet::from([DISABLED.to_owned(), TEST.to_owned()]);
        for layer in ["flow", "domain"] {
            visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer), &mut told);
        }
        assert_eq!(told, names());
    }

    /// Collects the literals of source files that look like a type, up to a file's tests. What operators do has names of the
    /// same form (`action: "payment.resolve"`).
    fn visit(folder: &Path, told: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, told);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let is_this_file = text.contains("pub const CATALOGUE");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !is_this_file && !line.contains("action:") && !line.contains("///"));
            for literal in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
                let Some((about, what)) = literal.split_once('.') else { continue };
                let is_object = About::VARIANTS.iter().any(|known| <&str>::from(known) == about);
                if is_object && what.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                    told.insert(literal.to_owned());
                }
            }
        }
    }

    #[test]
    fn patterns_are_types_objects_or_everything() {
        for known in ["*", "payment.*", "refund.*", "order.*", "webhook_endpoint.*", "payment.succeeded", TEST] {
            assert!(is_pattern(known), "{known}");
        }
        for unknown in ["", "payment", "payment.", "pay.*", "*.succeeded", "payment.suc*", "payment.sucess", "**", ".*"]
        {
            assert!(!is_pattern(unknown), "{unknown}");
        }
    }

    #[test]
    fn a_pattern_takes_its_own() {
        assert!(matches("*", "order.paid"));
        assert!(matches("order.*", "order.paid"));
        assert!(matches("order.paid", "order.paid"));
        assert!(!matches("order.*", "orders.paid"));
        assert!(!matches("order.*", "order"));
        assert!(!matches("order.paid", "order.partially_paid"));
        assert!(!matches("payment.*", "order.paid"));
    }

    #[test]
    fn an_endpoint_gets_what_it_asked_for() {
        let some = ["payment.succeeded".to_owned(), "order.*".to_owned()];
        assert!(wants(None, "payment.failed"));
        assert!(wants(Some(&some), "payment.succeeded") && wants(Some(&some), "order.cancelled"));
        assert!(!wants(Some(&some), "payment.failed") && !wants(Some(&some), DISABLED));
        assert!(!wants(Some(&[]), "payment.failed"));
        let orders = ["order.partially_paid", "order.paid", "order.refunded", "order.cancelled"];
        assert_eq!(wanted(Some(&["order.*".to_owned()])), orders);
        assert_eq!(wanted(None).len(), CATALOGUE.len() - 1);
    }

    /// Whoever asks for a test of one endpoint does not want to hear of it at all others.
    #[test]
    fn a_test_is_for_one_endpoint_alone() {
        let every = ["*".to_owned(), "webhook_endpoint.*".to_owned(), TEST.to_owned()];
        assert!(!wants(None, TEST) && !wants(Some(&every), TEST));
        assert!(wants(Some(&every), DISABLED));
    }
}
