//! HMAC-SHA256 in the spellings that gateways like.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Over all parts in a row, in small hexadecimal digits.
pub fn hex(key: &[u8], parts: &[&[u8]]) -> String {
    let mut digits = String::new();
    for byte in digest(key, parts).as_ref() {
        write!(digits, "{byte:02x}").expect("a String takes all text");
    }
    digits
}

/// Over all parts in a row, in base64.
pub fn base64(key: &[u8], parts: &[&[u8]]) -> String {
    STANDARD.encode(digest(key, parts))
}

/// Bytes from hexadecimal digits; nothing where they are none.
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

fn digest(key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec`, and `-binary | base64`.
    #[test]
    fn the_digest_is_what_openssl_says() {
        let parts: [&[u8]; 2] = [b"1700000000.", b"{}"];
        assert_eq!(hex(b"whsec", &parts), "7d44587dddbaf4c7f70fef20f48cd594834ffea1641e3ac227b84408298738af");
        assert_eq!(base64(b"whsec", &parts), "fURYfd269Mf3D+8g9IzVlINP/qFkHjrCJ7hECCmHOK8=");
    }

    #[test]
    fn hexadecimal_digits_are_read_and_nothing_else() {
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
        assert_eq!(from_hex("é"), None);
    }
}
