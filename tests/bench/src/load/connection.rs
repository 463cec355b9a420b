//! One kept connection that sends a request and reads its reply, with as little work as that takes: what the load
//! generator uses of the machine is missing to what it measures.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, bail};
use interlock::{
    clock::Clock,
    connector::{
        hex,
        types::{KeyEncoding, Mac},
    },
    vault::{Holes, Secret},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Stands in a body where the request's key belongs.
pub const KEY: &str = "%KEY%";
/// What a header that shows a replay looks like, in lower case.
const REPLAYED: &[u8] = b"idempotency-replayed: true";
/// A reply at most; ours have one or two KiB.
const REPLY_MAX_BYTES: usize = 1 << 20;
/// Bytes of a failed reply that are kept to be shown.
const SHOWN_BYTES: usize = 300;

/// A request that is sent many times, each time with another key.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    head: String,
    body: String,
    /// What the body of a reply holds where all went well.
    good: String,
    /// Of webhooks.
    signer: Option<Signer>,
}

/// Signs a request as the mock gateway signs its webhooks.
#[derive(Clone)]
struct Signer {
    secret: Arc<Holes>,
    /// Unix time in seconds. One for all: a signature is good for minutes, and no load lasts that long.
    time: i64,
}

/// What came back.
pub enum Reply {
    Good {
        replayed: bool,
    },
    /// The beginning of it.
    Bad(String),
}

impl Target {
    /// A POST of JSON; `good` is what a good reply's body holds.
    pub fn new(address: SocketAddr, path: &str, token: &str, body: &str, good: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        );
        Self { address, head, body: body.to_owned(), good: good.to_owned(), signer: None }
    }

    /// A webhook of the mock gateway: signed, and acknowledged with nothing.
    pub fn webhook(address: SocketAddr, path: &str, secret: &str, body: &str) -> Self {
        let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
        let secret = Holes::new().with_secret("secret", KeyEncoding::Utf8, vec![Secret::from(secret)]);
        let signer = Signer { secret: Arc::new(secret), time: Clock::real().now().timestamp() };
        Self { address, head, body: body.to_owned(), good: String::new(), signer: Some(signer) }
    }

    fn write(&self, key: &str, request: &mut Vec<u8>) {
        request.clear();
        let body = self.body.replace(KEY, key);
        request.extend_from_slice(self.head.as_bytes());
        match &self.signer {
            None => {
                request.extend_from_slice(b"idempotency-key: ");
                request.extend_from_slice(key.as_bytes());
            }
            Some(signer) => {
                request.extend_from_slice(b"mock-signature: ");
                request.extend_from_slice(signer.sign(&body).as_bytes());
            }
        }
        request.extend_from_slice(b"\r\ncontent-length: ");
        request.extend_from_slice(body.len().to_string().as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(body.as_bytes());
    }
}

impl Signer {
    fn sign(&self, body: &str) -> String {
        let Self { secret, time } = self;
        let text = time.to_string();
        let mac = secret.mac(Mac::HmacSha256, "secret", &[text.as_bytes(), b".", body.as_bytes()]).unwrap_or_default();
        format!("t={time},v1={}", hex(&mac))
    }
}

/// A connection to a target's address.
pub struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), reply: Vec::new() })
    }

    /// Sends the request with `key` and reads all of its reply.
    pub async fn exchange(&mut self, target: &Target, key: &str) -> anyhow::Result<Reply> {
        target.write(key, &mut self.request);
        self.stream.write_all(&self.request).await?;
        self.reply.clear();
        let (head_end, end) = loop {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                bail!("the connection was closed in the middle");
            }
            if let Some(bounds) = bounds(&self.reply)?
                && self.reply.len() >= bounds.1
            {
                break bounds;
            }
        };
        let head = self.reply.get(..head_end).unwrap_or_default();
        let body = self.reply.get(head_end..end).unwrap_or_default();
        if head.get(9..10) == Some(b"2") && contains(body, target.good.as_bytes()) {
            return Ok(Reply::Good { replayed: contains(&head.to_ascii_lowercase(), REPLAYED) });
        }
        let shown = self.reply.get(..end.min(SHOWN_BYTES + head_end)).unwrap_or_default();
        Ok(Reply::Bad(String::from_utf8_lossy(shown).into_owned()))
    }
}

/// Where the head ends and where the body does; none where the head is not all there.
fn bounds(reply: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = find(reply, b"\r\n\r\n") else {
        if reply.len() > REPLY_MAX_BYTES {
            bail!("the reply's head does not end");
        }
        return Ok(None);
    };
    let head = std::str::from_utf8(reply.get(..end).unwrap_or_default()).context("the reply's head is no text")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.context("the reply does not say how long it is")?;
    Ok(Some((end + 4, end + 4 + length)))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || find(bytes, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_it_says() {
        let reply = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(bounds(reply).unwrap(), Some((reply.len() - 2, reply.len())));
        assert_eq!(bounds(b"HTTP/1.1 201").unwrap(), None);
        assert!(bounds(b"HTTP/1.1 201 Created\r\n\r\n").is_err());
    }
}
