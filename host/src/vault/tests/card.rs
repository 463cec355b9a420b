//! Cards as merchants send them: good ones pass in every spelling, bad ones are told all that is wrong.

use super::*;

const MAY_2030: (i32, u32) = (2030, 5);

fn faults(number: &str, month: i64, year: i64, cvc: Option<&str>, holder: Option<&str>) -> Vec<(&'static str, String)> {
    let parsed = CardEntry::parse(number, month, year, cvc, holder, MAY_2030);
    parsed.err().unwrap_or_default().into_iter().map(|fault| (fault.field, fault.why)).collect()
}

/// The faults of the number alone; the rest of the card is good.
fn number_fault(number: &str) -> Option<String> {
    let mut found = faults(number, 12, 2031, None, None);
    assert!(found.len() <= 1, "{found:?}");
    found.pop().map(|(field, why)| {
        assert_eq!(field, "number");
        why
    })
}

#[test]
fn a_good_card_passes() {
    let entry = CardEntry::parse("4242 4242-4242 4242", 5, 2030, Some("123"), Some(" Ada Lovelace "), MAY_2030);
    let CardEntry { card, code } = entry.ok().unwrap();
    assert_eq!(card.number(), "4242424242424242");
    assert_eq!((card.brand(), card.bin(), card.last4()), (Brand::Visa, "424242", "4242"));
    assert_eq!((card.expiry_month(), card.expiry_year()), (5, 2030));
    assert_eq!((card.holder(), card.has_holder()), (Some("Ada Lovelace"), true));
    assert_eq!(code.unwrap().expose_str(), Some("123"));

    let bare = CardEntry::parse("4242424242424242", 12, 2050, None, None, MAY_2030).ok().unwrap();
    assert!(!bare.has_cvc() && !bare.card.has_holder());
}

/// Test numbers that gateways publish or that are made up for a range, and the numbers of our own simulator.
#[test]
fn known_numbers_pass() {
    let known = [
        ("4111111111111111", "visa"),
        ("4222222222222", "visa"),
        ("5555555555554444", "mastercard"),
        ("2223003122003222", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("6011000990139424", "discover"),
        ("30569309025904", "diners"),
        ("36227206271667", "diners"),
        ("3566002020360505", "jcb"),
        ("6200000000000005", "unionpay"),
        ("6205500000000000004", "unionpay"),
        ("6759649826438453", "maestro"),
        ("6304000000000000", "maestro"),
        ("6521525000000003", "rupay"),
        ("4000000000000002", "visa"),
        ("4000000000009995", "visa"),
        ("4000000000000069", "visa"),
        ("4000000000003220", "visa"),
        ("4000000000000341", "visa"),
        ("9999999999999995", "unknown"),
    ];
    for (number, brand) in known {
        let entry = CardEntry::parse(number, 12, 2031, None, None, MAY_2030);
        let entry = entry.map_err(|faults| format!("{number}: {faults:?}")).map(|entry| entry.card.brand().as_str());
        assert_eq!(entry, Ok(brand), "{number}");
    }
}

/// One digit is mistyped, or two neighbours are swapped: Luhn notices, but for 09 and 90.
#[test]
fn mistyped_numbers_are_noticed() {
    let good = "4111111111111152";
    assert_eq!(number_fault(good), None);
    for place in 6..16 {
        for digit in b'0'..=b'9' {
            let mut typed = good.as_bytes().to_vec();
            let same = typed[place] == digit;
            typed[place] = digit;
            assert_eq!(number_fault(std::str::from_utf8(&typed).unwrap()).is_none(), same);
        }
    }
    assert!(number_fault("4111111111111125").unwrap().contains("mistyped"));
}

#[test]
fn bad_numbers_are_told_why() {
    let length = "must have 12 to 19 digits";
    let table = [
        ("", length),
        ("4242", length),
        ("42424242424242424242", length),
        (" - ", length),
        (&"4 ".repeat(400), length),
        (&" ".repeat(1_000_000), length),
        ("4242x42424242424", "must hold digits, spaces and dashes only"),
        ("４２４２424242424242", "must hold digits, spaces and dashes only"),
        ("4242\t4242\n4242 4242", "must hold digits, spaces and dashes only"),
        ("42424242424242", "has 14 digits, where a visa card has 13, 16 or 19"),
        ("5555555555554", "has 13 digits, where a mastercard card has 16"),
        ("3782822463100050", "has 16 digits, where an amex card has 15"),
        ("601111111111111", "has 15 digits, where a discover card has 16 to 19"),
        ("4242424242424241", "is mistyped: its last digit does not fit the others (Luhn)"),
    ];
    for (number, why) in table {
        assert_eq!(number_fault(number).as_deref(), Some(why), "{}", number.get(..20).unwrap_or(number));
    }
}

#[test]
fn a_card_is_good_to_the_end_of_its_month() {
    let expiry = |month, year| faults("4242424242424242", month, year, None, None);
    for (month, year) in [(5, 2030), (6, 2030), (1, 2031), (12, 2050)] {
        assert_eq!(expiry(month, year), []);
    }
    let one = |field, why: &str| vec![(field, why.to_owned())];
    assert_eq!(expiry(4, 2030), one("expiry_month", "is past: the card has expired"));
    assert_eq!(expiry(12, 2029), one("expiry_year", "is past: the card has expired"));
    assert_eq!(expiry(1, 2051), one("expiry_year", "is more than 20 years ahead"));
    for year in [30, 0, -2030, 999, 10_000, i64::MAX, i64::MIN] {
        assert_eq!(expiry(6, year), one("expiry_year", "must be a year of four digits"), "{year}");
    }
    for month in [0, 13, -1, 256, 257, i64::MAX, i64::MIN] {
        assert_eq!(expiry(month, 2031), one("expiry_month", "must be a month, 1 to 12"), "{month}");
    }
}

#[test]
fn codes_have_the_length_of_their_brand() {
    let code = |number, cvc| faults(number, 12, 2031, Some(cvc), None).pop().map(|(_, why)| why);
    let (visa, amex, unknown) = ("4242424242424242", "378282246310005", "9999999999999995");
    for (number, cvc) in [(visa, "000"), (amex, "0000"), (unknown, "123"), (unknown, "1234")] {
        assert_eq!(code(number, cvc), None);
    }
    for cvc in ["", "12", "1234", "12a", " 123", "１２３", "-12"] {
        assert_eq!(code(visa, cvc).as_deref(), Some("must be 3 digits, as a visa card has"), "{cvc}");
    }
    assert_eq!(code(amex, "123").as_deref(), Some("must be 4 digits, as an amex card has"));
    assert_eq!(code(unknown, "12345").as_deref(), Some("must be 3 or 4 digits"));
}

#[test]
fn holders_are_printable_and_short() {
    let holder = |text: &str| faults("4242424242424242", 12, 2031, None, Some(text)).pop().map(|(_, why)| why);
    for good in ["A", "Zoë O’Hara-Müller", "山田太郎", &"é".repeat(100), "J. Doe Jr."] {
        assert_eq!(holder(good), None, "{good}");
    }
    for bad in ["", "   ", &"x".repeat(101), &"x".repeat(100_000)] {
        assert_eq!(holder(bad).as_deref(), Some("must have 1 to 100 characters"));
    }
    for bad in ["a\0b", "a\r\nb", "a\u{7f}b", "a\u{2028}b", "a\u{85}b"] {
        assert_eq!(holder(bad).as_deref(), Some("must hold printable characters only"), "{bad:?}");
    }
}

/// Everything is wrong at once, everything is told at once, and nothing of it is repeated.
#[test]
fn all_faults_are_told_together_and_quote_nothing() {
    let found = faults("4000-1234-5678-9018", 99, 77, Some("98765"), Some("Eve\u{1b}"));
    let fields: Vec<_> = found.iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["number", "expiry_month", "expiry_year", "cvc", "holder"]);
    let said = format!("{found:?}");
    for secret in ["1234", "5678", "9018", "98765", "Eve", "99", "77"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn cards_are_read_back_as_they_were_written() {
    for (number, holder) in [("4242424242424242", Some("Zoë / O’Hara")), ("6205500000000000004", None)] {
        let written = CardEntry::parse(number, 7, 2031, Some("123"), holder, MAY_2030).ok().unwrap().card;
        let bytes = written.to_bytes();
        let read = Card::from_bytes(&bytes).ok().unwrap();
        assert_eq!((read.number(), read.holder()), (number, holder));
        assert_eq!((read.expiry_month(), read.expiry_year(), read.brand()), (7, 2031, written.brand()));
        assert!(!bytes.windows(3).any(|window| window == b"123"), "the code is no part of it");
    }
}

#[test]
fn bytes_that_are_no_card_are_refused() {
    let good = b"\x01\x05\x07\xee4242424242424242/Ada".to_vec();
    assert!(Card::from_bytes(&good).is_ok());
    let changed = |place: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[place] = to;
        bytes
    };
    let refused = [
        vec![],
        good[..4].to_vec(),
        good[..20].to_vec(),
        changed(0, 2),
        changed(1, 0),
        changed(1, 13),
        changed(4, b'x'),
        changed(8, b'/'),
        changed(23, 0xff),
    ];
    for bytes in refused {
        assert_eq!(Card::from_bytes(&bytes).err(), Some(crate::vault::card::CardIsUnreadable), "{bytes:?}");
    }
}
