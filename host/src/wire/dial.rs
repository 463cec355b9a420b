//! From addresses to a connection: the first one that takes it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_rustls::TlsConnector;

use super::connection::{ConnectFault, Connection};
use super::permit::Origin;

/// A new connection to the first of `addresses` that takes one, TCP and TLS over all of them within `timeout`.
pub async fn dial(
    origin: &Origin,
    addresses: Vec<SocketAddr>,
    tls: &TlsConnector,
    head_max_bytes: usize,
    timeout: Duration,
) -> Result<Connection, ConnectFault> {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    // The resolver gives at least one address.
    let mut last = ConnectFault::NoAddress { origin: origin.to_string() };
    for address in addresses {
        // An address that swallows packets must not eat the time of those behind it.
        let remaining = deadline.saturating_duration_since(tokio::time::Instant::now());
        let share = remaining / left.max(1);
        left -= 1;
        match tokio::time::timeout(share, Connection::open(origin, address, tls, head_max_bytes)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(fault)) => last = fault,
            Err(_) => {
                let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
                last = ConnectFault::Tcp { address, source };
            }
        }
    }
    Err(last)
}
