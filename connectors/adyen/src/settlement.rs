//! The settlement details report: CSV, amounts in major units, one line for each movement of a batch.
//! <https://docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report>

use interlock_connector::csv::{Record, Table};
use interlock_connector::money::from_signed_decimal;
use interlock_connector::types::{Failure, Line, LineKind, SignedMoney};

use crate::currency::{Amount, exponent};
use crate::reference::{self, Named};

/// Columns without which it is another report. The rest may be switched off.
const REQUIRED: [&str; 10] = [
    "Psp Reference",
    "Merchant Reference",
    "Creation Date",
    "Type",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
];
/// Commission, or what stands for it with interchange++.
const COSTS: [&str; 4] = ["Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)"];
/// Costs are told with more decimals than the currency has: four, or six.
const COST_DECIMALS: u32 = 6;
/// What is paid out to the bank in the end: the sum of all other lines, and so no line of its own.
const PAYOUT: &str = "MerchantPayout";
/// `2021-05-19` of `2021-05-19 09:35:14`, in the time zone that the line names.
const DAY_BYTES: usize = 10;

/// Every line of the file but the payout's, in its order. One line that cannot be read makes the whole file unreadable.
pub fn read(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let (table, records) = Table::read(file)?;
    if let Some(missing) = REQUIRED.iter().find(|column| !table.has(column)) {
        return Err(Failure::new(["the file has no column ", missing].concat()));
    }
    let entries = records.iter().map(|record| Entry { table: &table, record });
    let entries = entries.filter(|entry| entry.text("Type") != PAYOUT);
    entries.map(|entry| entry.line().ok_or_else(|| entry.record.unreadable())).collect()
}

/// One line of the report.
struct Entry<'a> {
    table: &'a Table,
    record: &'a Record,
}

impl<'a> Entry<'a> {
    fn text(&self, column: &str) -> &'a str {
        self.table.field(self.record, column).unwrap_or_default()
    }

    fn line(&self) -> Option<Line> {
        let (kind, direction) = kind(self.text("Type"));
        let net = self.net()?;
        let gross = match kind {
            // Of a fee nothing is anybody's but Adyen's.
            LineKind::Fee => SignedMoney::new(0, net.currency.as_str()),
            _ => self.gross(direction, &net)?,
        };
        let fee = if gross.currency == net.currency {
            // To the cent, however many decimals the costs are told with.
            SignedMoney::new(gross.minor_units.checked_sub(net.minor_units)?, net.currency)
        } else {
            self.costs(&net.currency)?
        };
        let own = self.text("Modification Reference");
        let of_payment = kind == LineKind::Payment || own.is_empty();
        Some(Line {
            kind,
            gateway_reference: if of_payment { self.text("Psp Reference") } else { own }.to_owned(),
            operation_id: self.operation_id(kind),
            gross,
            fee,
            settled_on: day(self.text("Creation Date"))?,
        })
    }

    fn net(&self) -> Option<SignedMoney> {
        let currency = self.text("Net Currency");
        let (credit, debit) = (self.money("Net Credit (NC)", currency)?, self.money("Net Debit (NC)", currency)?);
        Some(SignedMoney::new(credit.checked_sub(debit)?, currency))
    }

    /// What moved. A line without a gross amount (a correction) moves its net amount.
    fn gross(&self, direction: Direction, net: &SignedMoney) -> Option<SignedMoney> {
        let currency = self.text("Gross Currency");
        if currency.is_empty() {
            return Some(net.clone());
        }
        let (credit, debit) = (self.money("Gross Credit (GC)", currency)?, self.money("Gross Debit (GC)", currency)?);
        let ((0, amount) | (amount, 0)) = (credit, debit) else { return None };
        // Which of the two columns it stands in is not to be relied on: Adyen's sample has payments in the debit column.
        let is_out = match direction {
            Direction::In => false,
            Direction::Out => true,
            Direction::AsNet => net.minor_units < 0,
        };
        Some(SignedMoney::new(if is_out { amount.checked_neg()? } else { amount }, currency))
    }

    /// Summed up first and rounded then, half of the smallest unit away from nothing.
    fn costs(&self, currency: &str) -> Option<SignedMoney> {
        let sum = COSTS.iter().try_fold(0_i64, |sum, column| {
            let cost =
                self.table.field(self.record, column).map_or(Some(0), |text| from_signed_decimal(text, COST_DECIMALS));
            sum.checked_add(cost?)
        })?;
        let unit = 10_i64.checked_pow(COST_DECIMALS.checked_sub(exponent(currency)?)?)?;
        let half = if sum < 0 { -unit / 2 } else { unit / 2 };
        Some(SignedMoney::new(minor_units(sum.checked_add(half)? / unit, currency)?, currency))
    }

    /// In minor units of the standard; nothing written is nothing moved.
    fn money(&self, column: &str, currency: &str) -> Option<i64> {
        let Some(text) = self.table.field(self.record, column) else { return Some(0) };
        minor_units(from_signed_decimal(text, exponent(currency)?)?, currency)
    }

    /// What was taken may come under the payment's name alone. For everything else that name says nothing: it is there of
    /// what the issuer took back, or somebody gave back by hand, too.
    fn operation_id(&self, kind: LineKind) -> Option<String> {
        let named = |column: &str| match reference::read(self.text(column)) {
            Named::Payment(id) if kind == LineKind::Payment => Some(id.to_owned()),
            Named::Modification(_, id) => Some(id.to_owned()),
            Named::Payment(_) | Named::Foreign => None,
        };
        named("Modification Merchant Reference").or_else(|| named("Merchant Reference"))
    }
}

/// Adyen's minor units as the standard's.
fn minor_units(value: i64, currency: &str) -> Option<i64> {
    let amount = Amount { value: value.unsigned_abs(), currency: currency.to_owned() };
    let minor_units = i64::try_from(amount.money().ok()?.minor_units).ok()?;
    Some(if value < 0 { -minor_units } else { minor_units })
}

#[derive(Clone, Copy)]
enum Direction {
    In,
    Out,
    /// As the net amount moves: for what may go both ways.
    AsNet,
}

/// What the line is about, and which way its gross amount moves.
fn kind(word: &str) -> (LineKind, Direction) {
    match word {
        "Settled" => (LineKind::Payment, Direction::In),
        "Refunded" => (LineKind::Refund, Direction::Out),
        "RefundedReversed" => (LineKind::Refund, Direction::In),
        "Chargeback" | "SecondChargeback" => (LineKind::Chargeback, Direction::Out),
        "ChargebackReversed" => (LineKind::Chargeback, Direction::In),
        "Fee" | "InvoiceDeduction" | "MiscCosts" | "PaymentCost" => (LineKind::Fee, Direction::AsNet),
        _ => (LineKind::Adjustment, Direction::AsNet),
    }
}

fn day(date: &str) -> Option<String> {
    let day = date.get(..DAY_BYTES)?;
    let is_date = day
        .bytes()
        .enumerate()
        .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    is_date.then(|| day.to_owned())
}
