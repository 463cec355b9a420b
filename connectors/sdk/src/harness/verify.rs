//! What the host's `verify` computes, for tests.

use hmac::{Hmac, KeyInit, Mac as _};

use crate::types::Mac;

/// Whether `expected` is the MAC of `data` under `key`.
pub fn fits(mac: Mac, key: &[u8], data: &[u8], expected: &[u8]) -> bool {
    const ANY_KEY: &str = "HMAC takes keys of any length";
    match mac {
        Mac::HmacSha1 => {
            let mac = Hmac::<sha1::Sha1>::new_from_slice(key).expect(ANY_KEY);
            mac.chain_update(data).verify_slice(expected).is_ok()
        }
        Mac::HmacSha256 => {
            let mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect(ANY_KEY);
            mac.chain_update(data).verify_slice(expected).is_ok()
        }
        Mac::HmacSha512 => {
            let mac = Hmac::<sha2::Sha512>::new_from_slice(key).expect(ANY_KEY);
            mac.chain_update(data).verify_slice(expected).is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::from_hex;

    /// Test case 2 of RFC 2202 and RFC 4231.
    #[test]
    fn macs_are_those_of_the_rfcs() {
        let vectors = [
            (Mac::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Mac::HmacSha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Mac::HmacSha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ];
        for (mac, hex) in vectors {
            let expected = from_hex(hex).unwrap();
            assert!(fits(mac, b"Jefe", b"what do ya want for nothing?", &expected));
            assert!(!fits(mac, b"Jeff", b"what do ya want for nothing?", &expected));
            assert!(!fits(mac, b"Jefe", b"what do ya want for nothing?", expected.get(1..).unwrap()));
        }
    }
}
