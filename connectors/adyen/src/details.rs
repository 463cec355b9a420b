//! What the customer's browser brings back from a redirect, as far as Adyen wants to know it.

use interlock_connector::types::Pairs;

/// The ways back, each with all that belongs to it; the first that is there whole is taken.
const WAYS: [&[&str]; 3] = [&["redirectResult"], &["payload"], &["MD", "PaRes"]];

/// Names and values for `details`; none where nothing of it was brought. It comes from outside and proves nothing: Adyen
/// checks it.
pub fn brought(parameters: &Pairs) -> Option<Vec<(&'static str, &str)>> {
    let value = |name: &str| {
        let found = parameters.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    WAYS.iter().find_map(|way| way.iter().map(|name| Some((*name, value(name)?))).collect())
}
