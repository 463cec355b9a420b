//! Who vouches for a component: ed25519 signatures beside it, and the keys that an operator trusts.
//!
//! A signature is a small JSON document of its own (`NAME.wasm.sig`), so that the component's bytes, and with them its
//! digest, stay what they are. It is made over a fixed text and the component's SHA-256: over the text, so that nobody
//! can be brought to sign a component while signing something else.

use std::fmt;

use aws_lc_rs::{
    error::KeyRejected,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::admission::{
    Reason,
    ReasonCode::{KeyNotTrusted, SignatureInvalid, Unsigned},
};

/// What is signed, before the digest: says what the signature is for, and the version of its form.
const PURPOSE: &[u8] = b"interlock-connector-v1\0";
const ALGORITHM: &str = "ed25519";
const PUBLIC_KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
/// A signature's document is some 200 bytes.
pub const DOCUMENT_MAX_BYTES: usize = 4096;

/// An ed25519 public key that an operator trusts to vouch for connectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// For people: `release`, `payments-team`.
    pub name: Option<String>,
    pub public_key: [u8; PUBLIC_KEY_BYTES],
}

impl TrustedKey {
    /// The key as it is written in settings and documents: base64.
    #[must_use]
    pub fn text(&self) -> String {
        STANDARD.encode(self.public_key)
    }
}

/// The document as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    algorithm: String,
    /// base64
    public_key: String,
    /// base64
    signature: String,
}

/// A signature that fits its component, and whether an operator trusts who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    pub algorithm: String,
    /// base64
    pub public_key: String,
    /// base64; anybody can check it again.
    pub signature: String,
    /// The name of the key in the host's settings at the time; none where it has none there.
    pub key_name: Option<String>,
    /// Whether the key stood in the host's settings at the time.
    pub trusted: bool,
}

/// Checks the signature of a component under the operator's policy: where keys are trusted, one of them must have signed
/// it. A signature that does not fit is refused under any policy. `document` is the content of its `.sig` file.
pub fn check(
    component: &[u8; 32],
    document: Option<&[u8]>,
    trusted: &[TrustedKey],
) -> Result<Option<SignedBy>, Reason> {
    let Some(document) = document else {
        if trusted.is_empty() {
            return Ok(None);
        }
        return Err(Reason::new(
            Unsigned,
            format!("it is not signed; this host takes connectors that are signed by {}", names(trusted)),
            "sign it with `interlock connector sign FILE --key KEY.pem`, and keep FILE.sig beside it",
        ));
    };
    let (document, public_key, signature) = read(document)?;
    if UnparsedPublicKey::new(&ED25519, public_key).verify(&signed_bytes(component), &signature).is_err() {
        return Err(Reason::new(
            SignatureInvalid,
            "the signature was not made by its key over these bytes",
            "the component was built anew since it was signed, or was changed: sign the file that you send",
        ));
    }
    let known = trusted.iter().find(|key| key.public_key == public_key);
    if known.is_none() && !trusted.is_empty() {
        return Err(Reason::new(
            KeyNotTrusted,
            format!("it is signed by the key {}; this host trusts {}", document.public_key, names(trusted)),
            "have it signed by one of those, or have the operator add the key to INTERLOCK_CONNECTOR_KEYS",
        ));
    }
    Ok(Some(SignedBy {
        algorithm: document.algorithm,
        public_key: document.public_key,
        signature: document.signature,
        key_name: known.and_then(|key| key.name.clone()),
        trusted: known.is_some(),
    }))
}

fn read(document: &[u8]) -> Result<(Document, [u8; PUBLIC_KEY_BYTES], [u8; SIGNATURE_BYTES]), Reason> {
    let invalid = |detail: String| {
        let hint = "it is what `interlock connector sign` writes: algorithm, public_key and signature, as JSON";
        Reason::new(SignatureInvalid, detail, hint)
    };
    if document.len() > DOCUMENT_MAX_BYTES {
        return Err(invalid(format!("the signature's document has {} bytes", document.len())));
    }
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| invalid(format!("the signature's document cannot be read: {error}")))?;
    if document.algorithm != ALGORITHM {
        return Err(invalid(format!("the algorithm {:?} is not {ALGORITHM:?}", document.algorithm)));
    }
    let public_key =
        bytes(&document.public_key).ok_or_else(|| invalid("the public key is not 32 bytes in base64".to_owned()))?;
    let signature =
        bytes(&document.signature).ok_or_else(|| invalid("the signature is not 64 bytes in base64".to_owned()))?;
    Ok((document, public_key, signature))
}

/// A public key in base64, as settings have it.
#[must_use]
pub fn public_key(text: &str) -> Option<[u8; PUBLIC_KEY_BYTES]> {
    bytes(text)
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn signed_bytes(component: &[u8; 32]) -> Vec<u8> {
    [PURPOSE, component].concat()
}

fn names(trusted: &[TrustedKey]) -> String {
    let names: Vec<_> = trusted.iter().map(|key| key.name.clone().unwrap_or_else(|| key.text())).collect();
    names.join(" or ")
}

/// A private key to sign components with. Has no `Debug`: it is a secret.
pub struct SigningKey(Ed25519KeyPair);

/// Why there is no key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// It is not an unencrypted ed25519 key in PKCS#8.
    Unreadable,
    /// The operating system has no randomness to give.
    NotMade,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "it is no unencrypted ed25519 key in PKCS#8",
            Self::NotMade => "no key could be made",
        })
    }
}

impl std::error::Error for KeyFault {}

impl SigningKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, KeyFault> {
        Ed25519KeyPair::generate().map(Self).map_err(|_| KeyFault::NotMade)
    }

    /// Reads PKCS#8 in DER, as `openssl genpkey -algorithm ed25519` makes it too.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFault> {
        Ed25519KeyPair::from_pkcs8(der).map(Self).map_err(|_: KeyRejected| KeyFault::Unreadable)
    }

    /// The key in PKCS#8, DER.
    pub fn to_pkcs8(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyFault> {
        let document = self.0.to_pkcs8v1().map_err(|_| KeyFault::NotMade)?;
        Ok(zeroize::Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Its public half in base64: what an operator trusts.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    /// The document that belongs beside the component with this digest.
    #[must_use]
    pub fn sign(&self, component: &[u8; 32]) -> String {
        let document = Document {
            algorithm: ALGORITHM.to_owned(),
            public_key: self.public_key(),
            signature: STANDARD.encode(self.0.sign(&signed_bytes(component))),
        };
        serde_json::to_string(&document).expect("three texts can be written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: [u8; 32] = [7; 32];

    fn trusted(key: &SigningKey, name: Option<&str>) -> TrustedKey {
        let public_key = public_key(&key.public_key()).unwrap();
        TrustedKey { name: name.map(str::to_owned), public_key }
    }

    fn code(result: Result<Option<SignedBy>, Reason>) -> &'static str {
        result.unwrap_err().code.name()
    }

    #[test]
    fn a_signature_of_a_trusted_key_is_taken() {
        let key = SigningKey::generate().unwrap();
        let document = key.sign(&COMPONENT);
        let by = check(&COMPONENT, Some(document.as_bytes()), &[trusted(&key, Some("release"))]).unwrap().unwrap();
        assert_eq!((by.key_name.as_deref(), by.trusted), (Some("release"), true));
        assert_eq!(by.public_key, key.public_key());
    }

    /// It still says who signed it, and that nobody here knows them.
    #[test]
    fn without_a_policy_any_signature_that_fits_is_taken_and_none_is_needed() {
        let key = SigningKey::generate().unwrap();
        assert_eq!(check(&COMPONENT, None, &[]), Ok(None));
        let by = check(&COMPONENT, Some(key.sign(&COMPONENT).as_bytes()), &[]).unwrap().unwrap();
        assert_eq!((by.key_name, by.trusted), (None, false));
    }

    #[test]
    fn what_a_policy_does_not_allow_is_refused() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let policy = [trusted(&key, Some("release"))];
        let refused = check(&COMPONENT, None, &policy).unwrap_err();
        assert_eq!(refused.code.name(), "unsigned");
        assert!(refused.detail.contains("release"), "{refused}");
        assert_eq!(code(check(&COMPONENT, Some(other.sign(&COMPONENT).as_bytes()), &policy)), "key_not_trusted");
    }

    /// Another component, another key's name on it, a bit of it turned, another purpose: none of them passes.
    #[test]
    fn a_signature_that_does_not_fit_is_refused_under_any_policy() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let good = key.sign(&COMPONENT);
        let signature = |bytes: &[u8]| STANDARD.encode(key.0.sign(bytes));
        let with = |signature: String| {
            format!(r#"{{"algorithm":"ed25519","public_key":"{}","signature":"{signature}"}}"#, key.public_key())
        };
        let theirs = good.replace(&key.public_key(), &other.public_key());
        for policy in [vec![], vec![trusted(&key, None), trusted(&other, None)]] {
            for (what, document) in [
                ("another component", key.sign(&[8; 32])),
                ("another key", theirs.clone()),
                ("the digest alone", with(signature(&COMPONENT))),
                ("another purpose", with(signature(&[&b"interlock-connector-v2\0"[..], &COMPONENT].concat()))),
                ("nothing", with(STANDARD.encode([0; 64]))),
                ("no base64", with("!".repeat(88))),
                ("too short", with(STANDARD.encode([0; 63]))),
                ("another algorithm", good.replace("ed25519", "rsa")),
                ("a field more", good.replace('{', "{\"x\":1,")),
                ("no JSON", "signature".to_owned()),
                ("a giant", format!("{good}{}", " ".repeat(DOCUMENT_MAX_BYTES))),
            ] {
                let refused = check(&COMPONENT, Some(document.as_bytes()), &policy);
                assert_eq!(code(refused), "signature_invalid", "{what}");
            }
            assert!(check(&COMPONENT, Some(good.as_bytes()), &policy).is_ok());
        }
    }

    #[test]
    fn a_key_survives_its_file() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(again.sign(&COMPONENT), key.sign(&COMPONENT), "ed25519 draws nothing");
        assert!(SigningKey::from_pkcs8(b"no key").is_err());
    }
}
