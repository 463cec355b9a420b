//! Reads an object field by field and collects every fault, each with its pointer (RFC 6901).
//!
//! Reading goes on after a fault, so that a merchant mends a body once and not once for each mistake. What was never
//! asked for is unknown, and refused with the nearest name that is known: a misspelt `capture_method` must not take
//! the default.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::kinds::name_of;
use crate::flow::Fault;

/// Characters of an unknown name that are quoted.
const NAME_QUOTED_MAX: usize = 60;

/// Reads `value`, which must be an object, by `read`. All faults, or what was read.
pub fn read<T>(value: &Value, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Result<T, Vec<Fault>> {
    let faults = RefCell::new(Vec::new());
    let mut fields = Fields::of(&faults, String::new(), value);
    let result = read(&mut fields);
    fields.refuse_unknown();
    match (result, faults.into_inner()) {
        (Some(result), faults) if faults.is_empty() => Ok(result),
        // A reader gives nothing only where it found a fault; if it does not, that is still no valid request.
        (_, faults) if faults.is_empty() => Err(vec![Fault::new("", "cannot be read")]),
        (_, faults) => Err(faults),
    }
}

/// An object of which fields are read. After a fault in it, reading goes on and gives nothing.
pub struct Fields<'a> {
    faults: &'a RefCell<Vec<Fault>>,
    pointer: String,
    /// None where the value is not an object: that fault is told, and no field of it is missing.
    object: Option<&'a Map<String, Value>>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    fn of(faults: &'a RefCell<Vec<Fault>>, pointer: String, value: &'a Value) -> Self {
        let object = value.as_object();
        if object.is_none() {
            let detail = format!("must be an object, not {}", name_of(value));
            faults.borrow_mut().push(Fault::new(pointer.clone(), detail));
        }
        Self { faults, pointer, object, known: Vec::new() }
    }

    /// A field that may be absent; `null` counts as absent.
    pub fn optional<T>(&mut self, name: &'static str, read: impl FnOnce(&'a Value) -> Result<T, String>) -> Option<T> {
        let value = self.take(name)?;
        read(value).map_err(|detail| self.fault(name, detail)).ok()
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, name: &'static str, read: impl FnOnce(&'a Value) -> Result<T, String>) -> Option<T> {
        if self.object.is_some() && !self.has(name) {
            self.fault(name, "is required");
        }
        self.optional(name, read)
    }

    /// A field of which `null` means something else than absence: `Some(None)` for `null`.
    #[expect(clippy::option_option, reason = "absent, null, or a value: that is what JSON has")]
    pub fn nullable<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.object.and_then(|object| object.get(name)) {
            Some(Value::Null) => {
                self.known.push(name);
                Some(None)
            }
            Some(_) => read(self).map(Some),
            None => {
                self.known.push(name);
                None
            }
        }
    }

    /// An object inside of this one, if it is there. Its unknown fields are refused too.
    pub fn nested<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Option<T> {
        let value = self.take(name)?;
        let mut inner = Fields::of(self.faults, self.pointer_to(name), value);
        let result = read(&mut inner);
        inner.refuse_unknown();
        result
    }

    /// As [`Fields::nested`], of an object that must be there.
    pub fn required_nested<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Fields<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.object.is_some() && !self.has(name) {
            self.fault(name, "is required");
        }
        self.nested(name, read)
    }

    /// An object whose names are the sender's own, at most `count_max` of them: metadata, settings, parameters.
    pub fn entries<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(&str, &'a Value) -> Result<T, String>,
    ) -> Option<Vec<(String, T)>> {
        let value = self.take(name)?;
        let Some(object) = value.as_object() else {
            self.fault(name, format!("must be an object, not {}", name_of(value)));
            return None;
        };
        if object.len() > count_max {
            self.fault(name, format!("must have at most {count_max} entries, not {}", object.len()));
            return None;
        }
        let mut entries = Vec::with_capacity(object.len());
        for (key, value) in object {
            match read(key, value) {
                Ok(read) => entries.push((key.clone(), read)),
                Err(detail) => {
                    let pointer = format!("{}/{}", self.pointer_to(name), escaped(key));
                    self.faults.borrow_mut().push(Fault::new(pointer, detail));
                }
            }
        }
        Some(entries)
    }

    /// An array of at most `count_max` items.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(&'a Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let value = self.take(name)?;
        let Some(array) = value.as_array() else {
            self.fault(name, format!("must be an array, not {}", name_of(value)));
            return None;
        };
        if array.len() > count_max {
            self.fault(name, format!("must have at most {count_max} items, not {}", array.len()));
            return None;
        }
        let mut items = Vec::with_capacity(array.len());
        for (index, item) in array.iter().enumerate() {
            match read(item) {
                Ok(read) => items.push(read),
                Err(detail) => {
                    let pointer = format!("{}/{index}", self.pointer_to(name));
                    self.faults.borrow_mut().push(Fault::new(pointer, detail));
                }
            }
        }
        Some(items)
    }

    /// An array of at most `count_max` objects, each read as [`Fields::nested`] reads one.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl Fn(&mut Fields<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = self.list(name, count_max, Ok)?;
        let pointer = self.pointer_to(name);
        let items = values.into_iter().enumerate().map(|(index, value)| {
            let mut inner = Fields::of(self.faults, format!("{pointer}/{index}"), value);
            let result = read(&mut inner);
            inner.refuse_unknown();
            result
        });
        // Every one of them is read before any is missed: all faults are told.
        items.collect::<Vec<_>>().into_iter().collect()
    }

    /// Whether the field is there and not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.object.and_then(|object| object.get(name)).is_some_and(|value| !value.is_null())
    }

    /// Whether the field is an array of nothing. A list that was read may be empty because no item could be.
    pub fn is_empty_list(&self, name: &str) -> bool {
        self.object.and_then(|object| object.get(name)?.as_array()).is_some_and(Vec::is_empty)
    }

    /// Tells a fault of the field `name`.
    pub fn fault(&self, name: &str, detail: impl Into<String>) {
        self.faults.borrow_mut().push(Fault::new(self.pointer_to(name), detail));
    }

    /// Names the fields that may be there and were not asked for, because something else ruled them out.
    pub fn know(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object?.get(name).filter(|value| !value.is_null())
    }

    fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escaped(name))
    }

    fn refuse_unknown(&self) {
        let Some(object) = self.object else { return };
        for name in object.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let detail = match nearest(name, self.known.iter().copied()) {
                Some(meant) => format!("is not known here; did you mean `{meant}`?"),
                None => format!("is not known here; known are: {}", self.known.join(", ")),
            };
            let quoted: String = name.chars().take(NAME_QUOTED_MAX).collect();
            self.fault(&quoted, detail);
        }
    }
}

/// The name that `name` was probably meant to be: at most a third of its characters differ.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(&name.chars().take(NAME_QUOTED_MAX).collect::<String>());
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A name as it stands in a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::kinds, *};

    fn faults(value: &Value) -> Vec<String> {
        let result = read(value, |fields| {
            let amount = fields.required("amount", kinds::whole(1..=100));
            let method = fields.optional("capture_method", kinds::text(1..=10));
            let name = fields.nested("customer", |customer| customer.required("name", kinds::text(1..=3)));
            fields.entries("metadata", 2, |_, value| kinds::text(0..=5)(value));
            fields.list("methods", 2, kinds::text(1..=4));
            amount.map(|amount| (amount, method, name))
        });
        result
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|fault| format!("{}: {}", fault.pointer, fault.detail))
            .collect()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let body = json!({
            "amount": 0, "capture_metod": "manual", "customer": {"name": "long name", "nick": 1},
            "metadata": {"a/b~c": 1, "ok": "x"}, "methods": ["card", 7], "zzz": true,
        });
        insta::assert_snapshot!(faults(&body).join("\n"), @r"
        /amount: must be at least 1
        /customer/name: must have at most 3 characters, not 9
        /customer/nick: is not known here; known are: name
        /metadata/a~1b~0c: must be a string, not a number
        /methods/1: must be a string, not a number
        /capture_metod: is not known here; did you mean `capture_method`?
        /zzz: is not known here; known are: amount, capture_method, customer, metadata, methods
        ");
    }

    #[test]
    fn null_counts_as_absent() {
        assert_eq!(faults(&json!({"amount": null, "customer": null})), ["/amount: is required"]);
        assert!(faults(&json!({"amount": 1, "customer": null, "metadata": null})).is_empty());
    }

    #[test]
    fn a_body_that_is_no_object_has_one_fault() {
        assert_eq!(faults(&json!([1])), [": must be an object, not an array"]);
        assert_eq!(faults(&json!({"amount": 1, "customer": 5})), ["/customer: must be an object, not a number"]);
    }

    #[test]
    fn faults_of_objects_in_an_array_have_their_places() {
        let body = json!({"legs": [{"target": "a"}, {"tarket": "b"}, 5, {"target": 1}]});
        let told = read(&body, |fields| fields.objects("legs", 4, |leg| leg.required("target", kinds::text(1..=5))))
            .unwrap_err();
        let told: Vec<_> = told.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
        assert_eq!(
            told,
            [
                "/legs/1/target: is required",
                "/legs/1/tarket: is not known here; did you mean `target`?",
                "/legs/2: must be an object, not a number",
                "/legs/3/target: must be a string, not a number"
            ]
        );
        let read = read(&json!({"legs": [{"target": "a"}, {"target": "b"}]}), |fields| {
            fields.objects("legs", 2, |leg| leg.required("target", kinds::text(1..=5)))
        });
        assert_eq!(read, Ok(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn counts_are_bounded() {
        let body = json!({"amount": 1, "metadata": {"a": "", "b": "", "c": ""}, "methods": ["a", "b", "c"]});
        let told = faults(&body);
        assert_eq!(
            told,
            ["/metadata: must have at most 2 entries, not 3", "/methods: must have at most 2 items, not 3"]
        );
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["payment_method", "amount", "currency", "order"];
        assert_eq!(nearest("paymentMethod", known), Some("payment_method"));
        assert_eq!(nearest("ammount", known), Some("amount"));
        assert_eq!(nearest("curency", known), Some("currency"));
        assert_eq!(nearest("odrer", known), Some("order"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
