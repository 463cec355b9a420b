//! Streams that events are published to: the only clients of message brokers. A sink is told what to publish, one
//! message after the other or many at once, and says when the broker has it. It knows nothing of the log.

mod kafka;
mod nats;

use crate::config::sinks::{Broker, SinkSettings};

/// An event as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `evt_…`; brokers and consumers drop what they have seen by it.
    pub id: String,
    /// `payment.succeeded`, …
    pub kind: String,
    /// What messages are kept in order by: the payment's id, or that of what it is about.
    pub key: String,
    /// `mer_…`
    pub merchant: String,
    /// The event's JSON, byte for byte as merchants get it.
    pub body: String,
}

/// Why a message is not with the broker, as far as we know. It may be all the same: it is published again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The broker takes everything but this message, and always will.
    #[error("the broker does not take it: {0}")]
    Refused(String),
    /// Whatever else it is may pass, or be mended at the broker.
    #[error("{0}")]
    Away(String),
}

/// A broker that was reached.
pub enum Sink {
    Nats(Box<nats::Nats>),
    Kafka(kafka::Kafka),
}

impl Sink {
    /// Connects, and checks what can be checked before the first message.
    pub async fn connect(settings: &SinkSettings) -> Result<Self, Fault> {
        match &settings.broker {
            Broker::Nats(nats) => {
                let connected = Box::pin(nats::Nats::connect(nats, settings.in_flight_max)).await;
                connected.map(|nats| Self::Nats(Box::new(nats)))
            }
            Broker::Kafka(kafka) => kafka::Kafka::connect(kafka).await.map(Self::Kafka),
        }
    }

    /// Publishes one message and waits until the broker has it for good. Ends within seconds either way.
    pub async fn publish(&self, message: &Message) -> Result<(), Fault> {
        match self {
            Self::Nats(nats) => nats.publish(message).await,
            Self::Kafka(kafka) => kafka.publish(message).await,
        }
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some errors print their cause themselves.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
