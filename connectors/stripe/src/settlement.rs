//! The itemised payout reconciliation and balance change reports: CSV, amounts in major units, and no order of columns
//! that one could rely on.
//!
//! Sources: <https://docs.stripe.com/reports/report-types/payout-reconciliation>,
//! <https://docs.stripe.com/reports/reporting-categories>.

use interlock_connector::csv::{Record, Table};
use interlock_connector::money::{exponent, from_signed_decimal};
use interlock_connector::time::day_of;
use interlock_connector::types::{Failure, Line, LineKind, SignedMoney};

/// Columns that every line needs.
const NEEDED: [&str; 5] = ["balance_transaction_id", "reporting_category", "gross", "fee", "currency"];
/// When a line was paid out, or becomes available, or at least happened: the first that says something.
const DAYS: [&str; 7] = [
    "automatic_payout_effective_at_utc",
    "automatic_payout_effective_at",
    "effective_at_utc",
    "effective_at",
    "available_on_utc",
    "available_on",
    "created_utc",
];
/// Categories that are no lines of their own: a payout is what all the others add up to.
const PAYOUTS: [&str; 4] =
    ["payout", "payout_reversal", "payout_minimum_balance_hold", "payout_minimum_balance_release"];
/// Our own entries of metadata, where the report was made with these columns.
const OF_PAYMENT: &str = "payment_metadata[interlock_operation]";
const OF_CAPTURE: &str = "payment_metadata[interlock_capture]";
const BEFORE_CAPTURE: &str = "payment_metadata[interlock_captured_before]";
const OF_REFUND: &str = "refund_metadata[interlock_operation]";

/// Every line of the file, in its order. One that cannot be read makes the whole file unreadable: a total of some of the
/// lines would look like the truth.
pub fn read(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let (table, records) = Table::read(file)?;
    if let Some(missing) = NEEDED.iter().find(|column| !table.has(column)) {
        return Err(Failure::new(["the settlement file has no column ", missing].concat()));
    }
    let mut lines = Vec::with_capacity(records.len());
    for record in &records {
        let field = |column: &str| table.field(record, column);
        let category = field("reporting_category").ok_or_else(|| record.unreadable())?;
        if !PAYOUTS.contains(&category) {
            lines.push(line(&table, record, kind(category)).ok_or_else(|| record.unreadable())?);
        }
    }
    Ok(lines)
}

fn line(table: &Table, record: &Record, kind: LineKind) -> Option<Line> {
    let field = |column: &str| table.field(record, column);
    let currency = field("currency")?.to_ascii_uppercase();
    let decimals = exponent(&currency)?;
    let money = |column: &str| Some(SignedMoney::new(from_signed_decimal(field(column)?, decimals)?, currency.clone()));
    let reference = match kind {
        LineKind::Payment => field("payment_intent_id").or_else(|| field("charge_id")),
        _ => None,
    };
    Some(Line {
        kind,
        gateway_reference: reference
            .or_else(|| field("source_id"))
            .or_else(|| field("balance_transaction_id"))?
            .to_owned(),
        operation_id: operation(table, record, kind).map(str::to_owned),
        gross: money("gross")?,
        fee: money("fee")?,
        settled_on: day_of(DAYS.iter().find_map(|column| field(column))?)?.to_owned(),
    })
}

/// Stripe's categories in our words. What else moves the balance is an adjustment.
fn kind(category: &str) -> LineKind {
    match category {
        "charge" => LineKind::Payment,
        "refund" | "refund_failure" => LineKind::Refund,
        "dispute" | "dispute_reversal" => LineKind::Chargeback,
        "fee" | "network_cost" | "tax" => LineKind::Fee,
        _ => LineKind::Adjustment,
    }
}

/// A payment's metadata names its last capture. Where that was not the only one, which of them a line is about, the file
/// does not say.
fn operation<'a>(table: &Table, record: &'a Record, kind: LineKind) -> Option<&'a str> {
    let field = |column: &str| table.field(record, column);
    match kind {
        LineKind::Payment => match field(OF_CAPTURE) {
            Some(capture) => field(BEFORE_CAPTURE).is_none_or(|before| before == "0").then_some(capture),
            None => field(OF_PAYMENT),
        },
        LineKind::Refund => field(OF_REFUND),
        LineKind::Fee | LineKind::Chargeback | LineKind::Adjustment => None,
    }
}
