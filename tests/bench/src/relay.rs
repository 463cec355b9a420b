//! Stands between a host and Postgres and counts how often the host waits for it.
//!
//! Postgres counts statements and transactions, not round trips: a lone `Sync` costs one and runs nothing. What ends a
//! round trip is known from the protocol: a `Sync` or a simple `Query` is answered by "ready" and waited for.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::Context as _;

/// What is read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// A message's type, and its length, which counts itself.
const HEADER_BYTES: usize = 5;

/// A running relay. Its threads end with the connections that they serve.
pub struct Relay {
    /// Where it listens, on loopback.
    pub port: u16,
    round_trips: Arc<AtomicU64>,
}

impl Relay {
    /// Listens, and passes every connection on to the server at `socket`.
    pub fn start(socket: PathBuf) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port is free for the relay")?;
        let port = listener.local_addr()?.port();
        let round_trips = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&round_trips);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Where a connection cannot be passed on it is closed, which the host reports.
                let _ = pass_on(&client, &socket, &counter);
            }
        });
        Ok(Self { port, round_trips })
    }

    /// Round trips so far, over all connections.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }
}

/// Starts a thread for each direction.
fn pass_on(client: &TcpStream, socket: &Path, counter: &Arc<AtomicU64>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(socket)?;
    let (mut to_client, mut from_server) = (client.try_clone()?, server.try_clone()?);
    let (mut from_client, mut to_server) = (client.try_clone()?, server);
    let mut messages = Messages { to_count: Arc::clone(counter), ..Messages::default() };
    thread::spawn(move || {
        // Both ends notice by themselves that the other one has gone.
        let _ = copy(&mut from_server, &mut to_client, |_| ());
        let _ = to_client.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let _ = copy(&mut from_client, &mut to_server, |bytes| messages.read(bytes));
        let _ = to_server.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn copy(from: &mut impl Read, to: &mut impl Write, mut look: impl FnMut(&[u8])) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        look(bytes);
        to.write_all(bytes)?;
    }
}

/// Follows what a client sends, message by message.
#[derive(Default)]
struct Messages {
    to_count: Arc<AtomicU64>,
    /// The first message has no type.
    started: bool,
    header: Vec<u8>,
    /// Bytes of a message that are still to come.
    rest: usize,
}

impl Messages {
    fn read(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len());
                self.rest -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            // The first message is read as if it had a type.
            if !self.started && self.header.is_empty() {
                self.header.push(0);
            }
            self.header.push(first);
            bytes = bytes.get(1..).unwrap_or_default();
            if let [kind, length @ ..] = self.header.as_slice()
                && self.header.len() == HEADER_BYTES
            {
                let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                self.rest = length.saturating_sub(HEADER_BYTES - 1);
                if self.started && matches!(kind, b'S' | b'Q') {
                    self.to_count.fetch_add(1, Ordering::Relaxed);
                }
                self.started = true;
                self.header.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_they_are_cut() {
        let start = [0, 0, 0, 9, b'S', b'Q', b'S', b'Q', 0];
        let stream = [&start[..], b"P\0\0\0\x06SQ", b"S\0\0\0\x04", b"Q\0\0\0\x05\0", b"X\0\0\0\x04"].concat();
        for size in 1..=stream.len() {
            let mut messages = Messages::default();
            stream.chunks(size).for_each(|chunk| messages.read(chunk));
            assert_eq!(messages.to_count.load(Ordering::Relaxed), 2, "in pieces of {size}");
        }
    }
}
