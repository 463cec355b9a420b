//! A stream of NATS `JetStream`.
//!
//! The subject is `PREFIX.TYPE`: `interlock.payment.succeeded`, so that `interlock.payment.>` is everything about payments.
//! (The type begins with what the event is about; to say it twice would help nobody.) The key goes into a header, and into
//! the subject where the settings ask for it: a subject for each payment is what partitions are made by, and costs the
//! server memory for each of them.
//!
//! `Nats-Msg-Id` is the event's id: what is published again within the stream's window is stored once.

use std::time::Duration;

use async_nats::{
    ConnectOptions, HeaderMap,
    jetstream::{
        Context, ErrorCode,
        context::{ContextBuilder, GetStreamErrorKind, PublishError, PublishErrorKind},
        message::PublishMessage,
        stream,
    },
};

use super::{Fault, Message, chain};
use crate::config::sinks::{NatsLogin, NatsSettings};

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long the server may take to store a message.
const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(5);
/// A connection that says nothing for twice as long is dead.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Of a stream that we make: for how long it keeps messages. As long as the log keeps events where nobody says.
const KEPT_MAX: Duration = Duration::from_hours(30 * 24);
/// Of a stream that we make: within this a repeat is known as one. Longer than hosts take to replace each other.
const REPEATS_WITHIN: Duration = Duration::from_mins(10);

/// What the message is keyed by, and whose it is.
const KEY_HEADER: &str = "Interlock-Key";
const MERCHANT_HEADER: &str = "Interlock-Merchant";

/// A connection, and where to publish.
pub struct Nats {
    context: Context,
    stream: String,
    prefix: String,
    key_in_subject: bool,
}

impl Nats {
    /// Connects and looks for the stream.
    pub async fn connect(settings: &NatsSettings, in_flight_max: usize) -> Result<Self, Fault> {
        let client = options(settings)
            .await?
            .connect(settings.servers.as_slice())
            .await
            .map_err(|error| Fault::Away(format!("NATS is out of reach: {}", chain(&error))))?;
        let context = ContextBuilder::new()
            .timeout(ACKNOWLEDGE_MAX)
            .ack_timeout(ACKNOWLEDGE_MAX)
            // Messages whose waiting was given up still count until the time is over.
            .max_ack_inflight(in_flight_max.saturating_mul(2))
            .backpressure_on_inflight(true)
            .build(client);
        find_stream(&context, settings).await?;
        Ok(Self {
            context,
            stream: settings.stream.clone(),
            prefix: settings.subject_prefix.clone(),
            key_in_subject: settings.key_in_subject,
        })
    }

    /// Publishes and waits until the stream has stored it.
    pub async fn publish(&self, message: &Message) -> Result<(), Fault> {
        let Message { id, kind, key, merchant, body } = message;
        let mut headers = HeaderMap::new();
        headers.insert(KEY_HEADER, key.as_str());
        headers.insert(MERCHANT_HEADER, merchant.as_str());
        let outbound = PublishMessage::build()
            .headers(headers)
            .message_id(id)
            // Another stream may take the same subject; that it has it is not what was asked for.
            .expected_stream(&self.stream)
            .payload(body.clone().into());
        let subject = if self.key_in_subject {
            format!("{}.{kind}.{key}", self.prefix)
        } else {
            format!("{}.{kind}", self.prefix)
        };
        let fault = |error: &PublishError| fault(error, &subject, &self.stream);
        let acknowledged = self.context.send_publish(subject.clone(), outbound).await.map_err(|error| fault(&error))?;
        acknowledged.await.map(|_| ()).map_err(|error| fault(&error))
    }
}

async fn options(settings: &NatsSettings) -> Result<ConnectOptions, Fault> {
    let mut options = ConnectOptions::new()
        .name("interlock")
        .connection_timeout(CONNECT_MAX)
        .request_timeout(Some(ACKNOWLEDGE_MAX))
        .ping_interval(PING_EVERY)
        .require_tls(settings.tls.required)
        // What happens to the connection shows in what becomes of messages; its own log would repeat it every second.
        .event_callback(|event| async move { tracing::debug!(%event, "NATS") });
    if let Some(ca) = &settings.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = &settings.tls.own {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    match &settings.login {
        NatsLogin::Nobody => Ok(options),
        NatsLogin::Token(token) => Ok(options.token(token.expose().clone())),
        NatsLogin::User { user, password } => Ok(options.user_and_password(user.clone(), password.expose().clone())),
        NatsLogin::CredentialsFile(file) => options
            .credentials_file(file)
            .await
            .map_err(|error| Fault::Away(format!("{} cannot be used: {error}", file.display()))),
    }
}

/// A stream that is not there is made, or its absence told. Whoever may only publish may not ask: then the first message
/// will tell.
async fn find_stream(context: &Context, settings: &NatsSettings) -> Result<(), Fault> {
    let NatsSettings { stream, subject_prefix: prefix, .. } = settings;
    let absent = match context.get_stream(stream).await {
        Ok(_) => return Ok(()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
            GetStreamErrorKind::EmptyName | GetStreamErrorKind::Request | GetStreamErrorKind::InvalidStreamName => {
                false
            }
        },
    };
    if !settings.create_stream {
        let advice = format!(
            "NATS has no stream {stream}; make it (nats stream add {stream} --subjects '{prefix}.>'), or write \
             create_stream = true"
        );
        return if absent { Err(Fault::Away(advice)) } else { Ok(()) };
    }
    let config = stream::Config {
        name: stream.clone(),
        subjects: vec![format!("{prefix}.>")],
        max_age: KEPT_MAX,
        duplicate_window: REPEATS_WITHIN,
        ..stream::Config::default()
    };
    // Two hosts that make the same stream at once both succeed.
    let made = context.create_stream(config).await;
    made.map(|_| ()).map_err(|error| Fault::Away(format!("the stream {stream} could not be made: {}", chain(&error))))
}

fn fault(error: &PublishError, subject: &str, stream: &str) -> Fault {
    let refused = match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => true,
        PublishErrorKind::Other => std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
            .is_some_and(|source| source.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM),
        PublishErrorKind::StreamNotFound => {
            let what =
                format!("no stream of NATS takes {subject}; the stream {stream} must have it among its subjects");
            return Fault::Away(what);
        }
        PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending => false,
    };
    if refused { Fault::Refused(chain(error)) } else { Fault::Away(format!("NATS did not store it: {}", chain(error))) }
}
