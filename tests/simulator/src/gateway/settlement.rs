//! The settlement file: what was paid out and taken back, as CSV.

use std::fmt::Write as _;

use super::Gateway;
use super::ledger::Kind;
use crate::clock;

/// The gateway's fee on what it captures, in parts of ten thousand: 2 %, rounded down.
const FEE_BASIS_POINTS: i64 = 200;

/// One line per capture (`payment`), per refund (`refund`, gross below zero) and for each that was taken back
/// (`adjustment`), in minor units, oldest first.
pub fn csv(gateway: &Gateway) -> String {
    let mut file = String::from("kind,id,reference,gross,fee,currency,settled_on\n");
    for movement in gateway.ledger.movements() {
        let Some(charge) = gateway.charges.get(movement.charge) else { continue };
        let (kind, id, gross, fee) = match movement.kind {
            Kind::Capture => {
                ("payment", charge.id.as_str(), movement.amount, movement.amount * FEE_BASIS_POINTS / 10_000)
            }
            Kind::Refund => {
                let Some(refund) = movement.refund.and_then(|place| gateway.refunds.get(place)) else { continue };
                ("refund", refund.id.as_str(), -movement.amount, 0)
            }
            Kind::CaptureFailed => ("adjustment", charge.id.as_str(), -movement.amount, 0),
            Kind::RefundFailed => {
                let Some(refund) = movement.refund.and_then(|place| gateway.refunds.get(place)) else { continue };
                ("adjustment", refund.id.as_str(), movement.amount, 0)
            }
            Kind::Authorize | Kind::Release => continue,
        };
        let (reference, currency, day) = (quoted(&movement.reference), &charge.currency, clock::day_of(movement.at));
        writeln!(file, "{kind},{id},{reference},{gross},{fee},{currency},{day}").expect("a String takes all text");
    }
    file
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn only_fields_that_need_it_are_quoted() {
        assert_eq!(quoted("op_1"), "op_1");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
