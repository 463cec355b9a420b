//! Reading webhooks: headers, signatures and the encodings that they come in, and the answer to the gateway.

use serde::de::DeserializeOwned;

use crate::connector::Host;
use crate::types::{Context, Failure, Inbound, Mac, Response};

/// How far the time of a stamped signature may lie from ours.
const TOLERANCE_S: u64 = 300;
/// Signatures of one delivery that are looked at: one for each secret that the gateway still signs with.
const SIGNATURES_MAX: usize = 8;

impl Inbound {
    /// The first header of that name, capitals or not.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::find_ignoring_case(&self.headers, name)
    }

    /// The header that the signature stands in; a failure where there is none.
    pub fn signature(&self, header: &str) -> Result<&str, Failure> {
        self.header(header).ok_or_else(|| Failure::new("the webhook is not signed"))
    }

    /// The body as JSON of the shape `T`, the whole of it. To be read after its signature.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| Failure::new("the webhook's body cannot be read"))
    }
}

/// Checks a header that holds the hex HMAC-SHA256 of the body, and nothing else. The proof for its event.
pub fn verify_body(inbound: &Inbound, header: &str, secret: &str, host: &mut dyn Host) -> Result<u32, Failure> {
    let signature = from_hex(inbound.signature(header)?.trim());
    let signature = signature.ok_or_else(|| Failure::new("the webhook's signature cannot be read"))?;
    host.verify(Mac::HmacSha256, secret, &inbound.body, &signature).ok_or_else(no_signature_fits)
}

/// Checks a header like `t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, with as many `v1` as the gateway has secrets (two
/// while a new one takes over), and whose time lies at most five minutes from ours. The proof for its event.
pub fn verify_stamped(
    ctx: &Context,
    inbound: &Inbound,
    header: &str,
    secret: &str,
    host: &mut dyn Host,
) -> Result<u32, Failure> {
    let header = inbound.signature(header)?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let no_time = || Failure::new("the webhook's signature has no time");
    let (_, time) = parts().find(|(name, _)| *name == "t").ok_or_else(no_time)?;
    let seconds: u64 = time.parse().map_err(|_| no_time())?;
    if !ctx.is_recent(seconds, TOLERANCE_S) {
        return Err(Failure::new("the webhook's signature is not of these minutes"));
    }
    let mut signed = Vec::with_capacity(time.len() + 1 + inbound.body.len());
    signed.extend_from_slice(time.as_bytes());
    signed.push(b'.');
    signed.extend_from_slice(&inbound.body);
    parts()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, signature)| from_hex(signature))
        .take(SIGNATURES_MAX)
        .find_map(|signature| host.verify(Mac::HmacSha256, secret, &signed, &signature))
        .ok_or_else(no_signature_fits)
}

fn no_signature_fits() -> Failure {
    Failure::new("no signature of the webhook fits")
}

/// What most gateways want to hear: 200 and nothing else.
#[must_use]
pub fn acknowledged() -> Response {
    Response { status: 200, headers: Vec::new(), body: Vec::new() }
}

/// The bytes that pairs of hexadecimal digits stand for, capitals or not; none for anything else.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?)).collect()
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The bytes that base64 stands for, in the common or the URL alphabet, with its padding or without; none for anything
/// else, and none where the last character carries bits that mean nothing (two spellings of one signature).
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let padded = bare.len() < text.len();
    if bare.len() % 4 == 1 || (padded && !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(bare.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in bare.bytes() {
        bits = bits << 6 | base64_digit(byte)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}

fn base64_digit(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_both_cases() {
        assert_eq!(from_hex("00fFa9").unwrap(), [0x00, 0xff, 0xa9]);
        assert_eq!(from_hex("").unwrap(), [0_u8; 0]);
        for bad in ["0", "0g", "+1", "é", "00 "] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_read_with_and_without_padding() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in vectors {
            assert_eq!(from_base64(encoded).unwrap(), plain.as_bytes());
            assert_eq!(from_base64(encoded.trim_end_matches('=')).unwrap(), plain.as_bytes());
        }
        assert_eq!(from_base64("-_-_").unwrap(), from_base64("+/+/").unwrap());
        for bad in ["Z", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm 9", "Zm9v=", "===="] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }
}
