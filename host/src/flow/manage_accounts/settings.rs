//! What a merchant enters for an account, held against what the connector's descriptor asks for. Pure.

use std::collections::BTreeMap;

use strsim::damerau_levenshtein;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    connector::types::{Descriptor, Setting, SettingKind},
    flow::{Fault, Refusal},
    vault::key_text,
    wire::Permit,
};

/// Settings as they were entered: a value, or none to take one back. Any of them may be a secret.
pub type Entered = Vec<(String, Option<Zeroizing<String>>)>;

/// What is to be kept: public settings in whole, and the secrets that were entered.
pub struct Checked {
    pub public: BTreeMap<String, String>,
    pub new_secrets: Vec<(String, Zeroizing<String>)>,
    pub removed_secrets: Vec<String>,
}

/// Which settings the account has already: none for a new one.
pub struct Present<'a> {
    pub public: &'a BTreeMap<String, String>,
    pub secrets: Vec<&'a str>,
    /// The account is there: its identity stands.
    pub is_made: bool,
}

/// Merges what was entered into what is present. Absent settings of a new account take the descriptor's defaults, which
/// are written down: a later version of the connector that has others does not move the account to another gateway.
pub fn merge(
    descriptor: &Descriptor,
    present: &Present<'_>,
    entered: Entered,
    allow_private_networks: bool,
) -> Result<Checked, Refusal> {
    let mut faults = Vec::new();
    let mut checked = Checked { public: present.public.clone(), new_secrets: Vec::new(), removed_secrets: Vec::new() };
    for (name, value) in entered {
        let Some(setting) = descriptor.settings.iter().find(|setting| setting.name == name) else {
            faults.push(Fault::new(pointer(&name), unknown(&name, descriptor)));
            continue;
        };
        if setting.identity && present.is_made && !is_same(present, setting, value.as_ref()) {
            return Err(Refusal::SettingIsIdentity { name });
        }
        if let Some(value) = &value
            && let Err(why) = check_value(setting, value, allow_private_networks)
        {
            faults.push(Fault::new(pointer(&name), why));
            continue;
        }
        match (setting.kind, value) {
            (SettingKind::Secret, Some(value)) => checked.new_secrets.push((name, value)),
            (SettingKind::Secret, None) => checked.removed_secrets.push(name),
            (SettingKind::Text | SettingKind::Url, Some(value)) => {
                checked.public.insert(name, value.as_str().to_owned());
            }
            (SettingKind::Text | SettingKind::Url, None) => {
                checked.public.remove(&name);
            }
        }
    }
    for setting in &descriptor.settings {
        complete(setting, present, &mut checked, &mut faults);
    }
    if faults.is_empty()
        && let Err(error) = Permit::new(descriptor, &checked.public.clone().into_iter().collect())
    {
        faults.push(Fault::new("/settings", error.to_string()));
    }
    if faults.is_empty() { Ok(checked) } else { Err(Refusal::Invalid(faults)) }
}

/// Fills in the default of a setting that is not there, or tells that it is missing.
fn complete(setting: &Setting, present: &Present<'_>, checked: &mut Checked, faults: &mut Vec<Fault>) {
    let name = &setting.name;
    let is_there = match setting.kind {
        SettingKind::Text | SettingKind::Url => checked.public.contains_key(name),
        SettingKind::Secret => {
            let kept = present.secrets.contains(&name.as_str()) && !checked.removed_secrets.contains(name);
            kept || checked.new_secrets.iter().any(|(new, _)| new == name)
        }
    };
    // What was entered and refused is told already; that it is missing as well would be confusing.
    let is_told = faults.iter().any(|fault| fault.pointer == pointer(name));
    if is_there || is_told {
        return;
    }
    match (&setting.default, setting.kind) {
        (Some(default), SettingKind::Text | SettingKind::Url) => {
            checked.public.insert(name.clone(), default.clone());
        }
        (_, _) if setting.required => faults.push(Fault::new(pointer(name), format!("is required: {}", setting.help))),
        (_, _) => {}
    }
}

/// Whether a setting that names the account keeps its value. Of a secret nobody is told whether it is the same.
fn is_same(present: &Present<'_>, setting: &Setting, value: Option<&Zeroizing<String>>) -> bool {
    match setting.kind {
        SettingKind::Text | SettingKind::Url => {
            value.is_some_and(|value| present.public.get(&setting.name) == Some(&**value))
        }
        SettingKind::Secret => false,
    }
}

fn check_value(setting: &Setting, value: &str, allow_private_networks: bool) -> Result<(), String> {
    match setting.kind {
        SettingKind::Text => Ok(()),
        SettingKind::Url => check_url(value, allow_private_networks),
        SettingKind::Secret => {
            key_text::decode(setting.key_encoding, value.as_bytes()).map(drop).map_err(|fault| fault.to_string())
        }
    }
}

/// A URL below which requests will go: nothing in it but scheme, host, port and path.
fn check_url(value: &str, allow_private_networks: bool) -> Result<(), String> {
    let url = Url::parse(value).map_err(|fault| format!("is not an absolute URL: {fault}"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private_networks => {}
        "http" => return Err("must be an https URL; plain http is for development alone".to_owned()),
        _ => return Err("must be an https URL".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or a fragment: requests are made below it".to_owned());
    }
    Ok(())
}

/// The payment methods to which an account is narrowed: a subset of the connector's.
pub fn check_methods(descriptor: &Descriptor, methods: &[String]) -> Result<(), Vec<Fault>> {
    if methods.is_empty() {
        let detail = "must name at least one method; `enabled: false` takes the account out of routing";
        return Err(vec![Fault::new("/methods", detail)]);
    }
    let mut faults = Vec::new();
    for (index, method) in methods.iter().enumerate() {
        let earlier = methods.get(..index).unwrap_or_default();
        if !descriptor.methods.contains(method) {
            let detail = format!("is not a method of this connector, which has: {}", descriptor.methods.join(", "));
            faults.push(Fault::new(format!("/methods/{index}"), detail));
        } else if earlier.contains(method) {
            faults.push(Fault::new(format!("/methods/{index}"), "is named twice"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn unknown(name: &str, descriptor: &Descriptor) -> String {
    let known = descriptor.settings.iter().map(|setting| setting.name.as_str());
    let near = known
        .clone()
        .map(|candidate| (damerau_levenshtein(&name.to_ascii_lowercase(), candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min();
    if let Some((_, meant)) = near {
        return format!("is not a setting of this connector; did you mean `{meant}`?");
    }
    let known: Vec<_> = known.collect();
    format!("is not a setting of this connector, which has: {}", known.join(", "))
}

/// Where a setting stands in the body (RFC 6901).
fn pointer(name: &str) -> String {
    format!("/settings/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::types::{Features, KeyEncoding};

    fn setting(name: &str, kind: SettingKind) -> Setting {
        Setting {
            name: name.to_owned(),
            kind,
            key_encoding: KeyEncoding::Utf8,
            required: false,
            default: None,
            help: format!("the {name}"),
            identity: false,
        }
    }

    fn descriptor() -> Descriptor {
        Descriptor {
            name: "mock".to_owned(),
            version: "1.0.0".to_owned(),
            display_name: "Mock".to_owned(),
            methods: vec!["card".to_owned(), "upi_collect".to_owned()],
            currencies: vec![],
            origins: vec!["setting:base_url".to_owned()],
            settings: vec![
                Setting { required: true, identity: true, ..setting("base_url", SettingKind::Url) },
                Setting { required: true, ..setting("api_key", SettingKind::Secret) },
                Setting { key_encoding: KeyEncoding::Hex, ..setting("webhook_secret", SettingKind::Secret) },
                Setting { default: Some("safe".to_owned()), ..setting("resend", SettingKind::Text) },
            ],
            placements: vec![],
            operations: vec![],
            features: Features { partial_capture: true, multiple_capture: true, partial_refund: true, cancel: true },
        }
    }

    fn entered(settings: &[(&str, Option<&str>)]) -> Entered {
        settings.iter().map(|(name, value)| ((*name).to_owned(), value.map(|v| Zeroizing::new(v.to_owned())))).collect()
    }

    fn nothing() -> &'static BTreeMap<String, String> {
        static NOTHING: BTreeMap<String, String> = BTreeMap::new();
        &NOTHING
    }

    fn new(settings: &[(&str, Option<&str>)]) -> Result<Checked, Vec<String>> {
        let present = Present { public: nothing(), secrets: vec![], is_made: false };
        merge(&descriptor(), &present, entered(settings), true).map_err(|refusal| match refusal {
            Refusal::Invalid(faults) => {
                faults.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect()
            }
            other => vec![other.to_string()],
        })
    }

    #[test]
    fn defaults_are_written_down() {
        let checked = new(&[("base_url", Some("http://127.0.0.1:1")), ("api_key", Some("k"))]).ok().unwrap();
        let public: Vec<_> = checked.public.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(public, ["base_url=http://127.0.0.1:1", "resend=safe"]);
        assert_eq!(checked.new_secrets.len(), 1);
    }

    #[test]
    fn every_fault_is_told() {
        let faults = new(&[
            ("base_url", Some("ftp://a")),
            ("webhook_secret", Some("no hex")),
            ("apikey", Some("k")),
            ("colour", Some("red")),
        ]);
        insta::assert_snapshot!(faults.err().unwrap().join("\n"), @r"
        /settings/base_url: must be an https URL
        /settings/webhook_secret: must be written in hexadecimal digits, two for each byte
        /settings/apikey: is not a setting of this connector; did you mean `api_key`?
        /settings/colour: is not a setting of this connector, which has: base_url, api_key, webhook_secret, resend
        /settings/api_key: is required: the api_key
        ");
    }

    #[test]
    fn base_urls_are_plain() {
        for refused in
            ["/relative", "https://u:p@a.example", "https://a.example/?q=1", "https://a.example/#f", "mailto:a@b"]
        {
            assert!(check_url(refused, true).is_err(), "{refused}");
        }
        assert!(check_url("http://a.example", false).is_err());
        assert!(check_url("http://a.example", true).is_ok());
        assert!(check_url("https://a.example/tenant/", false).is_ok());
    }

    #[test]
    fn the_identity_stands_and_required_settings_stay() {
        let public = BTreeMap::from([("base_url".to_owned(), "https://a.example".to_owned())]);
        let present = || Present { public: &public, secrets: vec!["api_key", "webhook_secret"], is_made: true };
        let change = |settings: &[(&str, Option<&str>)]| merge(&descriptor(), &present(), entered(settings), true);
        let same = change(&[("base_url", Some("https://a.example")), ("resend", Some("never"))]).ok().unwrap();
        assert_eq!(same.public.get("resend").map(String::as_str), Some("never"));
        for other in [Some("https://b.example"), None] {
            let refused = change(&[("base_url", other)]).err();
            assert!(matches!(refused, Some(Refusal::SettingIsIdentity { name }) if name == "base_url"));
        }
        assert!(matches!(change(&[("api_key", None)]).err(), Some(Refusal::Invalid(_))));
        assert_eq!(change(&[("webhook_secret", None)]).ok().unwrap().removed_secrets, ["webhook_secret"]);
    }

    #[test]
    fn methods_are_a_subset() {
        let of = |methods: &[&str]| {
            let methods: Vec<_> = methods.iter().map(ToString::to_string).collect();
            check_methods(&descriptor(), &methods).err().map(|faults| faults.len())
        };
        assert_eq!(of(&["card"]), None);
        assert_eq!(of(&["card", "upi_collect"]), None);
        assert_eq!(of(&[]), Some(1));
        assert_eq!(of(&["card", "card", "cash"]), Some(2));
    }
}
