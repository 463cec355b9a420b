//! What a receiver answers: well, badly, or not at all.

use std::{convert::Infallible, net::TcpStream as StdStream, os::fd::OwnedFd, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{Response, body::Frame};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Body, Broken, Delivery};

/// One answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This status, with a short body.
    Status(u16),
    /// This status and body.
    Text(u16, String),
    /// 429, 503 or whatever it is, and when to come back: seconds or a date.
    RetryAfter(u16, String),
    /// This status with this `Location`.
    Redirect(u16, String),
    /// 200 and so many bytes.
    Huge(usize),
    /// 200 and so many bytes, one after the other, with this pause before each.
    Trickle(usize, Duration),
    /// This, after so long.
    Late(Duration, Box<Self>),
    /// No answer, for as long as the client waits.
    Hang,
    /// The connection is reset once the request is read.
    Reset,
    /// These bytes, whatever they are, and the end of the connection.
    Raw(Bytes),
}

impl Reply {
    /// The status that the client is to see; none where it is to see no answer.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) | Self::Text(status, _) | Self::RetryAfter(status, _) | Self::Redirect(status, _) => {
                Some(*status)
            }
            Self::Huge(_) | Self::Trickle(..) => Some(200),
            Self::Late(_, reply) => reply.status(),
            Self::Hang | Self::Reset | Self::Raw(_) => None,
        }
    }
}

/// Which answer a request gets: any rule over what the receiver knows of it.
#[derive(Clone)]
pub struct Script(Arc<dyn Fn(&Delivery) -> Reply + Send + Sync>);

impl Script {
    /// As this function says.
    pub fn by(rule: impl Fn(&Delivery) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// `first` and `second` in turns, over all that comes.
    pub fn turns(first: Reply, second: Reply) -> Self {
        Self::by(move |delivery| if delivery.number.is_multiple_of(2) { first.clone() } else { second.clone() })
    }

    /// `bad` to the first so many tries of each event, then `good`.
    pub fn at_first(tries: usize, bad: Reply, good: Reply) -> Self {
        Self::by(move |delivery| if delivery.tries <= tries { bad.clone() } else { good.clone() })
    }

    pub(super) fn reply_to(&self, delivery: &Delivery) -> Reply {
        (self.0)(delivery)
    }
}

impl From<Reply> for Script {
    fn from(reply: Reply) -> Self {
        Self::by(move |_| reply.clone())
    }
}

/// Gives the answer, or breaks the connection.
pub(super) async fn perform(reply: Reply, connection: &OwnedFd) -> Result<Response<Body>, Broken> {
    let response = Response::builder();
    match reply {
        Reply::Status(status) => Ok(response.status(status).body(text(format!("this is {status}\n")))),
        Reply::Text(status, body) => {
            Ok(response.status(status).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(text(body)))
        }
        Reply::RetryAfter(status, when) => {
            Ok(response.status(status).header(RETRY_AFTER, when).body(text("not now\n".to_owned())))
        }
        Reply::Redirect(status, location) => {
            Ok(response.status(status).header(LOCATION, location).body(text("not here\n".to_owned())))
        }
        Reply::Huge(bytes) => Ok(response.body(whole(vec![b'x'; bytes]))),
        Reply::Trickle(bytes, pause) => Ok(response.body(trickle(bytes, pause))),
        Reply::Late(wait, reply) => {
            tokio::time::sleep(wait).await;
            return Box::pin(perform(*reply, connection)).await;
        }
        Reply::Hang => std::future::pending().await,
        Reply::Reset => {
            let same = same_connection(connection).ok_or(Broken)?;
            // With nothing to linger for, the last handle's close resets it.
            let _ = same.set_zero_linger();
            Err(Broken)
        }
        Reply::Raw(bytes) => {
            let mut same = same_connection(connection).ok_or(Broken)?;
            // The client may have gone.
            let _ = same.write_all(&bytes).await;
            Err(Broken)
        }
    }
    .map(|response| response.expect("a script has real statuses and headers"))
}

/// A second handle to the connection that hyper holds.
fn same_connection(connection: &OwnedFd) -> Option<TcpStream> {
    TcpStream::from_std(StdStream::from(connection.try_clone().ok()?)).ok()
}

fn text(text: String) -> Body {
    whole(text.into_bytes())
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).boxed_unsync()
}

fn trickle(bytes: usize, pause: Duration) -> Body {
    let drops = stream::unfold(bytes, move |left| async move {
        tokio::time::sleep(pause).await;
        let left = left.checked_sub(1)?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"."))), left))
    });
    StreamBody::new(drops).boxed_unsync()
}
