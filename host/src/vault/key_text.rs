//! How the text that an operator enters becomes the bytes of a key.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Secret;
use crate::connector::types::KeyEncoding;

/// Why a text is no key in the encoding that the connector declares. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextFault {
    #[error("must be written in hexadecimal digits, two for each byte")]
    NotHex,
    #[error("must be written in base64, with its padding")]
    NotBase64,
}

/// Decodes `text`; to be called when a secret is entered, so that a bad one is refused then and not at its first use.
pub fn decode(encoding: KeyEncoding, text: &[u8]) -> Result<Secret, KeyTextFault> {
    match encoding {
        KeyEncoding::Utf8 => Ok(Secret::new(text.to_vec())),
        KeyEncoding::Hex => from_hex(text).ok_or(KeyTextFault::NotHex),
        KeyEncoding::Base64 => STANDARD.decode(text).map(Secret::new).map_err(|_| KeyTextFault::NotBase64),
    }
}

fn from_hex(text: &[u8]) -> Option<Secret> {
    let (pairs, rest) = text.as_chunks::<2>();
    let byte = |&[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
    if !rest.is_empty() {
        return None;
    }
    // The length is known, so the vector does not grow and leave half a key behind.
    let mut bytes = Vec::with_capacity(pairs.len());
    for pair in pairs {
        bytes.push(byte(pair)?);
    }
    Some(Secret::new(bytes))
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_bytes() {
        let decoded = |encoding, text: &str| decode(encoding, text.as_bytes()).map(|key| key.expose().to_vec());
        assert_eq!(decoded(KeyEncoding::Utf8, "00fF"), Ok(b"00fF".to_vec()));
        assert_eq!(decoded(KeyEncoding::Hex, "00fFa9"), Ok(vec![0, 255, 0xa9]));
        assert_eq!(decoded(KeyEncoding::Base64, "AP+p"), Ok(vec![0, 255, 0xa9]));
        assert_eq!(decoded(KeyEncoding::Hex, ""), Ok(vec![]));
        for refused in ["0", "0g", "0x00", " 00", "é"] {
            assert_eq!(decoded(KeyEncoding::Hex, refused), Err(KeyTextFault::NotHex), "{refused}");
        }
        for refused in ["A", "AP-p", "AP+p ", "!"] {
            assert_eq!(decoded(KeyEncoding::Base64, refused), Err(KeyTextFault::NotBase64), "{refused}");
        }
    }
}
