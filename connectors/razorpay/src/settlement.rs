//! What Razorpay paid out, from either of its reports of each transaction of a settlement:
//!
//! - `GET /v1/settlements/recon/combined`, saved as it comes: JSON, amounts in minor units, fees with their tax;
//! - the Dashboard's "Settlement Recon", as CSV: amounts in major units, fees and their tax apart.
//!
//! What moved is `credit` less `debit`; what of it Razorpay kept is what is missing from the transaction's amount. That
//! must be the fee that the report names, or nothing, where fees are paid by invoice.

use interlock_connector::csv::{Record, Table};
use interlock_connector::money::{exponent, from_signed_decimal};
use interlock_connector::time::{day_at, day_of};
use interlock_connector::types::{Failure, Line, LineKind, SignedMoney};
use serde::Deserialize;

use crate::payment::{Collection, Notes, OPERATION_PREFIX, text};

/// What the Dashboard's report begins with, and no other.
const ENTITY_COLUMN: &str = "transaction_entity";
/// Days are days in India: UTC+5:30.
const INDIA_S: u64 = 5 * 3600 + 1800;

/// One transaction of either report, in minor units.
struct Transaction<'a> {
    entity: &'a str,
    id: &'a str,
    amount: i64,
    fee: i64,
    debit: i64,
    credit: i64,
    currency: &'a str,
    is_disputed: bool,
    operation_id: Option<&'a str>,
    settled_on: String,
}

/// Every line of the file, in its order. One that cannot be read makes the whole file unreadable: a total of some of the
/// lines would look like the truth. What is not paid out yet is no line.
pub fn read(file: &[u8]) -> Result<Vec<Line>, Failure> {
    if file.trim_ascii_start().starts_with(b"{") { combined(file) } else { dashboard(file) }
}

#[derive(Deserialize)]
struct Item {
    entity_id: String,
    #[serde(rename = "type")]
    entity: String,
    debit: i64,
    credit: i64,
    amount: i64,
    currency: String,
    fee: i64,
    settled: bool,
    /// Unix time in seconds.
    settled_at: Option<u64>,
    #[serde(default, deserialize_with = "noted")]
    notes: Notes,
    #[serde(default, deserialize_with = "text")]
    order_receipt: Option<String>,
    #[serde(default, deserialize_with = "text")]
    dispute_id: Option<String>,
}

/// Notes are an object, or a text, or nothing: only an object can have ours.
fn noted<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Notes, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(Some(value).filter(serde_json::Value::is_object).and_then(|it| Notes::deserialize(it).ok()).unwrap_or_default())
}

fn combined(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let list: Collection<Item> =
        serde_json::from_slice(file).map_err(|_| Failure::new("the settlement report is no list of transactions"))?;
    let settled = list.items()?.into_iter().enumerate().filter(|(_, item)| item.settled);
    let lines = settled.map(|(index, item)| {
        let line = || {
            let noted = item.notes.operation_id();
            Transaction {
                entity: &item.entity,
                id: &item.entity_id,
                amount: item.amount,
                fee: item.fee,
                debit: item.debit,
                credit: item.credit,
                currency: &item.currency,
                is_disputed: item.dispute_id.is_some(),
                operation_id: noted.or_else(|| receipt(&item.entity, item.order_receipt.as_deref())),
                settled_on: day_at(item.settled_at?.saturating_add(INDIA_S)),
            }
            .line()
        };
        line().ok_or_else(|| {
            Failure::new(
                ["transaction ", &(index + 1).to_string(), " of the settlement report cannot be read"].concat(),
            )
        })
    });
    lines.collect()
}

fn dashboard(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let (table, records) = Table::read(file)?;
    if !table.has(ENTITY_COLUMN) {
        return Err(Failure::new("the file is no Settlement Recon report: it has no column transaction_entity"));
    }
    let line = |record: &Record| transaction(&table, record).and_then(Transaction::line);
    records.iter().map(|record| line(record).ok_or_else(|| record.unreadable())).collect()
}

fn transaction<'a>(table: &Table, record: &'a Record) -> Option<Transaction<'a>> {
    let get = |column: &str| table.field(record, column);
    let (entity, currency) = (get(ENTITY_COLUMN)?, get("currency")?);
    let decimals = exponent(currency)?;
    let minor_units = |column: &str| from_signed_decimal(get(column).unwrap_or("0"), decimals);
    Some(Transaction {
        entity,
        id: get("entity_id")?,
        amount: from_signed_decimal(get("amount")?, decimals)?,
        fee: minor_units("fee (exclusive tax)")?.checked_add(minor_units("tax")?)?,
        debit: minor_units("debit")?,
        credit: minor_units("credit")?,
        currency,
        is_disputed: get("dispute_id").is_some(),
        operation_id: receipt(entity, get("order_receipt")),
        settled_on: day_of(get("settled_at")?)?.to_owned(),
    })
}

impl Transaction<'_> {
    /// None where its numbers contradict each other.
    fn line(self) -> Option<Line> {
        let net = self.credit.checked_sub(self.debit)?;
        let (kind, gross) = match self.entity {
            "payment" => (LineKind::Payment, self.amount),
            "refund" => (LineKind::Refund, self.amount.checked_neg()?),
            // An adjustment for a dispute is what an issuer took back.
            "adjustment" if self.is_disputed => (LineKind::Chargeback, net),
            // To and from other accounts: with the sign of what moved.
            "transfer" => (LineKind::Adjustment, if net < 0 { self.amount.checked_neg()? } else { self.amount }),
            _ => (LineKind::Adjustment, net),
        };
        let kept = gross.checked_sub(net)?;
        if kept != 0 && kept != self.fee {
            return None;
        }
        let money = |minor_units| SignedMoney::new(minor_units, self.currency);
        Some(Line {
            kind,
            gateway_reference: self.id.to_owned(),
            operation_id: self.operation_id.map(str::to_owned),
            gross: money(gross),
            fee: money(kept),
            settled_on: self.settled_on,
        })
    }
}

/// The order's receipt is the operation that made its payment; its refunds were other operations.
fn receipt<'a>(entity: &str, receipt: Option<&'a str>) -> Option<&'a str> {
    receipt.filter(|receipt| entity == "payment" && receipt.starts_with(OPERATION_PREFIX))
}
