//! Finding a value in text that may spell it otherwise: as it is, percent-encoded, with JSON escapes, in base64, and
//! card numbers in groups. One reader of spelled characters serves all of them, so that mixtures are found too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Separators that may stand between two digits of a card number.
const GROUP_SEPARATORS_MAX: usize = 2;

/// One spelling family of one value.
pub enum Needle {
    /// The value itself, raw, percent-encoded or with JSON escapes.
    Plain(Zeroizing<Vec<u8>>),
    /// Digits, with blanks, dashes or dots between them.
    Digits(Zeroizing<Vec<u8>>),
    /// Characters of base64 (either alphabet) that the value determines, whatever stands before or after it.
    Base64(Zeroizing<Vec<u8>>),
}

impl Needle {
    /// Every family in which `value` is looked for.
    pub fn of(value: &[u8]) -> Vec<Self> {
        let mut needles = vec![Self::Plain(Zeroizing::new(value.to_vec()))];
        needles.extend((0..3).map(|before| Self::Base64(base64_core(value, before))));
        needles
    }

    /// As [`Needle::of`], for a card number.
    pub fn of_digits(digits: &[u8]) -> Vec<Self> {
        let mut needles = Self::of(digits);
        needles.push(Self::Digits(Zeroizing::new(digits.to_vec())));
        needles
    }

    /// How many bytes at the beginning of `text` spell the value.
    pub fn at_start_of(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Plain(value) => plain_at_start(text, value),
            Self::Digits(digits) => digits_at_start(text, digits),
            Self::Base64(core) => spelled_at_start(text, core, |found, wanted| {
                let standard = match found {
                    b'-' => b'+',
                    b'_' => b'/',
                    other => other,
                };
                standard == wanted
            }),
        }
    }

    /// The bytes with which a spelling may begin.
    pub fn may_begin_with(&self) -> Vec<u8> {
        let value = match self {
            Self::Plain(value) | Self::Digits(value) | Self::Base64(value) => value,
        };
        // Escapes begin with these, whatever they stand for.
        let mut bytes = vec![b'%', b'\\'];
        bytes.extend(value.first());
        bytes.extend(match value.first() {
            Some(b' ') => Some(b'+'),
            Some(b'+') => Some(b'-'),
            Some(b'/') => Some(b'_'),
            _ => None,
        });
        bytes
    }
}

/// How many bytes at the beginning of `text` spell `value`, raw, percent-encoded or with JSON escapes.
pub fn plain_at_start(text: &[u8], value: &[u8]) -> Option<usize> {
    if text.starts_with(value) {
        return Some(value.len());
    }
    spelled_at_start(text, value, |found, wanted| found == wanted).or_else(|| form_at_start(text, value))
}

/// As a form has it: `+` for a blank.
fn form_at_start(text: &[u8], value: &[u8]) -> Option<usize> {
    if !value.contains(&b' ') {
        return None;
    }
    spelled_at_start(text, value, |found, wanted| found == wanted || (found == b'+' && wanted == b' '))
}

fn digits_at_start(text: &[u8], digits: &[u8]) -> Option<usize> {
    let mut used = 0;
    for (position, digit) in digits.iter().enumerate() {
        let separators_max = if position == 0 { 0 } else { GROUP_SEPARATORS_MAX };
        let mut separators = 0;
        loop {
            let spelled = Spelled::read(text.get(used..)?, Escapes::Both)?;
            used += spelled.length;
            if spelled.is(*digit) {
                break;
            }
            if separators == separators_max || !spelled.separates() {
                return None;
            }
            separators += 1;
        }
    }
    Some(used)
}

/// Tries one kind of escape at a time first: a value may hold what looks like an escape of the other kind.
fn spelled_at_start(text: &[u8], value: &[u8], same: impl Fn(u8, u8) -> bool) -> Option<usize> {
    let kinds = [Escapes::Json, Escapes::Percent, Escapes::Both];
    kinds.into_iter().find_map(|escapes| escaped_at_start(text, value, escapes, &same))
}

fn escaped_at_start(text: &[u8], value: &[u8], escapes: Escapes, same: &impl Fn(u8, u8) -> bool) -> Option<usize> {
    let (mut used, mut wanted) = (0, value);
    while !wanted.is_empty() {
        let spelled = Spelled::read(text.get(used..)?, escapes)?;
        for byte in spelled.bytes() {
            let (first, rest) = wanted.split_first()?;
            if !same(*byte, *first) {
                return None;
            }
            wanted = rest;
        }
        used += spelled.length;
    }
    Some(used)
}

/// Which escapes a text is read with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Json,
    Percent,
    Both,
}

/// One character as a text spells it.
struct Spelled {
    /// What it means, in UTF-8.
    meaning: [u8; 4],
    meaning_length: usize,
    /// How many bytes of the text spell it.
    length: usize,
}

impl Spelled {
    fn read(text: &[u8], escapes: Escapes) -> Option<Self> {
        match text {
            [b'%', high, low, ..] if escapes != Escapes::Json => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => Some(Self::byte(high << 4 | low, 3)),
                _ => Some(Self::byte(b'%', 1)),
            },
            [b'\\', b'u', digits @ ..] if escapes != Escapes::Percent => {
                let digits = digits.get(..4).unwrap_or(b"-");
                let code = digits.iter().try_fold(0, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)));
                Some(match code.and_then(char::from_u32) {
                    Some(character) => Self::character(character, 6),
                    None => Self::byte(b'\\', 1),
                })
            }
            [b'\\', letter, ..] if escapes != Escapes::Percent => Some(match letter {
                b'"' | b'\\' | b'/' => Self::byte(*letter, 2),
                b'b' => Self::byte(0x08, 2),
                b'f' => Self::byte(0x0c, 2),
                b'n' => Self::byte(b'\n', 2),
                b'r' => Self::byte(b'\r', 2),
                b't' => Self::byte(b'\t', 2),
                _ => Self::byte(b'\\', 1),
            }),
            // A no-break space is two bytes; read as one so that it can separate groups.
            [0xc2, 0xa0, ..] => Some(Self::character('\u{a0}', 2)),
            [byte, ..] => Some(Self::byte(*byte, 1)),
            [] => None,
        }
    }

    fn byte(meaning: u8, length: usize) -> Self {
        Self { meaning: [meaning, 0, 0, 0], meaning_length: 1, length }
    }

    fn character(meaning: char, length: usize) -> Self {
        let mut buffer = [0; 4];
        let meaning_length = meaning.encode_utf8(&mut buffer).len();
        Self { meaning: buffer, meaning_length, length }
    }

    fn bytes(&self) -> &[u8] {
        self.meaning.get(..self.meaning_length).unwrap_or_default()
    }

    fn is(&self, byte: u8) -> bool {
        self.bytes() == [byte]
    }

    fn separates(&self) -> bool {
        matches!(self.bytes(), [b' ' | b'-' | b'.' | b'+' | b'_'] | [0xc2, 0xa0])
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The characters of base64 that `value` alone determines where `before` bytes (mod 3) stand in front of it.
fn base64_core(value: &[u8], before: usize) -> Zeroizing<Vec<u8>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(before + value.len()));
    padded.resize(before, 0);
    padded.extend_from_slice(value);
    let encoded = Zeroizing::new(STANDARD.encode(&*padded));
    // Six bits a character: the first that begins at or after the value's first bit, the last that ends with it.
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    Zeroizing::new(encoded.as_bytes().get(first..end).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_value_are_found() {
        let value = b"s/k:1 \"\xc3\xa9+";
        for text in [
            &b"s/k:1 \"\xc3\xa9+ and more"[..],
            b"s%2Fk%3A1%20%22%C3%A9%2B",
            b"s%2fk%3a1+%22%c3%a9%2b",
            br#"s\/k:1 \"\u00e9+"#,
            br"s\u002Fk\u003a1\u0020\u0022\u00E9\u002b",
        ] {
            assert!(plain_at_start(text, value).is_some(), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(plain_at_start(b"s/k:2", value), None);
        assert_eq!(plain_at_start(b"s/k:1", value), None);
    }

    #[test]
    fn a_value_that_looks_like_an_escape_is_found_raw_and_escaped() {
        for text in [&b"a%25b\\u0041"[..], b"a%2525b%5Cu0041", br"a%25b\\u0041"] {
            assert_eq!(plain_at_start(text, b"a%25b\\u0041"), Some(text.len()), "{}", String::from_utf8_lossy(text));
        }
    }

    /// Whatever stands around a value in base64, the part it determines is found.
    #[test]
    fn base64_is_found_at_every_alignment() {
        let value = b"sk_live_\xff\xfe?>1234";
        let needles = Needle::of(value);
        for before in 0..7_u8 {
            for after in 0..4_u8 {
                let mut bytes = vec![before; usize::from(before)];
                bytes.extend_from_slice(value);
                bytes.extend(vec![after; usize::from(after)]);
                for encoded in [STANDARD.encode(&bytes), base64::engine::general_purpose::URL_SAFE.encode(&bytes)] {
                    let text = encoded.as_bytes();
                    let found = (0..text.len())
                        .any(|at| needles.iter().any(|needle| needle.at_start_of(&text[at..]).is_some()));
                    assert!(found, "{encoded} after {before} bytes");
                }
            }
        }
    }

    #[test]
    fn grouped_digits_are_found() {
        let needles = Needle::of_digits(b"4242424242424242");
        let starts = |text: &str| needles.iter().any(|needle| needle.at_start_of(text.as_bytes()).is_some());
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "4242%204242%204242%204242",
            "4242+4242+4242+4242",
            "42 42 42 42 42 42 42 42",
            "4242\u{a0}4242\u{a0}4242\u{a0}4242",
            r"4242\u00a04242\u00a04242\u00a04242",
            "4242 - 4242",
        ] {
            assert_eq!(starts(text), text != "4242 - 4242", "{text}");
        }
        assert!(!starts("4242 4242 4242 4241"));
        assert!(!starts("4242x4242424242424242"));
    }
}
