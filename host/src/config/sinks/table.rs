//! The table of settings of a sink, and what one `[sinks.NAME]` table and its variables say of them.

use std::collections::BTreeMap;

use strum::{EnumString, IntoStaticStr};

use super::super::{
    ConfigError,
    layers::{Fault, SINKS_PREFIX, Said, SinkLayers, nearest_of, shown},
};

/// Which kind of broker a sink publishes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    Nats,
    Kafka,
}

/// One setting of a sink.
pub struct Key {
    /// Its key in the sink's table.
    pub name: &'static str,
    /// Which kind of sink has it; none: all of them.
    kind: Option<Kind>,
    /// Its value is never repeated.
    secret: bool,
}

impl Key {
    const fn all(name: &'static str) -> Self {
        Self { name, kind: None, secret: false }
    }

    const fn of(kind: Kind, name: &'static str) -> Self {
        Self { name, kind: Some(kind), secret: false }
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

pub const KIND: Key = Key::all("kind");
pub const SERVERS: Key = Key::all("servers");
pub const FROM: Key = Key::all("from");
pub const IN_FLIGHT_MAX: Key = Key::all("in_flight_max");
pub const ON_REFUSED: Key = Key::all("on_refused");
pub const USER: Key = Key::all("user");
pub const PASSWORD: Key = Key::all("password").secret();
pub const TLS: Key = Key::all("tls");
pub const TLS_CA: Key = Key::all("tls_ca");
pub const TLS_CERT: Key = Key::all("tls_cert");
pub const TLS_KEY: Key = Key::all("tls_key");
pub const STREAM: Key = Key::of(Kind::Nats, "stream");
pub const CREATE_STREAM: Key = Key::of(Kind::Nats, "create_stream");
pub const SUBJECT_PREFIX: Key = Key::of(Kind::Nats, "subject_prefix");
pub const KEY_IN_SUBJECT: Key = Key::of(Kind::Nats, "key_in_subject");
pub const TOKEN: Key = Key::of(Kind::Nats, "token").secret();
pub const CREDENTIALS_FILE: Key = Key::of(Kind::Nats, "credentials_file");
pub const TOPIC: Key = Key::of(Kind::Kafka, "topic");
pub const SASL_MECHANISM: Key = Key::of(Kind::Kafka, "sasl_mechanism");

const KEYS: &[&Key] = &[
    &KIND,
    &SERVERS,
    &FROM,
    &IN_FLIGHT_MAX,
    &ON_REFUSED,
    &USER,
    &PASSWORD,
    &TLS,
    &TLS_CA,
    &TLS_CERT,
    &TLS_KEY,
    &STREAM,
    &CREATE_STREAM,
    &SUBJECT_PREFIX,
    &KEY_IN_SUBJECT,
    &TOKEN,
    &CREDENTIALS_FILE,
    &TOPIC,
    &SASL_MECHANISM,
];

/// What is said about one sink, by the key: variables go before the table.
pub struct Table {
    pub name: String,
    said: BTreeMap<&'static str, Said>,
}

impl Table {
    /// Where a key that nobody set would stand.
    pub fn place(&self, key: &Key) -> String {
        format!("sinks.{}.{}", self.name, key.name)
    }

    /// Reads `key` with `parse`; none where nobody says anything.
    pub fn read<T>(&self, key: &Key, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Result<Option<T>, ConfigError> {
        let Some(said) = self.said.get(key.name) else { return Ok(None) };
        parse(said.text.trim()).map(Some).map_err(|fault| {
            let what = if key.secret { fault.what } else { format!("is `{}`: {}", shown(&said.text), fault.what) };
            ConfigError::new(&said.place, what, fault.advice)
        })
    }

    /// As [`Table::read`], where the sink cannot do without.
    pub fn needed<T>(
        &self,
        key: &Key,
        advice: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<T, ConfigError> {
        self.read(key, parse)?.ok_or_else(|| ConfigError::new(&self.place(key), "is not set".into(), advice.into()))
    }

    /// Refuses what the table says and a sink of this kind does not know.
    pub fn check(&self, kind: Kind) -> Result<(), ConfigError> {
        for key in KEYS.iter().filter(|key| key.kind.is_some_and(|other| other != kind)) {
            if let Some(said) = self.said.get(key.name) {
                let kind: &str = kind.into();
                let advice = format!("take it away; {}", list(Some(kind)));
                return Err(ConfigError::new(&said.place, format!("is no setting of a sink of kind {kind}"), advice));
            }
        }
        Ok(())
    }
}

/// The tables, each with its variables, and what is wrong with variables that belong to none.
pub fn tables(layers: &SinkLayers) -> Result<(Vec<Table>, Vec<String>), ConfigError> {
    let mut claimed = BTreeMap::new();
    let mut tables = Vec::new();
    for (name, texts) in &layers.tables {
        let mut said = BTreeMap::new();
        for (key, value) in texts {
            let Some(known) = KEYS.iter().find(|known| known.name == key) else {
                let advice = match nearest_of(key, KEYS.iter().map(|known| (known.name, known.name))) {
                    Some(near) => format!("did you mean {near}?"),
                    None => list(None),
                };
                return Err(ConfigError::new(&value.place, "is no setting of a sink".into(), advice));
            };
            said.insert(known.name, value.clone());
        }
        for key in KEYS {
            let variable = variable(name, key);
            let Some(value) = layers.variables.get(&variable) else { continue };
            said.insert(key.name, value.clone());
            // `create_stream` of `a` and `stream` of `a_create` are one variable.
            if let Some(other) = claimed.insert(variable, name) {
                let what = format!("is a setting of sinks.{other} and of sinks.{name}");
                return Err(ConfigError::new(&value.place, what, "give one of them another name".into()));
            }
        }
        tables.push(Table { name: name.clone(), said });
    }
    let known = || layers.tables.keys().flat_map(|name| KEYS.iter().map(|key| variable(name, key)));
    let unclaimed = layers.variables.keys().filter(|name| !claimed.contains_key(*name));
    let doubts = unclaimed.map(|name| match nearest_of(name, known().map(|known| (known.clone(), known))) {
        Some(near) => format!("{name} is no setting of a sink; did you mean {near}?"),
        None => format!("{name} is no setting: no [sinks.NAME] table of the file has that name"),
    });
    Ok((tables, doubts.collect()))
}

/// The variable that goes before a key of a sink's table.
fn variable(sink: &str, key: &Key) -> String {
    format!("{SINKS_PREFIX}{}_{}", sink.to_uppercase(), key.name.to_uppercase())
}

/// All settings, or those of one kind, for a person.
fn list(kind: Option<&str>) -> String {
    let keys = KEYS.iter().filter(|key| kind.is_none() || key.kind.is_none_or(|own| kind == Some(own.into())));
    format!("a sink has {}", keys.map(|key| key.name).collect::<Vec<_>>().join(", "))
}
