//! The `[sinks.NAME]` tables: streams that every event is published to, and how to reach their brokers.
//!
//! A table stands in `interlock.toml` alone; `INTERLOCK_SINKS_NAME_KEY` goes before what it says, so that a secret need
//! not stand in the file.

mod table;
#[cfg(test)]
mod tests;

use std::{ops::RangeInclusive, path::PathBuf};

use strum::{EnumString, IntoStaticStr};
use table::{Kind, Table};

use super::{ConfigError, Hidden, Layers, layers::Fault, values};

/// One stream. Has no Debug: it holds secrets.
#[derive(Clone)]
pub struct SinkSettings {
    /// Its table's name; its cursor and its metrics go by it.
    pub name: String,
    /// Where it begins, where it has no cursor yet.
    pub from: Begin,
    /// Events that are published and not yet acknowledged, at most.
    pub in_flight_max: usize,
    /// What becomes of an event that the broker will never take.
    pub on_refused: OnRefused,
    pub broker: Broker,
}

/// Where a sink that is new begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Begin {
    /// With what happens from its first start on.
    Now,
    /// With the oldest event that is kept.
    Beginning,
}

/// What becomes of an event that the broker will never take, such as one above its limit of size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum OnRefused {
    /// The sink stands still until the broker takes it: nothing is lost in silence.
    Stop,
    /// It is left out, with a line in the log.
    Skip,
}

/// Where a sink publishes to.
#[derive(Clone)]
pub enum Broker {
    Nats(NatsSettings),
    Kafka(KafkaSettings),
}

/// A stream of NATS `JetStream`.
#[derive(Clone)]
pub struct NatsSettings {
    /// `nats://host:port`, without user or password.
    pub servers: Vec<String>,
    pub stream: String,
    /// Makes the stream where there is none.
    pub create_stream: bool,
    /// Subjects are this, a point, and the event's type.
    pub subject_prefix: String,
    /// Subjects end with the message's key.
    pub key_in_subject: bool,
    pub login: NatsLogin,
    pub tls: Tls,
}

/// How NATS is told who we are.
#[derive(Clone)]
pub enum NatsLogin {
    Nobody,
    Token(Hidden<String>),
    User {
        user: String,
        password: Hidden<String>,
    },
    /// A file as `nsc` writes it: a token and a key.
    CredentialsFile(PathBuf),
}

/// A topic of Kafka.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`
    pub servers: Vec<String>,
    pub topic: String,
    pub login: Option<Sasl>,
    pub tls: Tls,
}

/// How Kafka is told who we are.
#[derive(Clone)]
pub struct Sasl {
    pub mechanism: Mechanism,
    pub user: String,
    pub password: Hidden<String>,
}

/// Kinds of SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
pub enum Mechanism {
    #[strum(serialize = "PLAIN")]
    Plain,
    #[strum(serialize = "SCRAM-SHA-256")]
    ScramSha256,
    #[strum(serialize = "SCRAM-SHA-512")]
    ScramSha512,
}

/// How a connection to a broker is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// No connection without it.
    pub required: bool,
    /// PEM file of the authority to believe; none: the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of our own certificate and its private key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Sinks of one host at most: each is a task and some connections.
const SINKS_MAX: usize = 16;
/// Characters of a sink's name at most.
const NAME_MAX_CHARS: usize = 40;
/// Unacknowledged events of a sink where nobody says: enough to keep a broker busy that answers in some milliseconds.
const IN_FLIGHT_DEFAULT: usize = 256;
/// More are memory without use: a batch of the log is not larger.
const IN_FLIGHT: RangeInclusive<u64> = 1..=1_000;
/// Characters of a stream's or topic's name at most; Kafka's own bound.
const TARGET_MAX_CHARS: usize = 249;
const TOPIC_DEFAULT: &str = "interlock.events";
const STREAM_DEFAULT: &str = "INTERLOCK";
const PREFIX_DEFAULT: &str = "interlock";

/// Every sink, and what is probably not meant.
pub(super) fn read(layers: &Layers) -> Result<(Vec<SinkSettings>, Vec<String>), ConfigError> {
    let (tables, mut doubts) = table::tables(&layers.sinks)?;
    if tables.len() > SINKS_MAX {
        return Err(ConfigError::new("sinks", format!("are {}", tables.len()), format!("write at most {SINKS_MAX}")));
    }
    let sinks = tables.iter().map(sink).collect::<Result<Vec<_>, _>>()?;
    for sink in &sinks {
        let (tls, says_password) = match &sink.broker {
            Broker::Nats(NatsSettings { login, tls, .. }) => {
                (tls, matches!(login, NatsLogin::User { .. } | NatsLogin::Token(_)))
            }
            Broker::Kafka(KafkaSettings { login, tls, .. }) => {
                (tls, login.as_ref().is_some_and(|sasl| sasl.mechanism == Mechanism::Plain))
            }
        };
        if says_password && !tls.required {
            doubts.push(format!("sinks.{0} sends its secret in clear; write sinks.{0}.tls = true", sink.name));
        }
    }
    Ok((sinks, doubts))
}

fn sink(table: &Table) -> Result<SinkSettings, ConfigError> {
    let name = &table.name;
    let is_plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    if name.len() > NAME_MAX_CHARS
        || !name.starts_with(|sign: char| sign.is_ascii_lowercase())
        || !name.chars().all(is_plain)
    {
        let advice = format!("call it by at most {NAME_MAX_CHARS} of a-z, 0-9 and _, a letter first");
        return Err(ConfigError::new(
            &format!("sinks.{}", name.escape_debug()),
            "cannot be called that".into(),
            advice,
        ));
    }
    let kind =
        table.needed(&table::KIND, "write kind = \"nats\" or kind = \"kafka\"", |text| word(text, "nats or kafka"))?;
    table.check(kind)?;
    Ok(SinkSettings {
        name: name.clone(),
        from: table.read(&table::FROM, |text| word(text, "now or beginning"))?.unwrap_or(Begin::Now),
        in_flight_max: table
            .read(&table::IN_FLIGHT_MAX, |text| values::count(text, &IN_FLIGHT, "events"))?
            .unwrap_or(IN_FLIGHT_DEFAULT),
        on_refused: table.read(&table::ON_REFUSED, |text| word(text, "stop or skip"))?.unwrap_or(OnRefused::Stop),
        broker: match kind {
            Kind::Nats => Broker::Nats(nats(table)?),
            Kind::Kafka => Broker::Kafka(kafka(table)?),
        },
    })
}

fn nats(table: &Table) -> Result<NatsSettings, ConfigError> {
    let servers = table.needed(&table::SERVERS, "write servers = [\"nats://127.0.0.1:4222\"]", nats_servers)?;
    let mut tls = tls(table)?;
    tls.required |= servers.iter().any(|server| server.starts_with("tls://"));
    Ok(NatsSettings {
        servers,
        stream: table.read(&table::STREAM, stream)?.unwrap_or_else(|| STREAM_DEFAULT.into()),
        create_stream: table.read(&table::CREATE_STREAM, values::yes)?.unwrap_or(false),
        subject_prefix: table.read(&table::SUBJECT_PREFIX, subject)?.unwrap_or_else(|| PREFIX_DEFAULT.into()),
        key_in_subject: table.read(&table::KEY_IN_SUBJECT, values::yes)?.unwrap_or(false),
        login: nats_login(table)?,
        tls,
    })
}

fn nats_login(table: &Table) -> Result<NatsLogin, ConfigError> {
    let token = table.read(&table::TOKEN, secret)?.map(NatsLogin::Token);
    let user = user(table)?.map(|(user, password)| NatsLogin::User { user, password });
    let file = table.read(&table::CREDENTIALS_FILE, values::file)?.map(NatsLogin::CredentialsFile);
    let mut given = [token, user, file].into_iter().flatten();
    let login = given.next().unwrap_or(NatsLogin::Nobody);
    if given.next().is_some() {
        return Err(ConfigError::new(
            &format!("sinks.{}", table.name),
            "signs in in more than one way".into(),
            "keep one of token, user with password, and credentials_file".into(),
        ));
    }
    Ok(login)
}

fn kafka(table: &Table) -> Result<KafkaSettings, ConfigError> {
    let mechanism = table.read(&table::SASL_MECHANISM, |text| word(text, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"))?;
    let login = match (mechanism, user(table)?) {
        (Some(mechanism), Some((user, password))) => Some(Sasl { mechanism, user, password }),
        (None, None) => None,
        (Some(_), None) => return Err(other_half(table, &table::USER)),
        (None, Some(_)) => return Err(other_half(table, &table::SASL_MECHANISM)),
    };
    Ok(KafkaSettings {
        servers: table.needed(&table::SERVERS, "write servers = [\"127.0.0.1:9092\"]", kafka_servers)?,
        topic: table.read(&table::TOPIC, topic)?.unwrap_or_else(|| TOPIC_DEFAULT.into()),
        login,
        tls: tls(table)?,
    })
}

/// User and password; neither where neither is set.
fn user(table: &Table) -> Result<Option<(String, Hidden<String>)>, ConfigError> {
    let user = table.read(&table::USER, |text| Ok(text.to_owned()))?.filter(|user| !user.is_empty());
    match (user, table.read(&table::PASSWORD, secret)?) {
        (Some(user), Some(password)) => Ok(Some((user, password))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(other_half(table, &table::PASSWORD)),
        (None, Some(_)) => Err(other_half(table, &table::USER)),
    }
}

fn tls(table: &Table) -> Result<Tls, ConfigError> {
    let ca = table.read(&table::TLS_CA, values::file)?;
    let own = match (table.read(&table::TLS_CERT, values::file)?, table.read(&table::TLS_KEY, values::file)?) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(other_half(table, &table::TLS_KEY)),
        (None, Some(_)) => return Err(other_half(table, &table::TLS_CERT)),
    };
    // Whoever names an authority or a certificate means to be encrypted.
    let required = table.read(&table::TLS, values::yes)?.unwrap_or(ca.is_some() || own.is_some());
    Ok(Tls { required, ca, own })
}

fn other_half(table: &Table, missing: &table::Key) -> ConfigError {
    let place = table.place(missing);
    ConfigError::new(&place, "is not set and what goes with it is".into(), "set both, or neither".into())
}

/// One of a few words.
fn word<T: std::str::FromStr>(text: &str, words: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::new("that is none of the words for it", format!("write {words}")))
}

fn secret(text: &str) -> Result<Hidden<String>, Fault> {
    if text.is_empty() {
        Err(Fault::new("is empty", "write the secret, or nothing"))
    } else {
        Ok(Hidden::new(text.to_owned()))
    }
}

fn nats_servers(text: &str) -> Result<Vec<String>, Fault> {
    list(text, |server| {
        let url = url::Url::parse(server).ok().filter(|url| matches!(url.scheme(), "nats" | "tls") && url.has_host());
        let advice = "write nats://host:port or tls://host:port";
        let url = url.ok_or_else(|| Fault::new("that is no URL of a NATS server", advice))?;
        if url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        Err(Fault::new("that holds a user", "write user = … and password = … beside it"))
    })
}

fn kafka_servers(text: &str) -> Result<Vec<String>, Fault> {
    list(text, |server| {
        let port = server
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty() && !host.contains(['/', '@']))
            .map(|(_, port)| port);
        match port.map(str::parse::<u16>) {
            Some(Ok(1..)) => Ok(()),
            Some(Ok(0) | Err(_)) | None => Err(Fault::new("that is no address of a Kafka broker", "write host:port")),
        }
    })
}

fn list(text: &str, check: impl Fn(&str) -> Result<(), Fault>) -> Result<Vec<String>, Fault> {
    text.split(',').map(|entry| check(entry.trim()).map(|()| entry.trim().to_owned())).collect()
}

/// A name of Kafka.
fn topic(text: &str) -> Result<String, Fault> {
    name(text, |sign| sign.is_ascii_alphanumeric() || "._-".contains(sign), "letters, digits, `.`, `_` and `-`")
}

/// A name of a stream: a point would make it several words of a subject.
fn stream(text: &str) -> Result<String, Fault> {
    name(text, |sign| sign.is_ascii_alphanumeric() || "_-".contains(sign), "letters, digits, `_` and `-`")
}

/// Words of a subject, without wildcards.
fn subject(text: &str) -> Result<String, Fault> {
    if text.split('.').any(str::is_empty) {
        return Err(Fault::new("that has an empty word", "write words such as interlock or shop.payments"));
    }
    name(
        text,
        |sign| sign.is_ascii_alphanumeric() || "._-".contains(sign),
        "letters, digits, `_`, `-` and points between words",
    )
}

fn name(text: &str, is_plain: impl Fn(char) -> bool, signs: &str) -> Result<String, Fault> {
    if !text.is_empty() && text.len() <= TARGET_MAX_CHARS && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(Fault::new("that cannot be its name", format!("write at most {TARGET_MAX_CHARS} {signs}")))
}
