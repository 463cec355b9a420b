//! A card as a merchant sends it: checked in every respect that needs no bank, and all faults told at once.

use zeroize::Zeroizing;

use super::{
    Brand, Secret,
    brand::{NUMBER_DIGITS_MAX, NUMBER_DIGITS_MIN},
};

/// How far ahead a card may expire. Banks issue for three to ten years; a year beyond this is a typing error.
pub const EXPIRY_AHEAD_MAX_YEARS: i32 = 20;
/// Longer than any name on a card (26 characters on the chip); what people type may be.
pub const HOLDER_MAX_CHARACTERS: usize = 100;
/// Digits with a separator after each: longer texts are not looked at.
const NUMBER_TEXT_MAX_BYTES: usize = NUMBER_DIGITS_MAX * 2;
const BIN_DIGITS: usize = 6;
/// The longest beginning of a number that names its issuer (ISO/IEC 7812 since 2017).
const ISSUER_DIGITS: usize = 8;
const LAST_DIGITS: usize = 4;

const LAYOUT: u8 = 1;
/// No digit, so it ends the number.
const END_OF_NUMBER: u8 = b'/';

/// Number, expiry and holder: what the vault keeps for long. The code is never part of it.
pub struct Card {
    /// Digits alone, 12 to 19, Luhn-correct.
    number: Zeroizing<String>,
    /// 1 to 12
    expiry_month: u8,
    /// Four digits.
    expiry_year: u16,
    holder: Option<Zeroizing<String>>,
}

/// A card with its code, from entry until the two are sealed, each under its own key.
pub struct CardEntry {
    pub card: Card,
    pub code: Option<Secret>,
}

/// What is wrong with one field of a card. Never quotes the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFault {
    /// As in the API: `number`, `expiry_month`, `expiry_year`, `cvc`, `holder`.
    pub field: &'static str,
    /// A sentence about it, without its subject: "must …", "is …".
    pub why: String,
}

impl CardFault {
    fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}

/// Sealed bytes opened well and are no card: they were written by a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record does not hold a card in a layout that this version knows")]
pub struct CardIsUnreadable;

impl CardEntry {
    /// Checks what a merchant sent on the day that is in `now`, a year and a month (1 to 12).
    ///
    /// The number may be grouped by spaces or dashes. A card is good until the end of its month.
    pub fn parse(
        number: &str,
        expiry_month: i64,
        expiry_year: i64,
        cvc: Option<&str>,
        holder: Option<&str>,
        now: (i32, u32),
    ) -> Result<Self, Vec<CardFault>> {
        let mut faults = Vec::new();
        let mut noted = |fault| faults.push(fault);
        let number = parse_number(number).map_err(&mut noted).ok();
        let brand = number.as_ref().map_or(Brand::Unknown, |number| brand_of(number));
        let expiry =
            parse_expiry(expiry_month, expiry_year, now).map_err(|found| found.into_iter().for_each(&mut noted));
        let code = cvc.map(|cvc| parse_code(cvc, brand)).transpose().map_err(&mut noted);
        let holder = holder.map(parse_holder).transpose().map_err(&mut noted);
        match (number, expiry, code, holder) {
            (Some(number), Ok((expiry_month, expiry_year)), Ok(code), Ok(holder)) => {
                Ok(Self { card: Card { number, expiry_month, expiry_year, holder }, code })
            }
            _ => Err(faults),
        }
    }

    #[must_use]
    pub fn has_cvc(&self) -> bool {
        self.code.is_some()
    }
}

impl Card {
    #[must_use]
    pub fn brand(&self) -> Brand {
        brand_of(&self.number)
    }

    /// The first six digits. Not eight, though some issuers are told apart by eight: together with the last four, six
    /// are what PCI DSS lets be shown of a number of any length.
    #[must_use]
    pub fn bin(&self) -> &str {
        let (bin, _) = self.number.split_at(BIN_DIGITS);
        bin
    }

    /// The first eight digits: what routing compares with its rules. Neither shown nor kept, see [`Card::bin`].
    #[must_use]
    pub fn issuer_digits(&self) -> &str {
        self.number.get(..ISSUER_DIGITS).unwrap_or_default()
    }

    #[must_use]
    pub fn last4(&self) -> &str {
        let (_, last) = self.number.split_at(self.number.len() - LAST_DIGITS);
        last
    }

    /// 1 to 12
    #[must_use]
    pub fn expiry_month(&self) -> u8 {
        self.expiry_month
    }

    /// Four digits.
    #[must_use]
    pub fn expiry_year(&self) -> u16 {
        self.expiry_year
    }

    #[must_use]
    pub fn has_holder(&self) -> bool {
        self.holder.is_some()
    }

    /// The whole number, for filling holes and for fingerprints; stays in this crate.
    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    pub(super) fn holder(&self) -> Option<&str> {
        self.holder.as_deref().map(String::as_str)
    }

    /// What is sealed: layout, month, year (big-endian), digits of the number, a slash, holder.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let holder = self.holder().unwrap_or_default();
        // With room for all of it from the start: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 + self.number.len() + 1 + holder.len()));
        bytes.extend_from_slice(&[LAYOUT, self.expiry_month]);
        bytes.extend_from_slice(&self.expiry_year.to_be_bytes());
        bytes.extend_from_slice(self.number.as_bytes());
        bytes.push(END_OF_NUMBER);
        bytes.extend_from_slice(holder.as_bytes());
        bytes
    }

    /// Reads what [`Card::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardIsUnreadable> {
        Self::read(bytes).ok_or(CardIsUnreadable)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[layout, expiry_month, high, low], text) = bytes.split_first_chunk()?;
        let (number, holder) = std::str::from_utf8(text).ok()?.split_once(char::from(END_OF_NUMBER))?;
        let sound = layout == LAYOUT
            && (1..=12).contains(&expiry_month)
            && (NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| Self {
            number: Zeroizing::new(number.to_owned()),
            expiry_month,
            expiry_year: u16::from_be_bytes([high, low]),
            holder: (!holder.is_empty()).then(|| Zeroizing::new(holder.to_owned())),
        })
    }
}

fn parse_number(text: &str) -> Result<Zeroizing<String>, CardFault> {
    let fault = |why: String| CardFault::new("number", why);
    let mut number = Zeroizing::new(String::with_capacity(NUMBER_TEXT_MAX_BYTES));
    for character in text.chars().take(NUMBER_TEXT_MAX_BYTES + 1) {
        match character {
            '0'..='9' => number.push(character),
            ' ' | '-' => {}
            _ => return Err(fault("must hold digits, spaces and dashes only".to_owned())),
        }
    }
    let digits = number.len();
    if text.len() > NUMBER_TEXT_MAX_BYTES || !(NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(&digits) {
        return Err(fault(format!("must have {NUMBER_DIGITS_MIN} to {NUMBER_DIGITS_MAX} digits")));
    }
    let brand = brand_of(&number);
    if !brand.number_digits().contains(&digits) {
        let wanted = either(brand.number_digits());
        return Err(fault(format!("has {digits} digits, where {} has {wanted}", named(brand))));
    }
    if !is_luhn_correct(&number) {
        return Err(fault("is mistyped: its last digit does not fit the others (Luhn)".to_owned()));
    }
    Ok(number)
}

/// Every other digit from the right counts twice; the digits of all that sum up to a multiple of ten.
fn is_luhn_correct(number: &str) -> bool {
    let digits = number.bytes().rev().map(|byte| u32::from(byte.wrapping_sub(b'0')));
    let sum: u32 =
        digits.zip([1, 2].into_iter().cycle()).map(|(digit, weight)| digit * weight).map(|n| n / 10 + n % 10).sum();
    sum.is_multiple_of(10)
}

fn brand_of(number: &str) -> Brand {
    Brand::of_bin(number.get(..BIN_DIGITS).and_then(|bin| bin.parse().ok()).unwrap_or(0))
}

fn parse_expiry(month: i64, year: i64, now: (i32, u32)) -> Result<(u8, u16), Vec<CardFault>> {
    let mut faults = Vec::new();
    let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month));
    if month.is_none() {
        faults.push(CardFault::new("expiry_month", "must be a month, 1 to 12"));
    }
    let year = u16::try_from(year).ok().filter(|year| (1000..=9999).contains(year));
    match (month, year) {
        (_, None) => faults.push(CardFault::new("expiry_year", "must be a year of four digits")),
        (_, Some(year)) if i32::from(year) < now.0 => {
            faults.push(CardFault::new("expiry_year", "is past: the card has expired"));
        }
        (_, Some(year)) if i32::from(year) > now.0.saturating_add(EXPIRY_AHEAD_MAX_YEARS) => {
            faults.push(CardFault::new("expiry_year", format!("is more than {EXPIRY_AHEAD_MAX_YEARS} years ahead")));
        }
        (Some(month), Some(year)) if i32::from(year) == now.0 && u32::from(month) < now.1 => {
            faults.push(CardFault::new("expiry_month", "is past: the card has expired"));
        }
        (Some(month), Some(year)) => return Ok((month, year)),
        (None, Some(_)) => {}
    }
    Err(faults)
}

fn parse_code(text: &str, brand: Brand) -> Result<Secret, CardFault> {
    let wanted = brand.code_digits();
    if wanted.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.into());
    }
    let whose = if brand == Brand::Unknown { String::new() } else { format!(", as {} has", named(brand)) };
    Err(CardFault::new("cvc", format!("must be {} digits{whose}", either(wanted))))
}

fn parse_holder(text: &str) -> Result<Zeroizing<String>, CardFault> {
    let fault = |why: String| CardFault::new("holder", why);
    let text = text.trim();
    // Not more characters than needed are counted.
    let characters = text.chars().take(HOLDER_MAX_CHARACTERS + 1).count();
    if !(1..=HOLDER_MAX_CHARACTERS).contains(&characters) {
        return Err(fault(format!("must have 1 to {HOLDER_MAX_CHARACTERS} characters")));
    }
    if text.chars().any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')) {
        return Err(fault("must hold printable characters only".to_owned()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// "a visa card": for sentences.
fn named(brand: Brand) -> String {
    let article = if brand == Brand::Amex { "an" } else { "a" };
    let brand = brand.as_str();
    format!("{article} {brand} card")
}

/// "16", "13, 16 or 19", "16 to 19": for sentences.
fn either(numbers: &[usize]) -> String {
    match numbers {
        [] => String::new(),
        [only] => only.to_string(),
        [first, .., last] if last - first + 1 == numbers.len() && numbers.len() > 2 => format!("{first} to {last}"),
        [rest @ .., last] => {
            let rest: Vec<_> = rest.iter().map(ToString::to_string).collect();
            format!("{} or {last}", rest.join(", "))
        }
    }
}
