//! What an operator would have entered: the gateway account's settings and secrets, and the customer's card.

use std::{collections::BTreeMap, env, fs, path::Path};

use anyhow::{Context as _, bail};
use chrono::Datelike as _;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::RecordArguments;
use crate::{
    cli::failure::Usage,
    clock::{Clock, Ids},
    connector::types::{self, Context, Descriptor, SettingKind},
    flow::{
        Refusal,
        manage_accounts::{self, Entered},
    },
    vault::{CardEntry, Holes, Secret},
};

/// Cards that gateways' test modes know.
const TEST_CARDS: [(&str, &str, &str); 3] = [
    ("visa", "4242424242424242", "123"),
    ("mastercard", "5555555555554444", "123"),
    ("amex", "378282246310005", "1234"),
];
/// They are good for so many years from now.
const GOOD_FOR_YEARS: i32 = 4;

/// All of it. Has secrets: no Debug.
pub struct Given {
    settings: BTreeMap<String, String>,
    secrets: Vec<(String, types::KeyEncoding, Zeroizing<String>)>,
    card: CardEntry,
    token: Option<Zeroizing<String>>,
}

/// A card's file, read where it lies: nothing of it is copied.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile<'a> {
    number: &'a str,
    expiry_month: i64,
    expiry_year: i64,
    cvc: Option<&'a str>,
    holder: Option<&'a str>,
}

impl Given {
    /// Checked as a host does it where an account is made.
    pub fn read(arguments: &RecordArguments, descriptor: &Descriptor, clock: &Clock) -> anyhow::Result<Self> {
        let mut entered: Entered = Vec::new();
        let is_secret =
            |name: &str| descriptor.settings.iter().any(|it| it.name == name && it.kind == SettingKind::Secret);
        for setting in &arguments.settings {
            let (name, value) = pair(setting, "--setting base_url=https://api.example.com")?;
            if is_secret(name) {
                let says = "is a secret, and now stands in your shell's history; give it as --secret";
                return Err(Usage(format!("{name} {says} {name}=env:VARIABLE or {name}=file:PATH")).into());
            }
            entered.push((name.to_owned(), Some(Zeroizing::new(value.to_owned()))));
        }
        for secret in &arguments.secrets {
            let (name, place) = pair(secret, "--secret api_key=env:API_KEY")?;
            if !is_secret(name) && descriptor.settings.iter().any(|setting| setting.name == name) {
                return Err(
                    Usage(format!("{name} is no secret, and would stand in the cassette; use --setting")).into()
                );
            }
            entered.push((name.to_owned(), Some(from(place)?)));
        }
        let checked = manage_accounts::check_new(descriptor, entered, arguments.allow_private)
            .map_err(|refusal| told(refusal, arguments.allow_private))?;
        let encoding = |name: &str| {
            let setting = descriptor.settings.iter().find(|setting| setting.name == name);
            setting.map_or(types::KeyEncoding::Utf8, |setting| setting.key_encoding)
        };
        let secrets = checked.new_secrets.into_iter().map(|(name, value)| {
            let encoding = encoding(&name);
            (name, encoding, value)
        });
        Ok(Self {
            settings: checked.public,
            secrets: secrets.collect(),
            card: card(&arguments.card, clock)?,
            token: arguments.token.as_deref().map(from).transpose()?,
        })
    }

    /// What the run may depend on.
    pub fn context(&self, clock: &Clock, ids: &Ids) -> Context {
        Context {
            settings: self.pairs(),
            now: u64::try_from(clock.now().timestamp_millis()).unwrap_or(0),
            nonce: ids.nonce().to_vec(),
        }
    }

    /// The settings that a connector sees.
    pub fn pairs(&self) -> types::Pairs {
        self.settings.clone().into_iter().collect()
    }

    /// What a connector may know of the card.
    pub fn card(&self) -> types::Card {
        let card = &self.card.card;
        types::Card {
            brand: card.brand().to_string(),
            bin: card.bin().to_owned(),
            last4: card.last4().to_owned(),
            has_cvc: self.card.has_cvc(),
            has_holder: card.has_holder(),
        }
    }

    /// Whether there is a wallet's or a gateway's token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What fills the holes.
    pub fn holes(&self) -> Holes {
        let mut holes = Holes::new().with_card(&self.card.card);
        if let Some(code) = &self.card.code {
            holes = holes.with_code(Secret::new(code.expose().to_vec()));
        }
        for (name, encoding, value) in &self.secrets {
            holes = holes.with_secret(name, *encoding, vec![Secret::from(value.as_str())]);
        }
        match &self.token {
            Some(token) => holes.with_wallet_token(token.as_str().into()).with_gateway_token(token.as_str().into()),
            None => holes,
        }
    }
}

fn pair<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), Usage> {
    // Not quoted: it may be a secret, written where it does not belong.
    text.split_once('=').ok_or_else(|| Usage(format!("a setting is a name, `=` and a value, such as {example}")))
}

/// The value at a place.
fn from(place: &str) -> anyhow::Result<Zeroizing<String>> {
    if let Some(variable) = place.strip_prefix("env:") {
        let value = env::var(variable).map_err(|_| Usage(format!("the variable {variable} is not set to any text")))?;
        return Ok(Zeroizing::new(value));
    }
    if let Some(path) = place.strip_prefix("file:") {
        let text = Zeroizing::new(fs::read_to_string(path).with_context(|| format!("{path} could not be read"))?);
        // Editors end files with a line's end, and no key has one.
        return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Err(Usage("a secret is named by where it is, as env:VARIABLE or file:PATH; it cannot stand here itself".into())
        .into())
}

fn card(named: &str, clock: &Clock) -> anyhow::Result<CardEntry> {
    let now = clock.now();
    let month = (now.year(), now.month());
    let parsed = match TEST_CARDS.iter().find(|(name, ..)| *name == named) {
        Some((_, number, code)) => {
            let year = i64::from(now.year() + GOOD_FOR_YEARS);
            CardEntry::parse(number, 12, year, Some(code), None, month)
        }
        None if Path::new(named).exists() => {
            let text = Zeroizing::new(fs::read_to_string(named).with_context(|| format!("{named} could not be read"))?);
            let Ok(file) = serde_json::from_str::<CardFile<'_>>(&text) else {
                // What the parser says may quote the card.
                bail!(Usage(format!(
                    "{named} is no card: JSON with number, expiry_month, expiry_year, cvc and holder"
                )));
            };
            CardEntry::parse(file.number, file.expiry_month, file.expiry_year, file.cvc, file.holder, month)
        }
        None => {
            let names: Vec<_> = TEST_CARDS.iter().map(|(name, ..)| *name).collect();
            bail!(Usage(format!("--card names no file, and none of the test cards {}", names.join(", "))));
        }
    };
    parsed.map_err(|faults| {
        let faults: Vec<String> = faults.into_iter().map(|fault| format!("{} {}", fault.field, fault.why)).collect();
        Usage(format!("the card cannot be used: {}", faults.join("; "))).into()
    })
}

fn told(refusal: Refusal, allow_private: bool) -> anyhow::Error {
    let Refusal::Invalid(faults) = refusal else { return anyhow::Error::new(refusal) };
    let told = |name: &str| name.trim_start_matches("/settings/").to_owned();
    let faults: Vec<String> =
        faults.into_iter().map(|fault| format!("{} {}", told(&fault.pointer), fault.detail)).collect();
    let private = if allow_private { "" } else { "; --allow-private lets a stub be spoken to over plain HTTP" };
    Usage(format!("the settings make no account: {}{private}", faults.join("; "))).into()
}
