//! Signs what is sent to merchants' endpoints, as Standard Webhooks says.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::Secret;

/// How the secret of an endpoint begins.
pub const SECRET_PREFIX: &str = "whsec_";

/// The key of one secret of an endpoint, ready to sign.
pub struct Signer(hmac::Key);

impl Signer {
    /// Of a secret as its merchant got it: `whsec_` and the key in base64. None where it is nothing of the kind.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let key = Zeroizing::new(STANDARD.decode(secret.expose_str()?.strip_prefix(SECRET_PREFIX)?).ok()?);
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The signature of a message: `v1,` and the code of `id.timestamp.body` in base64.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut code = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            code.update(part);
        }
        let mut signature = String::with_capacity(3 + 44);
        signature.push_str("v1,");
        STANDARD.encode_string(code.sign().as_ref(), &mut signature);
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn the_published_vector_is_signed_as_published() {
        let signer = Signer::new(&Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        assert_eq!(signer.sign(ID, "1614265330", BODY), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_part_is_signed() {
        let signer = Signer::new(&Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = signer.sign(ID, "1614265330", BODY);
        assert_ne!(signer.sign("msg_other", "1614265330", BODY), signature);
        assert_ne!(signer.sign(ID, "1614265331", BODY), signature);
        assert_ne!(signer.sign(ID, "1614265330", b"{}"), signature);
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        for text in
            ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            assert!(Signer::new(&Secret::from(text)).is_none(), "{text}");
        }
    }
}
