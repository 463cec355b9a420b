//! Parameters as Stripe takes them: form fields, nested by brackets.

use std::collections::BTreeMap;

use super::errors::{Code, Refused};

/// What a list gives at once, and at most.
const LIMIT: usize = 10;
const LIMIT_MAX: usize = 100;
/// The bounds of metadata.
const ENTRIES_MAX: usize = 50;
const NAME_MAX_CHARS: usize = 40;
const VALUE_MAX_CHARS: usize = 500;

/// The parameters of one request. No `Debug`: card numbers are among them.
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a form, or a query.
    ///
    /// # Errors
    /// Where it is none, or has a parameter that is not `known`: by its name, or by what stands before its first bracket.
    pub fn read(encoded: &[u8], known: &[&str]) -> Result<Self, Refused> {
        let fields: Vec<(String, String)> =
            serde_urlencoded::from_bytes(encoded).map_err(|_| Refused::request("The request cannot be read"))?;
        for (name, _) in &fields {
            let top = name.split_once('[').map_or(name.as_str(), |(top, _)| top);
            if top == "payment_method_types" {
                let message = "payment_method_types can no longer be set with this API version";
                return Err(Refused::request(message)
                    .code(Code("payment_method_types_no_longer_supported"))
                    .param(top));
            }
            if !known.contains(&top) {
                let message = format!("Received unknown parameter: {top}");
                return Err(Refused::request(&message).code(Code::PARAMETER_UNKNOWN).param(top));
            }
        }
        Ok(Self(fields))
    }

    /// A parameter's text; an empty one is none.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|text| !text.is_empty())
    }

    /// A parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Refused> {
        self.text(name).ok_or_else(|| {
            Refused::request(&format!("Missing required param: {name}.")).code(Code::PARAMETER_MISSING).param(name)
        })
    }

    /// A whole number that is not below zero.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Refused> {
        let read = |text: &str| {
            text.parse().ok().filter(|number| *number >= 0).ok_or_else(|| {
                Refused::request(&format!("Invalid integer: {text}")).code(Code::PARAMETER_INVALID_INTEGER).param(name)
            })
        };
        self.text(name).map(read).transpose()
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Refused::request(&format!("Invalid boolean: {other}")).param(name)),
        }
    }

    /// What one of these words says.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<&str>, Refused> {
        match self.text(name) {
            Some(word) if !words.contains(&word) => {
                let message = format!("Invalid {name}: must be one of {}", words.join(", "));
                Err(Refused::request(&message).param(name))
            }
            word => Ok(word),
        }
    }

    /// Whether the reply is to hold this object whole.
    pub fn expands(&self, what: &str) -> bool {
        self.0.iter().any(|(name, value)| name.starts_with("expand[") && value == what)
    }

    /// Whether there is anything under this name.
    pub fn has(&self, top: &str) -> bool {
        self.0.iter().any(|(name, _)| name.split('[').next() == Some(top))
    }

    /// The metadata, with what is to be unset as an empty value.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>, Refused> {
        let mut metadata = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(name) = name.strip_prefix("metadata[").and_then(|name| name.strip_suffix(']')) else { continue };
            if name.chars().count() > NAME_MAX_CHARS || name.contains(['[', ']']) {
                return Err(
                    Refused::request("Metadata keys have at most 40 characters, and no brackets").param("metadata")
                );
            }
            if value.chars().count() > VALUE_MAX_CHARS {
                return Err(Refused::request("Metadata values have at most 500 characters").param("metadata"));
            }
            metadata.insert(name.to_owned(), value.clone());
        }
        if metadata.len() > ENTRIES_MAX {
            return Err(Refused::request("Metadata has at most 50 keys").param("metadata"));
        }
        Ok(metadata)
    }

    /// Which part of a list is wanted.
    pub fn page(&self) -> Result<Page, Refused> {
        let limit = self.integer("limit")?.map_or(Ok(LIMIT), usize::try_from).unwrap_or(usize::MAX);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Refused::request("This value must be between 1 and 100").param("limit"));
        }
        Ok(Page { limit, after: self.text("starting_after").map(str::to_owned) })
    }
}

/// A part of a list.
pub struct Page {
    limit: usize,
    /// The id of the object before it.
    after: Option<String>,
}

impl Page {
    /// The part, and whether there is more; `items` are newest first.
    pub fn cut<T>(&self, items: Vec<T>, id: impl Fn(&T) -> &str) -> (Vec<T>, bool) {
        let begin = self.after.as_ref().and_then(|after| items.iter().position(|item| id(item) == after));
        let mut rest: Vec<T> = items.into_iter().skip(begin.map_or(0, |place| place + 1)).collect();
        let more = rest.len() > self.limit;
        rest.truncate(self.limit);
        (rest, more)
    }
}
