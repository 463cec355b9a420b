//! PayPal's Settlement Report (`STL-….CSV`): records of several kinds, told apart by their first field.
//!
//! `RH` report header, `FH` file header, then sections of `SH` header, `CH` columns, `SB` rows, `SF` footers with totals and
//! `SC` the number of rows; `RF` and `RC` the same for the report, `FF` and `FC` for the file. Amounts are unsigned digits
//! without a separator, in the smallest unit that PayPal has for the currency; `CR` and `DR` say in which direction.

use interlock_connector::csv;
use interlock_connector::money::{exponent, from_signed_decimal};
use interlock_connector::types::{Failure, Line, LineKind, SignedMoney};

use crate::amount::decimals;

/// The begin of our operations' ids: PayPal's own transactions have no such invoice.
const OPERATION_PREFIX: &str = "op_";

/// Every row of the report, in its order. One that cannot be read, and a file that is not whole, makes all of it
/// unreadable: a total of some of the rows would look like the truth.
pub fn read(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let mut records = csv::records(file)?.into_iter();
    if records.next().is_none_or(|record| record.fields.first().is_none_or(|kind| kind != "RH")) {
        return Err(Failure::new("the file does not begin as PayPal's settlement report does"));
    }
    let mut section = Section::default();
    let (mut lines, mut is_whole) = (Vec::new(), false);
    for record in records {
        let unreadable = || record.unreadable();
        let (kind, fields) = record.fields.split_first().ok_or_else(unreadable)?;
        match kind.as_str() {
            "SH" => section = Section::default(),
            "CH" => section.columns = Some(Columns::of(fields).ok_or_else(unreadable)?),
            "SB" => {
                let columns = section.columns.as_ref().ok_or_else(unreadable)?;
                if let Row::Line(line) = columns.row(fields).ok_or_else(unreadable)? {
                    lines.push(line);
                }
                section.rows += 1;
            }
            "SC" if fields.first().and_then(|count| count.parse().ok()) != Some(section.rows) => {
                return Err(Failure::new("a section of the file has another number of rows than it says"));
            }
            "FF" | "FC" => is_whole = true,
            "FH" | "SC" | "SF" | "RF" | "RC" => {}
            _ => return Err(unreadable()),
        }
    }
    if is_whole { Ok(lines) } else { Err(Failure::new("the file has no footer: a part of it is missing")) }
}

/// What a row of the report says.
enum Row {
    Line(Line),
    LeftOut,
}

#[derive(Default)]
struct Section {
    columns: Option<Columns>,
    rows: u64,
}

/// Where the columns stand that are needed.
struct Columns {
    width: usize,
    transaction: usize,
    invoice: usize,
    code: usize,
    completed: usize,
    direction: usize,
    gross: usize,
    currency: usize,
    fee_direction: usize,
    fee: usize,
    fee_currency: usize,
}

impl Columns {
    fn of(names: &[String]) -> Option<Self> {
        // Some versions have two blanks where others have one.
        let at = |wanted: &str| names.iter().position(|name| name.split_whitespace().eq(wanted.split(' ')));
        Some(Self {
            width: names.len(),
            transaction: at("Transaction ID")?,
            invoice: at("Invoice ID")?,
            code: at("Transaction Event Code")?,
            completed: at("Transaction Completion Date")?,
            direction: at("Transaction Debit or Credit")?,
            gross: at("Gross Transaction Amount")?,
            currency: at("Gross Transaction Currency")?,
            fee_direction: at("Fee Debit or Credit")?,
            fee: at("Fee Amount")?,
            fee_currency: at("Fee Currency")?,
        })
    }

    /// None where the row cannot be read.
    fn row(&self, fields: &[String]) -> Option<Row> {
        if fields.len() != self.width {
            return None;
        }
        let field = |at: usize| fields.get(at).map(String::as_str).unwrap_or_default();
        let Some(kind) = Code::of(field(self.code))?.kind(field(self.direction)) else { return Some(Row::LeftOut) };
        let gross = money(field(self.gross), field(self.currency), sign(field(self.direction))?)?;
        let fee = match field(self.fee) {
            "" => SignedMoney::new(0, gross.currency.as_str()),
            // What is debited is a cost.
            fee => money(fee, field(self.fee_currency), -sign(field(self.fee_direction))?)?,
        };
        // A fee on its own is no turnover, but a cost.
        let (gross, fee) = match kind {
            LineKind::Fee => {
                let cost = gross.minor_units.checked_neg()?.checked_add(fee.minor_units)?;
                (SignedMoney::new(0, gross.currency.as_str()), SignedMoney::new(cost, gross.currency))
            }
            _ => (gross, fee),
        };
        Some(Row::Line(Line {
            kind,
            gateway_reference: field(self.transaction).to_owned(),
            operation_id: operation_id(kind, field(self.invoice)),
            gross,
            fee,
            settled_on: day(field(self.completed))?,
        }))
    }
}

/// `T0006`: a group and a number in it.
struct Code {
    group: u8,
    number: u8,
}

impl Code {
    fn of(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('T').filter(|digits| digits.len() == 4)?;
        let (group, number) = digits.split_at_checked(2)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Some(Self { group: group.parse().ok()?, number: number.parse().ok()? }) } else { None }
    }

    /// What the row is about; none where it is left out: it moves no money, or pays out what all the others come to.
    fn kind(&self, direction: &str) -> Option<LineKind> {
        match (self.group, self.number) {
            // Paid by a customer; where it is debited, by the merchant to somebody.
            (0, _) if direction == "CR" => Some(LineKind::Payment),
            // Fees, and fees that are given back.
            (1, _) | (11, 8 | 9) => Some(LineKind::Fee),
            (11, 7) => Some(LineKind::Refund),
            // Taken back by PayPal or an issuer, and what was won back.
            (11, 6) | (12, 1 | 2) => Some(LineKind::Chargeback),
            // Withdrawals to the merchant's bank.
            (4, _) => None,
            // Authorizations hold money at the customer's.
            (13, _) => None,
            // The rest. Holds of PayPal's (T15, T1110) and their ends (T1105, T1111) are among it: what is held is not paid out.
            _ => Some(LineKind::Adjustment),
        }
    }
}

/// Captures carry our operation's id as their invoice. What stands there for a refund may be that of the refund or of
/// its capture, and PayPal does not say which: it is found by its own id.
fn operation_id(kind: LineKind, invoice: &str) -> Option<String> {
    let is_ours = kind == LineKind::Payment && invoice.starts_with(OPERATION_PREFIX);
    is_ours.then(|| invoice.to_owned())
}

fn sign(direction: &str) -> Option<i64> {
    match direction {
        "CR" => Some(1),
        "DR" => Some(-1),
        _ => None,
    }
}

/// Digits in PayPal's smallest unit, as ours: whole forints are a hundred times as many of ISO 4217's.
fn money(digits: &str, currency: &str, sign: i64) -> Option<SignedMoney> {
    let finer = exponent(currency)?.checked_sub(decimals(currency)?)?;
    let amount = from_signed_decimal(digits, 0)?.checked_mul(10_i64.checked_pow(finer)?)?;
    Some(SignedMoney::new(amount.checked_mul(sign)?, currency))
}

/// `2026/11/21 00:01:17 -0700` is the 21st in the report's own zone.
fn day(text: &str) -> Option<String> {
    let (date, _) = text.split_once(' ')?;
    let parts: Vec<_> = date.split('/').collect();
    let [year, month, day] = <[&str; 3]>::try_from(parts).ok()?;
    let is_number = |text: &str, width| text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(year, 4) && is_number(month, 2) && is_number(day, 2)).then(|| [year, month, day].join("-"))
}
