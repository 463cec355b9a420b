//! Records at rest: they open for what they belong to and for nothing else.

use super::*;

fn opened(vault: &Vault, binding: &Binding<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    vault.open(binding, sealed).map(|secret| secret.expose().to_vec())
}

#[test]
fn what_is_sealed_opens_again() {
    let vault = vault(1);
    for clear in [&b""[..], b"x", &[0xa5; 5000]] {
        let sealed = vault.seal(&card_of(1, "tok_1"), clear);
        assert_eq!(sealed.len(), clear.len() + envelope::OVERHEAD_BYTES);
        assert_eq!(opened(&vault, &card_of(1, "tok_1"), &sealed), Ok(clear.to_vec()));
        assert_ne!(sealed, vault.seal(&card_of(1, "tok_1"), clear), "keys and nonces are fresh each time");
    }
}

/// A record that another program wrote by the description of the layout: it opens, for ever.
#[test]
fn the_layout_stays_as_it_is() {
    let sealed = from_hex(
        "01ade686a170ff9a94010101010101010101010101ea7a13200ed3fdd901efe8569950e4c80084e6c4b489762c20cc26781bf70946f4\
         15c47ea894c30eb099a71970b455d002020202020202020202020253f32657e73d81852edd5a9a3dc2c27d1094eb3f5faaba5dbd4e7c\
         8eaf71",
    );
    let master: Vec<u8> = (0..32).collect();
    let vault = Vault::new(MasterKey::new(master.try_into().unwrap()), vec![]);
    let binding = card_of(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881, "tok_1");
    assert_eq!(vault.master_key_id().to_vec(), from_hex("ade686a170ff9a94"));
    assert_eq!(opened(&vault, &binding, &sealed), Ok(b"attack at dawn".to_vec()));
}

#[test]
fn nothing_of_the_clear_text_is_in_the_record() {
    let clear = b"4242424242424242";
    let sealed = vault(1).seal(&card_of(1, "tok_1"), clear);
    assert!(!sealed.windows(4).any(|window| window == &clear[..4]));
}

/// Somebody who may write to the database copies a row over another.
#[test]
fn a_record_opens_for_no_other_object() {
    let vault = vault(1);
    let sealed = vault.seal(&card_of(1, "tok_1"), b"clear");
    let others = [
        card_of(2, "tok_1"),
        card_of(1, "tok_2"),
        card_of(1, "tok_"),
        card_of(1, ""),
        Binding { content: Content::GatewaySecret, ..card_of(1, "tok_1") },
    ];
    for other in others {
        assert_eq!(opened(&vault, &other, &sealed), Err(OpenError::RecordIsForeign), "{other:?}");
    }
}

/// One bit is turned at each place: every byte of the record is vouched for.
#[test]
fn a_changed_record_does_not_open() {
    let vault = vault(1);
    let sealed = vault.seal(&card_of(1, "tok_1"), b"clear");
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 0x10;
        let fault = opened(&vault, &card_of(1, "tok_1"), &changed).unwrap_err();
        match place {
            0 => assert_eq!(fault, OpenError::LayoutIsUnknown { version: 0x11 }),
            1..=8 => assert!(matches!(fault, OpenError::KeyIsUnknown { .. }), "{place}"),
            _ => assert_eq!(fault, OpenError::RecordIsForeign, "{place}"),
        }
    }
}

#[test]
fn a_cut_record_does_not_open() {
    let vault = vault(1);
    let sealed = vault.seal(&card_of(1, "tok_1"), b"clear");
    for length in 0..sealed.len() {
        let fault = opened(&vault, &card_of(1, "tok_1"), &sealed[..length]).unwrap_err();
        let wanted =
            if length < envelope::OVERHEAD_BYTES { OpenError::RecordIsCut } else { OpenError::RecordIsForeign };
        assert_eq!(fault, wanted, "{length}");
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(opened(&vault, &card_of(1, "tok_1"), &longer), Err(OpenError::RecordIsForeign));
}

/// The halves of two records of the same object are put together.
#[test]
fn a_data_key_fits_its_own_payload_alone() {
    let vault = vault(1);
    let (one, other) = (vault.seal(&card_of(1, "tok_1"), b"one"), vault.seal(&card_of(1, "tok_1"), b"two"));
    let mixed = [&one[..69], &other[69..]].concat();
    assert_eq!(opened(&vault, &card_of(1, "tok_1"), &mixed), Err(OpenError::RecordIsForeign));
}

#[test]
fn another_installation_cannot_open_it() {
    let sealed = vault(1).seal(&card_of(1, "tok_1"), b"clear");
    let fault = opened(&vault(2), &card_of(1, "tok_1"), &sealed).unwrap_err();
    assert_eq!(fault, OpenError::KeyIsUnknown { id: vault(1).master_key_id() });
    assert!(fault.to_string().contains("is sealed under the key"), "{fault}");
    // Even where the record claims to be sealed under the key at hand.
    let mut claiming = sealed;
    claiming[1..9].copy_from_slice(&vault(2).master_key_id());
    assert_eq!(opened(&vault(2), &card_of(1, "tok_1"), &claiming), Err(OpenError::RecordIsForeign));
}

/// The master key is changed; the old one is kept until all records have moved.
#[test]
fn records_move_to_a_new_master_key() {
    let sealed = vault(1).seal(&card_of(1, "tok_1"), b"clear");
    let both = Vault::new(master(2), vec![master(9), master(1)]);
    assert_eq!(opened(&both, &card_of(1, "tok_1"), &sealed), Ok(b"clear".to_vec()));

    let moved = both.rewrap(&card_of(1, "tok_1"), &sealed).unwrap().unwrap();
    assert_eq!(envelope::key_id(&moved), Ok(both.master_key_id()));
    assert_eq!(opened(&vault(2), &card_of(1, "tok_1"), &moved), Ok(b"clear".to_vec()));
    assert_eq!(moved[69..], sealed[69..], "the payload was not touched");
    assert_eq!(both.rewrap(&card_of(1, "tok_1"), &moved), Ok(None), "it has moved already");
    assert_eq!(both.rewrap(&card_of(2, "tok_1"), &sealed), Err(OpenError::RecordIsForeign));
}
