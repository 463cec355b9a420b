//! What the wire may fill in, and the codes that are made and checked with secrets.

use super::*;
use crate::connector::types::{KeyEncoding, Mac, Segment};

fn text(holes: &Holes, segment: &Segment) -> Option<String> {
    holes.value(segment).map(|value| value.to_string())
}

fn secret(name: &str) -> Segment {
    Segment::Secret(name.to_owned())
}

fn utf8(holes: Holes, name: &str, versions: &[&str]) -> Holes {
    holes.with_secret(name, KeyEncoding::Utf8, versions.iter().map(|version| Secret::from(*version)).collect())
}

#[test]
fn each_segment_has_its_value() {
    let entry = CardEntry::parse("4242424242424242", 5, 2031, Some("123"), Some("Ada"), (2030, 5)).ok().unwrap();
    let holes = utf8(Holes::new(), "api_key", &["sk_new", "sk_old"])
        .with_session("token", "session-value".into())
        .with_card(&entry.card)
        .with_code(entry.code.unwrap())
        .with_wallet_token("wallet".into())
        .with_gateway_token("gateway".into());
    let table = [
        (Segment::Text("as it is".to_owned()), Some("as it is")),
        (secret("api_key"), Some("sk_new")),
        (secret("token"), None),
        (Segment::Session("token".to_owned()), Some("session-value")),
        (Segment::Session("api_key".to_owned()), None),
        (Segment::CardNumber, Some("4242424242424242")),
        (Segment::CardCvc, Some("123")),
        (Segment::CardHolder, Some("Ada")),
        (Segment::CardExpiryMonth, Some("05")),
        (Segment::CardExpiryYear, Some("2031")),
        (Segment::CardExpiryYearShort, Some("31")),
        (Segment::WalletToken, Some("wallet")),
        (Segment::GatewayToken, Some("gateway")),
        (Segment::Computed("signature".to_owned()), None),
    ];
    for (segment, value) in &table {
        assert_eq!(text(&holes, segment).as_deref(), *value, "{segment:?}");
        if !matches!(segment, Segment::Text(_)) {
            assert_eq!(text(&Holes::new(), segment), None, "{segment:?}");
        }
    }
}

/// The example of RFC 7617, and the empty name that stands for nothing.
#[test]
fn basic_auth_is_made_of_two_secrets() {
    let holes = utf8(utf8(Holes::new(), "user", &["Aladdin"]), "word", &["open sesame"]);
    let pair = |first: &str, second: &str| text(&holes, &Segment::BasicAuth((first.to_owned(), second.to_owned())));
    assert_eq!(pair("user", "word").as_deref(), Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(pair("user", "").as_deref(), Some("QWxhZGRpbjo="));
    assert_eq!(pair("", "user").as_deref(), Some("OkFsYWRkaW4="));
    assert_eq!(pair("user", "unknown"), None);
}

#[test]
fn every_value_is_named_for_scrubbing() {
    let card = CardEntry::parse("378282246310005", 12, 2040, None, None, (2030, 5)).ok().unwrap().card;
    let holes = utf8(Holes::new(), "api_key", &["new", "old"]).with_session("token", "s".into()).with_card(&card);
    let listed: Vec<_> =
        holes.each().map(|(kind, value)| format!("{kind}={}", std::str::from_utf8(value).unwrap())).collect();
    let wanted = [
        "secret:api_key=new",
        "secret:api_key=old",
        "session:token=s",
        "card-number=378282246310005",
        "card-expiry-month=12",
        "card-expiry-year=2040",
        "card-expiry-year-short=40",
    ];
    assert_eq!(listed, wanted);
}

/// Test case 2 of RFC 4231 (SHA-2) and of RFC 2202 (SHA-1): the key is "Jefe".
#[test]
fn codes_are_those_of_the_standard() {
    let data = b"what do ya want for nothing?";
    let (sha1, sha256, sha512) = (
        from_hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        from_hex(
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a3\
             4d4a6b4b636e070a38bce737",
        ),
    );
    let encodings = [(KeyEncoding::Utf8, "Jefe"), (KeyEncoding::Hex, "4a656665"), (KeyEncoding::Base64, "SmVmZQ==")];
    for (encoding, key) in encodings {
        let holes = Holes::new().with_secret("key", encoding, vec![key.into()]);
        assert_eq!(holes.secret_bytes("key").unwrap().expose(), b"Jefe");
        for (mac, code) in [(Mac::HmacSha1, &sha1), (Mac::HmacSha256, &sha256), (Mac::HmacSha512, &sha512)] {
            assert_eq!(holes.mac(mac, "key", &[&data[..9], b"", &data[9..]]).as_ref(), Some(code), "{mac:?}");
            assert_eq!(holes.verify(mac, "key", data, code), Some(0));
            assert_eq!(holes.verify(mac, "key", &data[1..], code), None);
            assert_eq!(holes.verify(mac, "key", data, &code[..code.len() - 1]), None, "a part proves nothing");
            assert_eq!(holes.verify(mac, "key", data, b""), None);
            assert_eq!(holes.verify(mac, "other", data, code), None);
        }
    }
}

/// A webhook secret was changed: for a day both prove, and it is told which one did.
#[test]
fn every_live_version_proves() {
    let holes = utf8(Holes::new(), "webhook_secret", &["new", "old"]);
    let signed_with = |key: &str| utf8(Holes::new(), "k", &[key]).mac(Mac::HmacSha256, "k", &[b"event"]).unwrap();
    let proof = |key: &str| holes.verify(Mac::HmacSha256, "webhook_secret", b"event", &signed_with(key));
    assert_eq!(proof("new"), Some(0));
    assert_eq!(proof("old"), Some(1));
    assert_eq!(proof("forged"), None);
    assert_eq!(proof(""), None);
    let now = holes.mac(Mac::HmacSha256, "webhook_secret", &[b"event"]).unwrap();
    assert_eq!(now, signed_with("new"), "what is sent is signed with the present one");
}

/// The secret was entered before its connector declared it to be hexadecimal.
#[test]
fn a_key_that_is_not_in_its_encoding_proves_nothing() {
    let versions = || vec![Secret::from("not hex"), Secret::from("4a656665")];
    let holes = Holes::new().with_secret("key", KeyEncoding::Hex, versions());
    assert!(holes.secret_bytes("key").is_none());
    assert_eq!(holes.mac(Mac::HmacSha256, "key", &[b"x"]), None);
    let good = utf8(Holes::new(), "k", &["Jefe"]).mac(Mac::HmacSha256, "k", &[b"x"]).unwrap();
    assert_eq!(holes.verify(Mac::HmacSha256, "key", b"x", &good), Some(1));
    assert!(Holes::new().with_secret("key", KeyEncoding::Utf8, vec![]).secret_bytes("key").is_none());
}
