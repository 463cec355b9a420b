//! How each kind of setting is read, and what its limits are.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr as _, time::Duration};

use base64::{Engine as _, alphabet, engine};
use zeroize::Zeroizing;

use super::{
    Hidden,
    layers::{Fault, shown},
};
use crate::connector::{TrustedKey, signature};

/// A time-out in milliseconds: at least one, and at most ten minutes. Longer, and what waits for it piles up.
pub const TIMEOUT_MS: RangeInclusive<u64> = 1..=600_000;
/// As [`TIMEOUT_MS`], where nought means not to wait at all.
pub const WAIT_MS: RangeInclusive<u64> = 0..=600_000;
/// A lease may outlast the longest time-out, and no more: an operation of a dead host waits for it.
pub const LEASE_MS: RangeInclusive<u64> = 1..=900_000;
/// Seconds after which something expires: at most a year.
pub const TTL_S: RangeInclusive<u64> = 1..=31_536_000;
/// The seed documents promise at least this; shorter times are of use to tests only.
pub const IDEMPOTENCY_TTL_S: RangeInclusive<u64> = 1..=31_536_000;
/// Events are kept for a day at least, because they leave by days, and ten years at most.
pub const EVENT_RETENTION_S: RangeInclusive<u64> = 86_400..=315_360_000;
/// Connections to Postgres: a host needs two, to work and to listen.
pub const CONNECTIONS: RangeInclusive<u64> = 2..=1_000;
/// Threads that run connectors.
pub const THREADS: RangeInclusive<u64> = 1..=256;
/// A part in per cent.
pub const PERCENT: RangeInclusive<u64> = 0..=100;
/// Broken runs of a connector: nought switches quarantine off.
pub const TRAPS: RangeInclusive<u64> = 0..=1_000_000;
/// Bytes of a request body.
pub const BODY_BYTES: RangeInclusive<u64> = 1_024..=67_108_864;
/// Entries of a list of delays.
pub const DELAYS_MAX: usize = 100;
/// One delay: at most 30 days, in milliseconds.
pub const DELAY_MAX_MS: u64 = 2_592_000_000;
/// Characters of the operator's token at most; longer ones do not fit into a header of every proxy.
pub const TOKEN_MAX_CHARS: usize = 1_024;
/// Characters of the name of a key that vouches for connectors.
pub const KEY_NAME_MAX_CHARS: usize = 64;
/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// A whole number within `range`, counted in `unit`.
pub fn whole(text: &str, range: &RangeInclusive<u64>, unit: &str) -> Result<u64, Fault> {
    let advice = || format!("write a whole number of {unit} from {} to {}", range.start(), range.end());
    let number = text.parse::<u64>().map_err(|_| Fault::new("that is no whole number", advice()))?;
    if range.contains(&number) {
        return Ok(number);
    }
    let side = if number < *range.start() { "small" } else { "large" };
    Err(Fault::new(format!("that is too {side}"), advice()))
}

/// As [`whole`], in the type that it is used as.
pub fn count<T: TryFrom<u64>>(text: &str, range: &RangeInclusive<u64>, unit: &str) -> Result<T, Fault> {
    T::try_from(whole(text, range, unit)?)
        .map_err(|_| Fault::new("that is too large for this machine", format!("write fewer {unit}")))
}

/// A time in milliseconds.
pub fn milliseconds(text: &str, range: &RangeInclusive<u64>) -> Result<Duration, Fault> {
    whole(text, range, "milliseconds").map(Duration::from_millis)
}

/// A time in seconds.
pub fn seconds(text: &str, range: &RangeInclusive<u64>) -> Result<Duration, Fault> {
    whole(text, range, "seconds").map(Duration::from_secs)
}

/// A list of delays in seconds, each with at most three digits after the point.
pub fn delays(text: &str) -> Result<Vec<Duration>, Fault> {
    let advice = "write seconds separated by commas, such as 30,270,600";
    let delays = text
        .split(',')
        .map(|entry| {
            let entry = entry.trim();
            delay(entry).ok_or_else(|| {
                Fault::new(format!("`{}` is no number of seconds up to 30 days", entry.escape_debug()), advice)
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if delays.len() > DELAYS_MAX {
        return Err(Fault::new(format!("it has {} entries", delays.len()), format!("write at most {DELAYS_MAX}")));
    }
    Ok(delays)
}

/// `30` or `0.25`, by whole numbers alone: what is written is what is waited.
fn delay(entry: &str) -> Option<Duration> {
    let (whole, fraction) = entry.split_once('.').unwrap_or((entry, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths: u64 = format!("{fraction:0<3}").parse().ok()?;
    let milliseconds = whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(thousandths)?;
    (milliseconds <= DELAY_MAX_MS).then(|| Duration::from_millis(milliseconds))
}

/// An address to listen at.
pub fn address(text: &str) -> Result<SocketAddr, Fault> {
    let advice = "write an address and a port, such as 127.0.0.1:8080 or [::]:8080";
    // The one name that everybody writes. Others are left to those who run a resolver.
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    SocketAddr::from_str(numeric.as_deref().unwrap_or(text))
        .map_err(|_| Fault::new("that is no address to listen at", advice))
}

/// Yes or no.
pub fn yes(text: &str) -> Result<bool, Fault> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Fault::new("that is neither yes nor no", "write true or false")),
    }
}

/// The URL of a Postgres database. Repeats nothing of it: it holds a password.
pub fn database_url(text: &str) -> Result<String, Fault> {
    let advice = "write postgres://user:password@host:5432/database";
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        return Err(Fault::new("does not begin with postgres://", advice));
    }
    sqlx::postgres::PgConnectOptions::from_str(text)
        .map(|_| text.to_owned())
        .map_err(|_| Fault::new("is no URL of a Postgres database", advice))
}

/// The operator's token, as it stands in a header.
pub fn token(text: &str) -> Result<Hidden<String>, Fault> {
    let advice =
        format!("write 1 to {TOKEN_MAX_CHARS} visible ASCII characters; `openssl rand -hex 32` makes a good one");
    if text.is_empty() || text.len() > TOKEN_MAX_CHARS {
        return Err(Fault::new(format!("has {} characters", text.len()), advice));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::new("has characters that do not go into a header", advice));
    }
    Ok(Hidden::new(text.to_owned()))
}

/// Keys come out of `base64`, `openssl rand` and secret managers: with padding or without.
const LENIENT: engine::GeneralPurposeConfig =
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent);
const STANDARD: engine::GeneralPurpose = engine::GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: engine::GeneralPurpose = engine::GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A master key: 32 bytes in base64, standard or URL-safe.
pub fn master_key(text: &str) -> Result<Hidden<[u8; MASTER_KEY_BYTES]>, Fault> {
    let advice = "`openssl rand -base64 32` makes a key";
    let url_safe = text.contains(['-', '_']);
    let decoded = if url_safe { URL_SAFE.decode(text) } else { STANDARD.decode(text) };
    let decoded = Zeroizing::new(decoded.map_err(|_| Fault::new("is not base64", advice))?);
    match <[u8; MASTER_KEY_BYTES]>::try_from(decoded.as_slice()) {
        Ok(key) => Ok(Hidden::new(key)),
        Err(_) => Err(Fault::new(format!("has {} bytes where {MASTER_KEY_BYTES} are needed", decoded.len()), advice)),
    }
}

/// Master keys separated by commas.
pub fn master_keys(text: &str) -> Result<Vec<Hidden<[u8; MASTER_KEY_BYTES]>>, Fault> {
    text.split(',').map(|key| master_key(key.trim())).collect()
}

/// Public keys separated by commas, each with a name for people before it or not: `release=MCow…`.
pub fn trusted_keys(text: &str) -> Result<Vec<TrustedKey>, Fault> {
    let advice = "`interlock connector sign --new-key FILE` makes a key and prints what to write here";
    let mut keys: Vec<TrustedKey> = Vec::new();
    for entry in text.split(',').map(str::trim) {
        // Base64 ends with `=` too: only what stands before something else is a name.
        let (name, key) = match entry.split_once('=') {
            Some((name, key)) if !key.is_empty() => (Some(name.trim()), key.trim()),
            Some(_) | None => (None, entry),
        };
        let public_key = signature::public_key(key)
            .ok_or_else(|| Fault::new(format!("`{}` is no key of 32 bytes in base64", shown(entry)), advice))?;
        if let Some(name) = name.filter(|name| !is_key_name(name)) {
            let advice = format!("name keys with 1 to {KEY_NAME_MAX_CHARS} letters, digits, `-`, `_` and `.`");
            return Err(Fault::new(format!("`{}` is no name of a key", shown(name)), advice));
        }
        if keys.iter().any(|known| known.public_key == public_key || (name.is_some() && known.name.as_deref() == name))
        {
            return Err(Fault::new(format!("`{}` is there twice", shown(entry)), "write every key and name once"));
        }
        keys.push(TrustedKey { name: name.map(str::to_owned), public_key });
    }
    Ok(keys)
}

fn is_key_name(name: &str) -> bool {
    (1..=KEY_NAME_MAX_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// A file that is there.
pub fn file(text: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(text);
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err(Fault::new("that is no file", "name a PEM file")),
        Err(error) => Err(Fault::new(format!("that cannot be read ({error})"), "name a PEM file")),
    }
}

/// A folder that is there.
pub fn folder(text: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(text);
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err(Fault::new("that is no folder", "name the folder that holds the components")),
        Err(error) => Err(Fault::new(
            format!("that cannot be read ({error})"),
            "name the folder that holds the components; `make build` fills target/connectors",
        )),
    }
}

/// A path that need not exist yet.
pub fn path(text: &str) -> Result<PathBuf, Fault> {
    if text.is_empty() { Err(Fault::new("that is no path", "name a folder")) } else { Ok(PathBuf::from(text)) }
}
