//! The signature of a webhook: `Mock-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`.

use std::fmt::Write as _;

use aws_lc_rs::hmac;

/// The header that carries it.
pub const HEADER: &str = "Mock-Signature";

/// The header's value. `timestamp` is Unix time in seconds.
pub fn sign(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(timestamp.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    let mut value = format!("t={timestamp},v1=");
    for byte in context.sign().as_ref() {
        write!(value, "{byte:02x}").expect("a String takes all text");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::sign;

    /// Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec`.
    #[test]
    fn the_signature_is_what_openssl_says() {
        assert_eq!(
            sign("whsec", 1_700_000_000, b"{}"),
            "t=1700000000,v1=7d44587dddbaf4c7f70fef20f48cd594834ffea1641e3ac227b84408298738af"
        );
    }
}
