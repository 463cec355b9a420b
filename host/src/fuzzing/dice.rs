//! Values of any type that can be read, out of any bytes: what a fuzzer changes in the bytes changes the value.
//!
//! There are never too few bytes: what is not there any more counts as zero. Texts are mostly put together from words
//! that mean something to the host, because letters alone would seldom get past its first check.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer as _, SeqAccess, VariantAccess, Visitor, value,
    },
    forward_to_deserialize_any,
};

/// Entries of a list, at most.
const LIST_MAX: usize = 6;
/// Bytes of a piece of text that is taken as it comes.
const PIECE_MAX_BYTES: usize = 24;
/// How often a piece is repeated to make a giant.
const REPEATED_MAX: usize = 600;

/// What the host looks for in texts, and what others have got past such looks with.
const WORDS: [&str; 64] = [
    "",
    "https://api.example.com",
    "https://files.example.com:8443",
    "http://127.0.0.1",
    "https://api.example.com@evil.example",
    "https://evil.example/?https://api.example.com",
    "setting:base_url",
    "/",
    "/v1/",
    "/v1/charges",
    "/charges",
    "//",
    "/../",
    "%2e%2e",
    "%2F",
    "\\",
    "?",
    "#",
    "@",
    ":",
    "{",
    "}",
    "{\"number\":\"",
    "{\"method\":{\"number\":\"",
    "\"}",
    "\"}}",
    "\",\"note\":\"",
    "[\"",
    "\"]",
    "\"",
    "\\u0000",
    "\\ufdd00\\ufdd1",
    "\u{fdd0}",
    "\u{fdd1}",
    "\0",
    "\r\n",
    "\n",
    "\t",
    " ",
    "\u{1b}[2J",
    "\u{202e}",
    "é",
    "authorization",
    "x-signature",
    "host",
    "content-length",
    "transfer-encoding",
    "content-type",
    "application/json",
    "Bearer ",
    "number",
    "card[number]",
    "api_key",
    "webhook_secret",
    "base_url",
    "access_token",
    "sum",
    "secret:api_key",
    "session:access_token",
    "computed:sum",
    "card-number",
    "/method/number",
    "/items/*/number",
    "EUR",
];

/// Where values come from.
pub struct Dice<'a> {
    bytes: &'a [u8],
}

impl<'a> Dice<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// A value of that type.
    pub fn roll<T: DeserializeOwned>(&mut self) -> T {
        T::deserialize(self).expect("every type that guests return can be rolled")
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// All that is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// Small, at an edge, or anything.
    fn number(&mut self) -> u64 {
        match self.byte() % 8 {
            0 => u64::MAX,
            1 => u64::MAX / 2,
            2 => u64::MAX / 2 + 1,
            3 => u64::from(u32::MAX),
            4 | 5 => u64::from(self.byte()),
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// A text of up to four pieces, seldom a giant.
    pub fn text(&mut self) -> String {
        let pieces = self.below(16);
        match pieces {
            15 => self.piece().repeat(self.below(256) * REPEATED_MAX / 256),
            12..15 => self.piece(),
            pieces => (0..pieces % 5).map(|_| self.piece()).collect(),
        }
    }

    fn piece(&mut self) -> String {
        if !self.byte().is_multiple_of(4) {
            let number = self.below(WORDS.len());
            return WORDS.get(number).copied().unwrap_or_default().to_owned();
        }
        let length = self.below(PIECE_MAX_BYTES).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        String::from_utf8_lossy(piece).into_owned()
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            let bytes = self.number().to_le_bytes();
            let (low, _) = bytes.split_first_chunk().expect("eight bytes are enough for every number");
            visitor.$visit(<$type>::from_le_bytes(*low))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Dice<'_> {
    type Error = value::Error;

    numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_bool(self.byte() % 2 == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.byte() % 2 == 1 { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let left = self.below(LIST_MAX + 1);
        visitor.visit_seq(Entries { dice: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Entries { dice: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Entries { dice: self, left: fields.len() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let case = self.below(variants.len());
        visitor.visit_enum(Case { dice: self, case })
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple_struct map identifier
        ignored_any
    }
}

struct Entries<'a, 'b> {
    dice: &'a mut Dice<'b>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Entries<'_, '_> {
    type Error = value::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Self::Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.dice).map(Some)
    }
}

struct Case<'a, 'b> {
    dice: &'a mut Dice<'b>,
    case: usize,
}

impl<'de> EnumAccess<'de> for Case<'_, '_> {
    type Error = value::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Self::Error> {
        let case = seed.deserialize((self.case as u64).into_deserializer())?;
        Ok((case, self))
    }
}

impl<'de> VariantAccess<'de> for Case<'_, '_> {
    type Error = value::Error;

    fn unit_variant(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Self::Error> {
        seed.deserialize(self.dice)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Entries { dice: self.dice, left })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Entries { dice: self.dice, left: fields.len() })
    }
}
