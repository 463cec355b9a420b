//! Ports that stay a host's own over its restarts, so that gateways and clients find it where it was.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, ensure};

/// Where the search begins: below what Linux hands out to connections by itself, which would take a port while its host
/// is down.
const FIRST: u16 = 20_000;
/// Where it ends.
const LAST: u16 = 32_000;

/// So many addresses on loopback that nobody listens at.
pub fn free(count: usize) -> anyhow::Result<Vec<String>> {
    // Two runs at once begin their search at different places.
    let spread = u16::try_from(std::process::id() % u32::from(LAST - FIRST)).context("it is below the range")?;
    let from = FIRST + spread;
    let found: Vec<String> = (from..LAST)
        .chain(FIRST..from)
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .take(count)
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    ensure!(found.len() == count, "no {count} free ports between {FIRST} and {LAST}");
    Ok(found)
}
