//! Checks what a component says of itself.
//!
//! The descriptor is what an operator approves and what the wire enforces, so it must mean one thing: names that are
//! declared, origins that are origins and nothing more, holes that exist, everything once.

use std::{collections::HashSet, hash::Hash};

use url::Url;

use super::{
    sanity::is_currency,
    types::{Descriptor, Location, OperationRules, Placement, Resolution, Setting, SettingKind},
};

const NAME_MAX_BYTES: usize = 63;
const DISPLAY_NAME_MAX_BYTES: usize = 100;
const HELP_MAX_BYTES: usize = 1000;
/// Paths, names of headers and fields, JSON pointers: each is read by an operator.
const PLACE_MAX_BYTES: usize = 255;
const METHODS_MAX: usize = 64;
const CURRENCIES_MAX: usize = 256;
const ORIGINS_MAX: usize = 32;
const SETTINGS_MAX: usize = 64;
const PLACEMENTS_MAX: usize = 256;
const RESOLUTIONS_MAX: usize = 8;
/// No gateway keeps an idempotency key for longer than this, and no operation takes longer to settle.
const SECONDS_MAX: u32 = 366 * 24 * 3600;

const METHODS: [&str; 5] = ["card", "upi_collect", "upi_intent", "upi_qr", "gateway_token"];
const WALLET: &str = "wallet:";
/// Says that an origin is what the named setting of the account holds.
const SETTING: &str = "setting:";
const SECRET: &str = "secret:";
const SESSION: &str = "session:";
const COMPUTED: &str = "computed:";
/// The holes that are filled from the payment method.
const HOLES: [&str; 8] = [
    "card-number",
    "card-cvc",
    "card-holder",
    "card-expiry-month",
    "card-expiry-year",
    "card-expiry-year-short",
    "wallet-token",
    "gateway-token",
];

/// Everything that is wrong with it, as sentences for its author.
pub fn check(descriptor: &Descriptor) -> Vec<String> {
    let mut faults = Vec::new();
    let found = &mut faults;
    identity(descriptor, found);
    abilities(descriptor, found);
    few("settings", descriptor.settings.len(), SETTINGS_MAX, found);
    once("settings", descriptor.settings.iter().map(|setting| &setting.name), found);
    descriptor.settings.iter().for_each(|declared| setting(declared, found));
    few("origins", descriptor.origins.len(), ORIGINS_MAX, found);
    once("origins", &descriptor.origins, found);
    if descriptor.origins.is_empty() {
        found.push("`origins` is empty: it could ask nobody".to_owned());
    }
    descriptor.origins.iter().for_each(|declared| origin(declared, descriptor, found));
    few("placements", descriptor.placements.len(), PLACEMENTS_MAX, found);
    descriptor.placements.iter().for_each(|declared| placement(declared, descriptor, found));
    faults
}

fn identity(descriptor: &Descriptor, faults: &mut Vec<String>) {
    let name = &descriptor.name;
    let good = name.len() <= NAME_MAX_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !good {
        faults.push(format!(
            "the name {name:?} is not made of lower-case letters, digits and hyphens, beginning with a letter and with \
             at most {NAME_MAX_BYTES} of them"
        ));
    }
    if let Err(error) = semver::Version::parse(&descriptor.version) {
        faults.push(format!("the version {:?} is not a semantic version: {error}", descriptor.version));
    }
    words("the display name", &descriptor.display_name, DISPLAY_NAME_MAX_BYTES, faults);
}

fn abilities(descriptor: &Descriptor, faults: &mut Vec<String>) {
    few("methods", descriptor.methods.len(), METHODS_MAX, faults);
    once("methods", &descriptor.methods, faults);
    if descriptor.methods.is_empty() {
        faults.push("`methods` is empty: it could pay with nothing".to_owned());
    }
    for method in &descriptor.methods {
        let known = match method.strip_prefix(WALLET) {
            Some(provider) => is_identifier(provider),
            None => METHODS.contains(&method.as_str()),
        };
        if !known {
            faults.push(format!("the method {method:?} is not one of {}, wallet:<provider>", METHODS.join(", ")));
        }
    }
    few("currencies", descriptor.currencies.len(), CURRENCIES_MAX, faults);
    once("currencies", &descriptor.currencies, faults);
    for currency in descriptor.currencies.iter().filter(|code| !is_currency(code)) {
        faults.push(format!("the currency {currency:?} is not three capitals"));
    }
    once("operations", descriptor.operations.iter().map(|rules| rules.kind), faults);
    if descriptor.operations.is_empty() {
        faults.push("`operations` is empty: it could do nothing".to_owned());
    }
    descriptor.operations.iter().for_each(|declared| rules(declared, faults));
}

fn rules(rules: &OperationRules, faults: &mut Vec<String>) {
    few(&format!("the resolutions of {:?}", rules.kind), rules.resolutions.len(), RESOLUTIONS_MAX, faults);
    let windows = rules.resolutions.iter().filter_map(|resolution| match resolution {
        Resolution::Resend(seconds) | Resolution::FindByOperationId(seconds) => Some(*seconds),
        Resolution::GetByReference | Resolution::AwaitWebhook | Resolution::CancelByOperationId => None,
    });
    if windows.chain([rules.settles_within_seconds]).any(|seconds| seconds > SECONDS_MAX) {
        faults.push(format!("a time of {:?} is longer than a year", rules.kind));
    }
}

fn setting(setting: &Setting, faults: &mut Vec<String>) {
    let name = &setting.name;
    if !is_identifier(name) {
        faults.push(format!("the setting {name:?} is not named with lower-case letters, digits and underscores"));
    }
    if setting.help.len() > HELP_MAX_BYTES || !reads_as_written(&setting.help) {
        faults
            .push(format!("the help of the setting {name:?} is not at most {HELP_MAX_BYTES} bytes of printable text"));
    }
    match (setting.kind, &setting.default) {
        (SettingKind::Secret, Some(_)) => {
            faults.push(format!("the secret {name:?} has a default: it would be no secret"));
        }
        (SettingKind::Url, Some(url)) if Url::parse(url).is_err() => {
            faults.push(format!("the default of the setting {name:?} is not a URL"));
        }
        (SettingKind::Text | SettingKind::Url | SettingKind::Secret, _) => {}
    }
}

fn origin(origin: &str, descriptor: &Descriptor, faults: &mut Vec<String>) {
    if let Some(name) = origin.strip_prefix(SETTING) {
        let declared = descriptor.settings.iter().any(|s| s.name == name && s.kind == SettingKind::Url);
        if !declared {
            faults.push(format!("the origin {origin:?} names a setting that is not declared as a URL"));
        }
        return;
    }
    let is_origin =
        Url::parse(origin).is_ok_and(|url| url.scheme() == "https" && url.origin().ascii_serialization() == origin);
    if !is_origin {
        faults.push(format!(
            "the origin {origin:?} is neither https://host[:port], in lower case and with nothing after it, nor setting:<name>"
        ));
    }
}

fn placement(placement: &Placement, descriptor: &Descriptor, faults: &mut Vec<String>) {
    let Placement { hole, origin, path_prefix, name, .. } = placement;
    if !is_hole(hole, descriptor) {
        faults.push(format!(
            "the hole {hole:?} is not one of {}, secret:<a declared secret>, session:<name>",
            HOLES.join(", ")
        ));
    }
    if !descriptor.origins.contains(origin) {
        faults.push(format!("a placement of {hole:?} names the origin {origin:?}, which is not declared"));
    }
    if !path_prefix.starts_with('/')
        || !is_place(path_prefix)
        || !path_prefix.bytes().all(|byte| byte.is_ascii_graphic())
    {
        faults.push(format!(
            "a placement of {hole:?} has the path prefix {path_prefix:?}, which does not begin with / or is not at most \
             {PLACE_MAX_BYTES} bytes of visible ASCII without `"
        ));
    }
    let named = is_place(name)
        && match placement.location {
            Location::Header => {
                !name.bytes().any(|byte| byte.is_ascii_uppercase())
                    && http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            }
            Location::FormField => !name.is_empty(),
            Location::JsonString => name.starts_with('/'),
            Location::RawBody => true,
        };
    if !named {
        faults.push(format!(
            "a placement of {hole:?} has the name {name:?}, which is no {}",
            match placement.location {
                Location::Header => "header in lower case",
                Location::FormField => "form field",
                Location::JsonString => "JSON pointer",
                Location::RawBody => "text that can be shown",
            }
        ));
    }
}

fn is_hole(hole: &str, descriptor: &Descriptor) -> bool {
    if let Some(name) = hole.strip_prefix(SECRET) {
        return descriptor.settings.iter().any(|s| s.name == name && s.kind == SettingKind::Secret);
    }
    match hole.strip_prefix(SESSION).or_else(|| hole.strip_prefix(COMPUTED)) {
        Some(name) => is_identifier(name),
        None => HOLES.contains(&hole),
    }
}

fn is_identifier(name: &str) -> bool {
    (1..=NAME_MAX_BYTES).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a report can quote it: what encloses it there is a backtick, and it cannot end the sentence by one of its own.
fn is_place(text: &str) -> bool {
    text.len() <= PLACE_MAX_BYTES && !text.contains('`') && reads_as_written(text)
}

/// Whether a person who reads it sees what it says: nothing moves the cursor, turns the order of letters, or is not seen.
fn reads_as_written(text: &str) -> bool {
    !text.chars().any(|character| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    })
}

fn words(what: &str, text: &str, max_bytes: usize, faults: &mut Vec<String>) {
    if text.trim().is_empty() || text.len() > max_bytes || !reads_as_written(text) {
        faults.push(format!("{what} is not 1 to {max_bytes} bytes of printable text"));
    }
}

fn few(what: &str, count: usize, max: usize, faults: &mut Vec<String>) {
    if count > max {
        faults.push(format!("{what}: {count} entries, at most {max} are allowed"));
    }
}

fn once<T: Eq + Hash>(what: &str, entries: impl IntoIterator<Item = T>, faults: &mut Vec<String>) {
    let mut seen = HashSet::new();
    if !entries.into_iter().all(|entry| seen.insert(entry)) {
        faults.push(format!("{what}: an entry is there twice"));
    }
}
