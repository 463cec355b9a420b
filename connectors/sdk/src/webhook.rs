//! Reading webhooks: headers, the encodings that signatures come in, and the answer to the gateway.

use crate::types::{Inbound, Response};

impl Inbound {
    /// The first header of that name, capitals or not.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::find_ignoring_case(&self.headers, name)
    }
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
