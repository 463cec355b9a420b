//! The master key, read from its setting, and the keys that are derived from it.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::{Engine as _, alphabet, engine};
use zeroize::{Zeroize as _, Zeroizing};

use super::envelope::KEY_ID_BYTES;

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// Separates our derivations from those of any other program that was given the same key.
const SALT: &[u8] = b"interlock vault 1";

/// Keys come out of `base64`, `openssl rand`, secret managers: with padding or without.
const LENIENT: engine::GeneralPurposeConfig =
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent);
const STANDARD: engine::GeneralPurpose = engine::GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: engine::GeneralPurpose = engine::GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Wraps the data keys of all records. The 32 bytes themselves are forgotten at once; what stays is the
/// pseudo-random key that HKDF extracts from them, which the cryptographic library wipes when it is dropped.
pub struct MasterKey(WrappingKey);

/// Why a text is no master key. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyFault {
    #[error("is not base64; `openssl rand -base64 32` makes a key")]
    NotBase64,
    #[error("has {bytes} bytes where 32 are needed; `openssl rand -base64 32` makes a key")]
    WrongLength { bytes: usize },
}

impl MasterKey {
    /// Reads 32 bytes in base64, standard or URL-safe, with or without padding; white space around it is ignored.
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyFault> {
        let text = text.trim().as_bytes();
        let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let decoded = if url_safe { URL_SAFE.decode(text) } else { STANDARD.decode(text) };
        let decoded = Zeroizing::new(decoded.map_err(|_| MasterKeyFault::NotBase64)?);
        match <&[u8; MASTER_KEY_BYTES]>::try_from(decoded.as_slice()) {
            Ok(bytes) => Ok(Self(WrappingKey::new(bytes))),
            Err(_) => Err(MasterKeyFault::WrongLength { bytes: decoded.len() }),
        }
    }

    /// Takes 32 bytes that were read elsewhere, and wipes them.
    #[must_use]
    pub fn new(mut bytes: [u8; MASTER_KEY_BYTES]) -> Self {
        let key = Self(WrappingKey::new(&bytes));
        bytes.zeroize();
        key
    }

    /// Tells keys apart without saying anything of them: derived, so it may stand in every record.
    #[must_use]
    pub fn id(&self) -> [u8; KEY_ID_BYTES] {
        self.0.id
    }

    pub(super) fn wrapping(&self) -> &WrappingKey {
        &self.0
    }
}

/// A key from which others are derived: the master key, or a key of the day.
pub(super) struct WrappingKey {
    prk: Prk,
    id: [u8; KEY_ID_BYTES],
}

impl WrappingKey {
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        let prk = Salt::new(HKDF_SHA256, SALT).extract(bytes);
        let id = expand(&prk, &[b"key id"]);
        Self { prk, id: *id }
    }

    pub(super) fn id(&self) -> [u8; KEY_ID_BYTES] {
        self.id
    }

    /// The key for one purpose; no purpose's key says anything of another's.
    pub(super) fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        expand(&self.prk, &[b"key for ", label.as_bytes()])
    }

    /// The key that wraps the data key of the one record that `associated` describes.
    pub(super) fn derive_for_record(&self, associated: &[u8]) -> Zeroizing<[u8; 32]> {
        expand(&self.prk, &[b"record ", associated])
    }
}

fn expand<const N: usize>(prk: &Prk, context: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    prk.expand(context, Bytes(N))
        .and_then(|derived| derived.fill(&mut *key))
        .expect("HKDF-SHA256 gives up to 8,160 bytes and no more than 32 are asked for");
    key
}

/// How many bytes HKDF is to give.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Result<[u8; 8], MasterKeyFault> {
        MasterKey::from_base64(text).map(|key| key.id())
    }

    #[test]
    fn one_key_may_be_written_in_several_ways() {
        let bytes = [0xfb; 32];
        let wanted = Ok(MasterKey::new(bytes).id());
        let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
        assert!(standard.contains('+'));
        assert_eq!(id(&standard), wanted);
        assert_eq!(id(standard.trim_end_matches('=')), wanted);
        assert_eq!(id(&standard.replace('+', "-").replace('/', "_")), wanted);
        assert_eq!(id(&format!("  {standard}\n")), wanted);
        assert_ne!(Ok(MasterKey::new([0xfc; 32]).id()), wanted);
    }

    #[test]
    fn a_bad_key_is_told_what_is_wrong_with_it() {
        let encode = |length| base64::engine::general_purpose::STANDARD.encode(vec![1; length]);
        assert_eq!(id(""), Err(MasterKeyFault::WrongLength { bytes: 0 }));
        assert_eq!(id(&encode(31)), Err(MasterKeyFault::WrongLength { bytes: 31 }));
        assert_eq!(id(&encode(33)), Err(MasterKeyFault::WrongLength { bytes: 33 }));
        assert_eq!(id("not a key!"), Err(MasterKeyFault::NotBase64));
        assert_eq!(id(&encode(32)[1..]), Err(MasterKeyFault::NotBase64));
        let said = MasterKeyFault::WrongLength { bytes: 16 }.to_string();
        assert!(said.contains("16 bytes") && said.contains("openssl rand -base64 32"), "{said}");
    }

    #[test]
    fn keys_for_different_purposes_differ() {
        let key = MasterKey::new([9; 32]);
        assert_ne!(*key.wrapping().derive("a"), *key.wrapping().derive("b"));
        assert_ne!(*key.wrapping().derive("a"), *key.wrapping().derive_for_record(b"a"));
    }
}
