//! What the cassettes of a folder show, for tests that insist on it: what nobody wrote a cassette for, nobody has looked
//! at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::json_files;

/// The cassettes of a folder, as JSON.
pub struct Shown(Vec<Value>);

/// Reads them.
///
/// # Panics
/// Where one cannot be read.
#[must_use]
pub fn shown(cassettes: impl AsRef<Path>) -> Shown {
    let read = |file: &Path| {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    Shown(json_files(cassettes.as_ref()).iter().map(|file| read(file)).collect())
}

impl Shown {
    /// Every cassette.
    pub fn each(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    /// The cases of a variant that stand at this JSON pointer, each once, in the order of the alphabet: `Card Wallet` of
    /// `/operation/action/Authorize/method`.
    #[must_use]
    pub fn cases(&self, pointer: &str) -> String {
        let found: BTreeSet<_> = self.0.iter().filter_map(|cassette| case_of(cassette.pointer(pointer)?)).collect();
        found.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// Whether any of them has something at this JSON pointer that is not null.
    #[must_use]
    pub fn has(&self, pointer: &str) -> bool {
        self.0.iter().any(|cassette| cassette.pointer(pointer).is_some_and(|found| !found.is_null()))
    }

    /// Whether any of them says there that it fails: webhooks and settlement files have but that word for it.
    #[must_use]
    pub fn fails(&self, pointer: &str) -> bool {
        self.0.iter().any(|cassette| cassette.pointer(pointer).is_some_and(|found| found == "failure"))
    }
}

/// The name of a variant's case as it stands in JSON: a string, or the one member of an object.
#[must_use]
pub fn case_of(variant: &Value) -> Option<&str> {
    variant.as_str().or_else(|| variant.as_object()?.keys().next().map(String::as_str))
}
