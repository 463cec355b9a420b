//! One request from its check to its answer: the order of the steps, and what each failure means.

use std::time::Instant;

use tracing::Instrument as _;

use super::breaker::Health;
use super::check::Checked;
use super::connection::{Connection, ExchangeFault, RawReply};
use super::dial::dial;
use super::permit::Origin;
use super::render::{Rendered, render};
use super::scrub::Scrubber;
use super::sent::{NotSentReason, Sent, UnknownReason, not_connected, not_resolved};
use super::{Outgoing, Wire};

/// Exchanges, by connector, result and reason.
const EXCHANGES: &str = "interlock_wire_exchanges_total";
/// How long they took, in seconds, by connector and result.
const EXCHANGE_SECONDS: &str = "interlock_wire_exchange_seconds";
/// Connections made, by connector; few next to exchanges where connections are used again.
const CONNECTIONS: &str = "interlock_wire_connections_total";
/// Connections kept and not in use.
pub(super) const IDLE_CONNECTIONS: &str = "interlock_wire_idle_connections";
/// Gateway accounts whose breaker is not closed.
pub(super) const TRIPPED_BREAKERS: &str = "interlock_wire_breakers_tripped";

impl Wire {
    /// Sends one request, once, and waits for the whole reply or for `timeout`. No byte is written where `may_send` says
    /// no to what is left of that, or where nothing is left.
    ///
    /// Dropping the future closes the connection: what was not written by then never will be. Whoever drops it must
    /// take the outcome as unknown.
    pub async fn send(&self, outgoing: Outgoing<'_>) -> Sent {
        let span = tracing::info_span!(
            "exchange",
            gateway_account.id = %outgoing.account,
            origin = tracing::field::Empty,
            status = tracing::field::Empty,
        );
        async {
            let started = Instant::now();
            let checked = match self.check(outgoing.request, outgoing.permit) {
                Ok(checked) => checked,
                Err(refused) => return report(outgoing.connector, started, Sent::Refused(refused)),
            };
            tracing::Span::current().record("origin", tracing::field::display(&checked.origin));
            report(outgoing.connector, started, self.send_checked(&outgoing, &checked).await)
        }
        .instrument(span)
        .await
    }

    async fn send_checked(&self, outgoing: &Outgoing<'_>, checked: &Checked) -> Sent {
        let rendered = match render(outgoing.request, checked, outgoing.holes, self.request_max_bytes) {
            Ok(rendered) => rendered,
            Err(refused) => return Sent::Refused(refused),
        };
        let Some(pass) = self.breakers.enter(outgoing.account, Instant::now()) else {
            let detail = "the gateway account's breaker is open".to_owned();
            return Sent::NotSent { reason: NotSentReason::BreakerOpen, detail };
        };
        let sent = self.exchange(outgoing, &checked.origin, rendered).await;
        pass.settle(health(&sent), Instant::now());
        sent
    }

    async fn exchange(&self, outgoing: &Outgoing<'_>, origin: &Origin, rendered: Rendered) -> Sent {
        let deadline = tokio::time::Instant::now() + outgoing.timeout;
        let left = || deadline.saturating_duration_since(tokio::time::Instant::now());
        let connecting = async {
            let full = |fault: super::pool::PoolIsFull| Sent::NotSent {
                reason: NotSentReason::PoolFull,
                detail: fault.to_string(),
            };
            let place = self.pool.place(origin).await.map_err(full)?;
            match place.kept(Instant::now()) {
                Some(kept) => Ok((place, kept)),
                None => Ok((place, self.connect(origin, outgoing.connector).await?)),
            }
        };
        let (place, connection) = match tokio::time::timeout_at(deadline, connecting).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(sent)) => return sent,
            Err(_) => return Sent::timed_out(0, outgoing.timeout),
        };
        let meter = connection.meter();
        // A runtime that was held up polls the exchange once more before it sees that the time is over.
        let may_send = || {
            let left = left();
            !left.is_zero() && (outgoing.may_send)(left)
        };
        let exchange = connection.exchange(rendered, self.reply_limits, &may_send);
        // By the time there is an answer the exchange is dropped, and with it the connection where it was not kept.
        match tokio::time::timeout_at(deadline, exchange).await {
            Ok(Ok((raw, kept))) => {
                if let Some(kept) = kept {
                    place.keep(kept, Instant::now());
                }
                Sent::Replied(scrub(outgoing, &raw))
            }
            Ok(Err(ExchangeFault::LeaseTooShort)) if left().is_zero() => {
                Sent::timed_out(meter.written(), outgoing.timeout)
            }
            Ok(Err(fault)) => Sent::of_fault(&fault, meter.written()),
            Err(_) => Sent::timed_out(meter.written(), outgoing.timeout),
        }
    }

    /// A new connection to the first address that takes one.
    async fn connect(&self, origin: &Origin, connector: &str) -> Result<Connection, Sent> {
        let addresses = self.resolver.resolve(&origin.host, origin.port).await.map_err(|fault| not_resolved(&fault))?;
        metrics::counter!(CONNECTIONS, "connector" => connector.to_owned()).increment(1);
        dial(origin, addresses, &self.tls, self.reply_limits.head_max_bytes, self.connect_timeout)
            .await
            .map_err(|fault| not_connected(&fault))
    }
}

fn scrub(outgoing: &Outgoing<'_>, raw: &RawReply) -> crate::connector::types::Response {
    Scrubber::new(outgoing.holes).response(raw.status, &raw.headers, &raw.body)
}

/// What an answer says about the gateway's reachability.
fn health(sent: &Sent) -> Health {
    match sent {
        Sent::Replied(_) => Health::Answered,
        Sent::NotSent { reason, .. } => match reason {
            NotSentReason::Dns
            | NotSentReason::AddressForbidden
            | NotSentReason::Connect
            | NotSentReason::Tls
            | NotSentReason::TimedOut
            | NotSentReason::ConnectionLost => Health::Failed,
            NotSentReason::BreakerOpen | NotSentReason::PoolFull | NotSentReason::LeaseTooShort => Health::Unknown,
        },
        Sent::Unknown { reason, .. } => match reason {
            UnknownReason::TimedOut | UnknownReason::ConnectionLost | UnknownReason::Truncated => Health::Failed,
            // It is there, and says things.
            UnknownReason::ReplyTooLarge | UnknownReason::Garbage | UnknownReason::Compressed => Health::Answered,
        },
        Sent::Refused(_) => Health::Unknown,
    }
}

/// Counts and logs an answer, once.
fn report(connector: &str, started: Instant, sent: Sent) -> Sent {
    let (result, reason) = (sent.result(), sent.reason());
    metrics::counter!(EXCHANGES, "connector" => connector.to_owned(), "result" => result, "reason" => reason)
        .increment(1);
    metrics::histogram!(EXCHANGE_SECONDS, "connector" => connector.to_owned(), "result" => result)
        .record(started.elapsed());
    match &sent {
        Sent::Replied(response) => {
            tracing::Span::current().record("status", response.status);
            tracing::debug!(status = response.status, "the gateway replied");
        }
        Sent::NotSent { detail, .. } => tracing::info!(reason, detail, "a request was not sent"),
        Sent::Unknown { detail, bytes_written, .. } => {
            tracing::warn!(reason, detail, bytes_written, "it is not known what the gateway did with a request");
        }
        Sent::Refused(refused) => refused.tell(),
    }
    sent
}
