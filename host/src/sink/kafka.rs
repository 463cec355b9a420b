//! A topic of Kafka.
//!
//! The key is the payment's id, so that all that a payment tells is in one partition, in order; the partition is chosen as
//! Java's clients choose it. The header `id` is the event's id, as Debezium's outbox router writes it: a consumer that
//! drops what it has seen by it has each event once. The producer is idempotent and every replica that is in step has a
//! message before it counts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer as _},
};

use super::{Fault, Message};
use crate::config::sinks::KafkaSettings;

/// How long a broker may take to answer at the start.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a message may take until it is acknowledged, attempts at every broker that leads included.
const ACKNOWLEDGE_MAX_MS: &str = "10000";
/// How long the producer waits for more messages to send together: every payment waits for it once per event.
const GATHER_MS: &str = "2";
/// Between two tries to connect, at most.
const RECONNECT_MAX_MS: &str = "1000";
/// The limit of what may be sent at once is the broker's to set: this is the largest that any of them is.
const MESSAGE_MAX_BYTES: &str = "100000000";

/// A producer, and where to publish.
pub struct Kafka {
    /// None while it is dropped.
    producer: Option<FutureProducer<Told>>,
    told: Told,
    topic: String,
}

/// What the producer says by itself: why there is no connection stands there alone.
#[derive(Clone, Default)]
struct Told {
    last: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Told {
    /// The library would repeat itself every second.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(facility, text, "Kafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl Kafka {
    /// Makes a producer and waits until a broker answers.
    pub async fn connect(settings: &KafkaSettings) -> Result<Self, Fault> {
        let told = Told::default();
        let producer: FutureProducer<Told> = client_config(settings)
            .create_with_context(told.clone())
            .map_err(|error| Fault::Away(format!("the settings of Kafka cannot be used: {error}")))?;
        let sink = Self { producer: Some(producer.clone()), told, topic: settings.topic.clone() };
        let topic = settings.topic.clone();
        // It waits on a thread: the library knows no other way to ask.
        let asked = tokio::task::spawn_blocking(move || {
            producer.client().fetch_metadata(Some(&topic), CONNECT_MAX).map(|_| ())
        });
        match asked.await {
            Ok(Ok(())) => Ok(sink),
            Ok(Err(error)) => Err(sink.fault(&error)),
            Err(error) => Err(Fault::Away(format!("Kafka could not be asked: {error}"))),
        }
    }

    /// Publishes and waits until it is acknowledged.
    pub async fn publish(&self, message: &Message) -> Result<(), Fault> {
        let Message { id, kind, key, merchant, body } = message;
        let headers = [("id", id), ("type", kind), ("merchant", merchant)]
            .into_iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let record = FutureRecord::to(&self.topic).key(key.as_str()).payload(body.as_str()).headers(headers);
        let Some(producer) = &self.producer else { return Err(Fault::Away("the producer has ended".into())) };
        let sent = producer.send_result(record).map_err(|(error, _)| self.fault(&error))?;
        match sent.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(self.fault(&error)),
            Err(_) => Err(Fault::Away("the producer ended before it knew".into())),
        }
    }

    fn fault(&self, error: &KafkaError) -> Fault {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::PolicyViolation,
            ) => Fault::Refused(error.to_string()),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Fault::Away(format!("Kafka has no topic {}; make it, or let the brokers do so", self.topic))
            }
            Some(_) | None => {
                let reason = self.told.last.lock().unwrap_or_else(PoisonError::into_inner).take();
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                Fault::Away(format!("Kafka: {error}{reason}"))
            }
        }
    }
}

/// What is still in the producer is thrown away: whoever waited for it publishes it again.
impl Drop for Kafka {
    fn drop(&mut self) {
        let producer = self.producer.take();
        // It waits for its threads, up to half a second.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(producer))),
            Err(_) => drop(producer),
        }
    }
}

fn client_config(settings: &KafkaSettings) -> ClientConfig {
    let KafkaSettings { servers, login, tls, .. } = settings;
    let mut config = ClientConfig::new();
    config
        .set("client.id", "interlock")
        .set("bootstrap.servers", servers.join(","))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", GATHER_MS)
        .set("message.timeout.ms", ACKNOWLEDGE_MAX_MS)
        .set("message.max.bytes", MESSAGE_MAX_BYTES)
        .set("reconnect.backoff.max.ms", RECONNECT_MAX_MS);
    let protocol = match (tls.required, login.is_some()) {
        (false, false) => "PLAINTEXT",
        (true, false) => "SSL",
        (false, true) => "SASL_PLAINTEXT",
        (true, true) => "SASL_SSL",
    };
    config.set("security.protocol", protocol);
    if let Some(ca) = &tls.ca {
        config.set("ssl.ca.location", ca.to_string_lossy());
    }
    if let Some((cert, key)) = &tls.own {
        config.set("ssl.certificate.location", cert.to_string_lossy());
        config.set("ssl.key.location", key.to_string_lossy());
    }
    if let Some(sasl) = login {
        let mechanism: &str = sasl.mechanism.into();
        config.set("sasl.mechanism", mechanism);
        config.set("sasl.username", &sasl.user);
        config.set("sasl.password", sasl.password.expose());
    }
    config
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rdkafka::producer::BaseProducer;

    use super::*;
    use crate::config::{
        Hidden,
        sinks::{Mechanism, Sasl, Tls},
    };

    fn settings(ca: PathBuf, mechanism: Mechanism) -> KafkaSettings {
        let login = Sasl { mechanism, user: "us".into(), password: Hidden::new("a-password".to_owned()) };
        let tls = Tls { required: true, ca: Some(ca), own: None };
        KafkaSettings { servers: vec!["127.0.0.1:1".into()], topic: "t".into(), login: Some(login), tls }
    }

    /// The library is built with TLS and every kind of SASL that the settings offer: it refuses what it was built without.
    #[test]
    fn the_library_knows_tls_and_sasl() {
        let root = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        let ca = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), root.cert.pem()).unwrap();
        for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
            let config = client_config(&settings(ca.path().into(), mechanism));
            assert!(config.create::<BaseProducer>().is_ok(), "{mechanism:?}");
        }
        std::fs::write(ca.path(), "no certificate").unwrap();
        assert!(client_config(&settings(ca.path().into(), Mechanism::Plain)).create::<BaseProducer>().is_err());
    }
}
