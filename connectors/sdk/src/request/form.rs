//! Form bodies with holes.

use super::{IntoTemplate, push_decimal};
use crate::types::{Pairs, Template};

/// The fields of an `application/x-www-form-urlencoded` body, in the order in which they are added. The host encodes
/// names and values, text and holes alike.
///
/// ```
/// use interlock_connector::{request::Form, types::Segment};
///
/// let form = Form::new()
///     .field("amount", "1250")
///     .field("card[number]", Segment::CardNumber)
///     .optional_field("description", None);
/// # let _ = form;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    fields: Vec<(String, Template)>,
}

impl Form {
    /// One without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field of text, of a hole, or of both.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl IntoTemplate) -> Self {
        self.fields.push((name.to_owned(), value.into_template()));
        self
    }

    /// Adds a field of text, where there is one.
    #[must_use]
    pub fn optional_field(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a number: an amount in minor units.
    #[must_use]
    pub fn integer(self, name: &str, value: u64) -> Self {
        let mut text = String::new();
        push_decimal(&mut text, value);
        self.field(name, text)
    }

    /// Adds a field `prefix[name]` for each pair: how many gateways take a merchant's metadata.
    #[must_use]
    pub fn pairs(self, prefix: &str, pairs: &Pairs) -> Self {
        pairs.iter().fold(self, |form, (name, value)| form.field(&[prefix, "[", name, "]"].concat(), value.as_str()))
    }

    pub(super) fn into_fields(self) -> Vec<(String, Template)> {
        self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Segment;

    #[test]
    fn fields_keep_their_order_and_are_not_encoded_here() {
        let metadata = vec![("order".to_owned(), "a&b".to_owned())];
        let form = Form::new().integer("amount", 1250).field("cvc", Segment::CardCvc).pairs("metadata", &metadata);
        let expected = [
            ("amount".to_owned(), vec![Segment::Text("1250".to_owned())]),
            ("cvc".to_owned(), vec![Segment::CardCvc]),
            ("metadata[order]".to_owned(), vec![Segment::Text("a&b".to_owned())]),
        ];
        assert_eq!(form.into_fields(), expected);
    }
}
