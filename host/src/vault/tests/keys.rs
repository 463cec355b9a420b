//! Keys of the day, fingerprints, and what else hangs from the master key.

use chrono::NaiveDate;

use super::*;

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2030, 5, day).unwrap()
}

fn code() -> Binding<'static> {
    Binding { content: Content::CardCode, merchant: merchant(1), record: "op_1" }
}

/// Days pass: the code can be read until its day is forgotten, and never after.
#[test]
fn a_code_is_gone_with_the_key_of_its_day() {
    let vault = vault(1);
    assert!(!vault.has_day_key(day(1)));
    assert_eq!(vault.seal_code(day(1), &code(), b"123"), Err(OpenError::DayKeyIsGone { day: day(1) }));
    for n in [1, 2] {
        vault.learn_day_key(day(n), &vault.new_day_key(day(n)).0).unwrap();
    }
    let first = vault.seal_code(day(1), &code(), b"123").unwrap();
    let second = vault.seal_code(day(2), &code(), b"456").unwrap();
    assert_eq!(vault.open_code(day(1), &code(), &first).unwrap().expose(), b"123");

    vault.forget_day_keys_before(day(2));
    assert!(!vault.has_day_key(day(1)));
    assert_eq!(vault.open_code(day(1), &code(), &first).err(), Some(OpenError::DayKeyIsGone { day: day(1) }));
    assert_eq!(vault.open_code(day(2), &code(), &second).unwrap().expose(), b"456");
    // The master key is no way around: the code does not lie under it.
    assert!(matches!(vault.open(&code(), &first).err(), Some(OpenError::KeyIsUnknown { .. })));
}

#[test]
fn a_code_opens_with_its_own_day_and_binding_alone() {
    let vault = vault(1);
    for n in [1, 2] {
        vault.learn_day_key(day(n), &vault.new_day_key(day(n)).0).unwrap();
    }
    let sealed = vault.seal_code(day(1), &code(), b"123").unwrap();
    assert!(matches!(vault.open_code(day(2), &code(), &sealed).err(), Some(OpenError::KeyIsUnknown { .. })));
    let other = Binding { record: "op_2", ..code() };
    assert_eq!(vault.open_code(day(1), &other, &sealed).err(), Some(OpenError::RecordIsForeign));
}

/// Two hosts draw a key for the same day; both then use the one that the database kept.
#[test]
fn hosts_share_the_key_that_was_written_down() {
    let (one, two) = (vault(1), vault(1));
    let kept = one.new_day_key(day(1));
    let _lost = two.new_day_key(day(1));
    assert!(!one.has_day_key(day(1)), "drawing is not learning");
    one.learn_day_key(day(1), &kept.0).unwrap();
    two.learn_day_key(day(1), &kept.0).unwrap();
    let sealed = one.seal_code(day(1), &code(), b"123").unwrap();
    assert_eq!(two.open_code(day(1), &code(), &sealed).unwrap().expose(), b"123");
}

#[test]
fn a_day_key_is_the_key_of_its_day_alone() {
    let vault = vault(1);
    let wrapped = vault.new_day_key(day(1)).0;
    assert_eq!(vault.learn_day_key(day(2), &wrapped), Err(OpenError::RecordIsForeign));
    assert!(!vault.has_day_key(day(2)));
    // A record of the right kind that holds no key.
    let nil = Binding { content: Content::DayKey, merchant: merchant(0), record: "2030-05-01" };
    assert_eq!(vault.learn_day_key(day(1), &vault.seal(&nil, b"short")), Err(OpenError::RecordIsForeign));
}

#[test]
fn day_keys_move_to_a_new_master_key() {
    let old = vault(1);
    let wrapped = old.new_day_key(day(1)).0;
    old.learn_day_key(day(1), &wrapped).unwrap();
    let sealed = old.seal_code(day(1), &code(), b"123").unwrap();

    let both = Vault::new(master(2), vec![master(1)]);
    let moved = both.rewrap_day_key(day(1), &wrapped).unwrap().unwrap().0;
    let new = vault(2);
    new.learn_day_key(day(1), &moved).unwrap();
    assert_eq!(new.open_code(day(1), &code(), &sealed).unwrap().expose(), b"123");
}

/// Worked out by another program: a change would make every kept answer look like another request's.
#[test]
fn fingerprints_stay_as_they_are() {
    let master: Vec<u8> = (0..32).collect();
    let vault = Vault::new(MasterKey::new(master.try_into().unwrap()), vec![]);
    let merchant = merchant(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
    assert_eq!(
        vault.fingerprint(Purpose::IdempotencyBody, merchant, b"{}").to_vec(),
        from_hex("617a2994b9dd68f0c0397858bbdaa8ac421475bdc68527e7280ee86daead536d")
    );
}

#[test]
fn fingerprints_differ_by_key_purpose_merchant_and_content() {
    let of = |key, purpose, bits, data: &[u8]| vault(key).fingerprint(purpose, merchant(bits), data);
    let all = [
        of(1, Purpose::IdempotencyBody, 1, b"a"),
        of(2, Purpose::IdempotencyBody, 1, b"a"),
        of(1, Purpose::CardNumber, 1, b"a"),
        of(1, Purpose::IdempotencyBody, 2, b"a"),
        of(1, Purpose::IdempotencyBody, 1, b"b"),
        of(1, Purpose::IdempotencyBody, 1, b""),
    ];
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(all[0], of(1, Purpose::IdempotencyBody, 1, b"a"));
}

/// A merchant repeats a request after the master key was changed: it is still the same request.
#[test]
fn fingerprints_outlive_a_change_of_the_master_key() {
    let purpose = Purpose::IdempotencyBody;
    let before = vault(1).fingerprint(purpose, merchant(1), b"body");
    let after = Vault::new(master(2), vec![master(1)]);
    assert!(after.has_fingerprint(purpose, merchant(1), b"body", &before));
    assert!(after.has_fingerprint(purpose, merchant(1), b"body", &after.fingerprint(purpose, merchant(1), b"body")));
    assert!(!after.has_fingerprint(purpose, merchant(1), b"other", &before));
    assert!(!after.has_fingerprint(purpose, merchant(1), b"body", &before[..16]));
    assert!(!vault(2).has_fingerprint(purpose, merchant(1), b"body", &before));
}

#[test]
fn the_image_key_is_the_installations_own() {
    assert_eq!(*vault(1).image_key(), *vault(1).image_key());
    assert_ne!(*vault(1).image_key(), *vault(2).image_key());
}
