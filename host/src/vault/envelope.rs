//! How one record is encrypted at rest.
//!
//! Every record has a random data key of its own; the payload is sealed with that, and the data key is wrapped by a
//! key derived from the master key (or from a key of the day). Changing the master key rewraps data keys and leaves
//! payloads alone. All bytes of a record are authenticated, together with what it is, whose it is and which one it is
//! ([`Binding`]): a row copied into another row does not open.
//!
//! Layout, version 1:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version |
//! | 8 | id of the wrapping key |
//! | 12 | nonce of the wrapped data key |
//! | 48 | data key, AES-256-GCM, with its tag |
//! | 12 | nonce of the payload |
//! | n + 16 | payload, AES-256-GCM, with its tag |
//!
//! GCM with random nonces must not use one key for more than 2^32 messages, which a table of cards may reach. So
//! the wrapping key is derived per binding: each key wraps the few versions of one record and no more.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{Secret, master_key::WrappingKey, random};
use crate::domain::id::MerchantId;

/// Bytes of the id of a wrapping key.
pub const KEY_ID_BYTES: usize = 8;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const DATA_KEY_BYTES: usize = 32;

const WRAP_NONCE_AT: usize = 1 + KEY_ID_BYTES;
const WRAPPED_AT: usize = WRAP_NONCE_AT + NONCE_BYTES;
const NONCE_AT: usize = WRAPPED_AT + DATA_KEY_BYTES + TAG_BYTES;
const PAYLOAD_AT: usize = NONCE_AT + NONCE_BYTES;

/// By how many bytes a sealed record is longer than its payload.
pub const OVERHEAD_BYTES: usize = PAYLOAD_AT + TAG_BYTES;

/// What a sealed record holds. A record of one kind never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Number, expiry and holder.
    Card,
    /// The card's code (CVC); sealed under a key of the day.
    CardCode,
    WalletToken,
    GatewayToken,
    /// A secret setting of a gateway account.
    GatewaySecret,
    /// A value kept from a gateway's session, an access token for example.
    SessionValue,
    /// What events to a merchant's endpoint are signed with.
    EndpointSecret,
    /// The answer to a request that was shown a new secret, as it is kept with the request's idempotency key.
    KeptAnswer,
    /// A key of the day itself, under the master key.
    DayKey,
}

impl Content {
    /// Part of what is authenticated: changing a word makes old records unreadable.
    fn word(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::CardCode => "card code",
            Self::WalletToken => "wallet token",
            Self::GatewayToken => "gateway token",
            Self::GatewaySecret => "gateway secret",
            Self::SessionValue => "session value",
            Self::EndpointSecret => "endpoint secret",
            Self::KeptAnswer => "kept answer",
            Self::DayKey => "day key",
        }
    }
}

/// What a sealed record belongs to: it opens for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    pub content: Content,
    pub merchant: MerchantId,
    /// Names the record within the merchant, for ever: its id, and the name of a field where it has several secrets
    /// (`gwa_…/api_key`).
    pub record: &'a str,
}

impl Binding<'_> {
    /// The bytes that are authenticated with the record. Each part is preceded by its length, so that no two bindings
    /// give the same bytes.
    fn associated(&self) -> Vec<u8> {
        let merchant = self.merchant.uuid();
        let parts: [&[u8]; 4] =
            [b"interlock envelope 1", self.content.word().as_bytes(), merchant.as_bytes(), self.record.as_bytes()];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + size_of::<u64>()).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// Why a sealed record does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the record is too short to have been sealed")]
    RecordIsCut,
    #[error("the record has the layout {version}, which this version does not know")]
    LayoutIsUnknown { version: u8 },
    #[error("the record is sealed under the key {}, which is neither the master key nor a retired one", in_hex(*id))]
    KeyIsUnknown { id: [u8; KEY_ID_BYTES] },
    #[error("the key of {day} is not here: it was destroyed, or not learnt yet")]
    DayKeyIsGone { day: chrono::NaiveDate },
    #[error("the record was changed, or belongs to another object")]
    RecordIsForeign,
}

fn in_hex(id: [u8; KEY_ID_BYTES]) -> String {
    format!("{:016x}", u64::from_be_bytes(id))
}

/// The id of the key that wraps the record's data key.
pub fn key_id(sealed: &[u8]) -> Result<[u8; KEY_ID_BYTES], OpenError> {
    Ok(Parts::of(sealed)?.key_id)
}

pub(super) fn seal(under: &WrappingKey, binding: &Binding<'_>, clear: &[u8]) -> Vec<u8> {
    let associated = binding.associated();
    let data_key = Zeroizing::new(random::bytes::<DATA_KEY_BYTES>());
    let mut sealed = Vec::with_capacity(OVERHEAD_BYTES + clear.len());
    put_wrapped(&mut sealed, under, &associated, &data_key);
    put_sealed(&mut sealed, &data_key, &associated, clear);
    sealed
}

pub(super) fn open(under: &WrappingKey, binding: &Binding<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
    let parts = Parts::of(sealed)?;
    let associated = binding.associated();
    let data_key = unwrap(&parts, under, &associated)?;
    Ok(decrypt(&data_key, parts.nonce, &associated, parts.payload)?.into())
}

pub(super) fn rewrap(
    old: &WrappingKey,
    new: &WrappingKey,
    binding: &Binding<'_>,
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let parts = Parts::of(sealed)?;
    let associated = binding.associated();
    let data_key = unwrap(&parts, old, &associated)?;
    let mut moved = Vec::with_capacity(sealed.len());
    put_wrapped(&mut moved, new, &associated, &data_key);
    moved.extend_from_slice(&parts.nonce);
    moved.extend_from_slice(parts.payload);
    Ok(moved)
}

/// A sealed record taken apart; nothing of it is believed yet.
struct Parts<'a> {
    key_id: [u8; KEY_ID_BYTES],
    wrap_nonce: [u8; NONCE_BYTES],
    wrapped: &'a [u8],
    nonce: [u8; NONCE_BYTES],
    payload: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, OpenError> {
        let (&version, rest) = sealed.split_first().ok_or(OpenError::RecordIsCut)?;
        if version != VERSION {
            return Err(OpenError::LayoutIsUnknown { version });
        }
        let (&key_id, rest) = rest.split_first_chunk().ok_or(OpenError::RecordIsCut)?;
        let (&wrap_nonce, rest) = rest.split_first_chunk().ok_or(OpenError::RecordIsCut)?;
        let (wrapped, rest) = rest.split_at_checked(NONCE_AT - WRAPPED_AT).ok_or(OpenError::RecordIsCut)?;
        let (&nonce, payload) = rest.split_first_chunk().ok_or(OpenError::RecordIsCut)?;
        if payload.len() < TAG_BYTES {
            return Err(OpenError::RecordIsCut);
        }
        Ok(Self { key_id, wrap_nonce, wrapped, nonce, payload })
    }
}

/// Version, key id, and the data key wrapped for the record that `associated` describes.
fn put_wrapped(sealed: &mut Vec<u8>, under: &WrappingKey, associated: &[u8], data_key: &[u8; DATA_KEY_BYTES]) {
    sealed.push(VERSION);
    sealed.extend_from_slice(&under.id());
    put_sealed(sealed, &under.derive_for_record(associated), associated, data_key);
}

fn unwrap(
    parts: &Parts<'_>,
    under: &WrappingKey,
    associated: &[u8],
) -> Result<Zeroizing<[u8; DATA_KEY_BYTES]>, OpenError> {
    if parts.key_id != under.id() {
        return Err(OpenError::KeyIsUnknown { id: parts.key_id });
    }
    let wrapping = under.derive_for_record(associated);
    let unwrapped = decrypt(&wrapping, parts.wrap_nonce, associated, parts.wrapped)?;
    let mut data_key = Zeroizing::new([0; DATA_KEY_BYTES]);
    data_key.copy_from_slice(&unwrapped);
    Ok(data_key)
}

/// A fresh nonce, then `clear` encrypted in place behind it, then the tag: `clear` is never anywhere but where it was.
fn put_sealed(sealed: &mut Vec<u8>, key: &[u8; 32], associated: &[u8], clear: &[u8]) {
    let nonce = random::bytes::<NONCE_BYTES>();
    sealed.extend_from_slice(&nonce);
    let begin = sealed.len();
    sealed.extend_from_slice(clear);
    let (_, place) = sealed.split_at_mut(begin);
    let tag = cipher(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), place)
        .expect("AES-GCM seals up to 64 GiB, and no record comes near");
    sealed.extend_from_slice(tag.as_ref());
}

fn decrypt(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut place = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let clear_bytes = cipher(key)
        .open_in_place(nonce, Aad::from(associated), &mut place)
        .map_err(|_| OpenError::RecordIsForeign)?
        .len();
    place.truncate(clear_bytes);
    Ok(place)
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes a key of 32 bytes"))
}
