//! The secrets with which events to merchants' endpoints are signed, in the form of Standard Webhooks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{Secret, random, signer::SECRET_PREFIX as PREFIX};

/// The specification asks for 24 to 64 random bytes; a longer key than the hash has makes nothing safer.
const KEY_BYTES: usize = 32;
const KEY_CHARACTERS: usize = KEY_BYTES.div_ceil(3) * 4;

/// A secret that nobody has seen: `whsec_` and 32 random bytes in base64.
#[must_use]
pub fn new_endpoint_secret() -> Secret {
    let key = Zeroizing::new(random::bytes::<KEY_BYTES>());
    // As long as it becomes: a string that grows would leave half a secret behind.
    let mut text = String::with_capacity(PREFIX.len() + KEY_CHARACTERS);
    text.push_str(PREFIX);
    STANDARD.encode_string(key.as_slice(), &mut text);
    Secret::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_text_that_the_libraries_take() {
        let secret = new_endpoint_secret();
        let text = secret.expose_str().unwrap();
        let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!((text.len(), key.len()), (PREFIX.len() + KEY_CHARACTERS, KEY_BYTES));
        assert_ne!(secret.expose(), new_endpoint_secret().expose());
    }
}
