//! A TCP socket that counts what it was given to send, under TLS and HTTP alike.
//!
//! The count is what tells "not sent" from "unknown": it is taken at the system call, so it says zero only where the
//! kernel holds not one byte of ours, and once such a socket is dropped nothing can be sent any more.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// One end is inside the TLS or HTTP machine, the other watches. Both see the same socket.
#[derive(Clone)]
pub struct Socket {
    tcp: Arc<TcpStream>,
    written: Arc<AtomicU64>,
}

/// Counts what was written to a socket since the meter was made. Does not keep the socket open.
pub struct Meter {
    total: Arc<AtomicU64>,
    before: u64,
}

impl Meter {
    /// In bytes; with TLS those of the records.
    pub fn written(&self) -> u64 {
        self.total.load(Ordering::Relaxed) - self.before
    }
}

impl Socket {
    pub fn new(tcp: TcpStream) -> Self {
        Self { tcp: Arc::new(tcp), written: Arc::new(AtomicU64::new(0)) }
    }

    /// Counts from here on the bytes that the kernel takes.
    pub fn meter(&self) -> Meter {
        Meter { total: Arc::clone(&self.written), before: self.written.load(Ordering::Relaxed) }
    }

    /// Whether nothing has come in since the last read: neither bytes nor the end of the stream nor a reset.
    ///
    /// Asks the kernel, not the runtime, which may not have heard of it yet.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&*self.tcp).peek(&mut byte) {
            Err(fault) => fault.kind() == io::ErrorKind::WouldBlock,
            // Zero is the end of the stream; one is something that nobody asked for.
            Ok(_) => false,
        }
    }

    fn count(&self, outcome: io::Result<usize>) -> io::Result<usize> {
        outcome.inspect(|written| {
            self.written.fetch_add(u64::try_from(*written).unwrap_or(u64::MAX), Ordering::Relaxed);
        })
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            match send(&self.tcp) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(self.count(outcome)),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.tcp.try_read_buf(buffer) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |tcp| tcp.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |tcp| tcp.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.tcp).shutdown(std::net::Shutdown::Write))
    }
}
