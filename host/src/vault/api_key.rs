//! The keys with which merchants' programs sign in. The database keeps a hash; the key is shown once.
//!
//! `sk_`, the 26 characters of the merchant's id, `_`, and 52 characters that stand for 32 random bytes. The merchant
//! stands in the key so that the lookup goes by merchant, as every other. A key holds 256 random bits, so a plain hash
//! cannot be undone by trying.

use aws_lc_rs::{
    constant_time,
    digest::{SHA256, digest},
};
use zeroize::Zeroizing;

use super::random;
use crate::domain::id::MerchantId;

/// Bytes of what the database keeps of a key: its SHA-256.
pub const API_KEY_HASH_BYTES: usize = 32;

const PREFIX: &str = "sk_";
const RANDOM_BYTES: usize = 32;
const RANDOM_CHARACTERS: usize = (RANDOM_BYTES * 8).div_ceil(5);
/// Lower-case base32 without letters that look like digits, as in our ids.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A key just made: shown to its merchant, then dropped.
pub struct NewApiKey {
    text: Zeroizing<String>,
    hash: [u8; API_KEY_HASH_BYTES],
}

impl NewApiKey {
    /// A key that nobody has seen.
    #[must_use]
    pub fn generate(merchant: MerchantId) -> Self {
        let drawn = Zeroizing::new(random::bytes::<RANDOM_BYTES>());
        let merchant = merchant.to_string();
        let (_, merchant) = merchant.split_at(MerchantId::PREFIX.len() + 1);
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + merchant.len() + 1 + RANDOM_CHARACTERS));
        text.push_str(PREFIX);
        text.push_str(merchant);
        text.push('_');
        push_base32(&mut text, drawn.as_slice());
        let hash = hash(&text);
        Self { text, hash }
    }

    /// The key itself, to be shown once.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> [u8; API_KEY_HASH_BYTES] {
        self.hash
    }
}

/// A key that somebody presents: well-formed, and otherwise unproved until the hash is found among the merchant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedApiKey {
    /// Whose it claims to be.
    pub merchant: MerchantId,
    pub hash: [u8; API_KEY_HASH_BYTES],
}

impl PresentedApiKey {
    /// Reads a key; none where it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (merchant, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let well_formed = secret.len() == RANDOM_CHARACTERS && secret.bytes().all(|byte| ALPHABET.contains(&byte));
        if !well_formed {
            return None;
        }
        let merchant = format!("{}_{merchant}", MerchantId::PREFIX).parse().ok()?;
        Some(Self { merchant, hash: hash(text) })
    }

    /// Whether it is the key of which `kept` is the hash; in constant time.
    #[must_use]
    pub fn is(&self, kept: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.hash, kept).is_ok()
    }
}

/// Whether two secrets that people type, such as the operator's token, are equal. The time it takes tells neither
/// where they differ nor how long the expected one is.
#[must_use]
pub fn secrets_are_equal(presented: &str, expected: &str) -> bool {
    constant_time::verify_slices_are_equal(&hash(presented), &hash(expected)).is_ok()
}

fn hash(text: &str) -> [u8; API_KEY_HASH_BYTES] {
    let mut hash = [0; API_KEY_HASH_BYTES];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// Five bits a character, the last one filled up with zeros.
fn push_base32(text: &mut String, bytes: &[u8]) {
    let bit = |index: usize| bytes.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1);
    for character in 0..(bytes.len() * 8).div_ceil(5) {
        let value = (0..5).fold(0, |value, offset| value << 1 | usize::from(bit(character * 5 + offset)));
        text.push(ALPHABET.get(value).copied().map(char::from).expect("five bits are less than 32"));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn merchant(bits: u128) -> MerchantId {
        MerchantId::from_uuid(Uuid::from_u128(bits))
    }

    #[test]
    fn a_key_is_recognised_by_its_hash() {
        let key = NewApiKey::generate(merchant(7));
        assert_eq!(key.text().len(), 3 + 26 + 1 + 52);
        let presented = PresentedApiKey::parse(key.text()).unwrap();
        assert_eq!(presented.merchant, merchant(7));
        assert!(presented.is(&key.hash()));
        let other = NewApiKey::generate(merchant(7));
        assert_ne!(other.text(), key.text());
        assert!(!presented.is(&other.hash()));
        assert!(!presented.is(&key.hash()[..31]));
    }

    /// The key of one merchant with the name of another in it is another key.
    #[test]
    fn the_merchant_is_part_of_what_is_hashed() {
        let key = NewApiKey::generate(merchant(1));
        let renamed = key.text().replacen("00000001_", "00000002_", 1);
        let presented = PresentedApiKey::parse(&renamed).unwrap();
        assert_eq!(presented.merchant, merchant(2));
        assert!(!presented.is(&key.hash()));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let key = NewApiKey::generate(merchant(7));
        let text = key.text();
        let refused = [
            "",
            "sk_",
            "sk__",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &format!(" {text}"),
            &text.to_uppercase(),
            &text.replacen("sk_", "pk_", 1),
            &text.replacen('_', "-", 2),
            &format!("sk_{}_{}", "8".repeat(26), "0".repeat(52)),
            &format!("sk_{}_{}", "0".repeat(26), "u".repeat(52)),
            &format!("sk_{}_{}", "0".repeat(25), "0".repeat(53)),
        ];
        for text in refused {
            assert_eq!(PresentedApiKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn base32_is_that_of_our_ids() {
        let spelled = |bytes: &[u8]| {
            let mut text = String::new();
            push_base32(&mut text, bytes);
            text
        };
        assert_eq!(spelled(b"foobar"), "csqpyrk1e8");
        assert_eq!(spelled(&[0xff; 32]), format!("{}g", "z".repeat(51)));
        assert_eq!(spelled(&[0; 32]), "0".repeat(52));
    }

    #[test]
    fn typed_secrets_are_compared_whole() {
        assert!(secrets_are_equal("op-token", "op-token"));
        for other in ["", "op-toke", "op-tokenx", "Op-token", "op-token "] {
            assert!(!secrets_are_equal(other, "op-token"), "{other}");
        }
    }
}
