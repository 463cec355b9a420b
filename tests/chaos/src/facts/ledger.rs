//! The gateways' side: charges, and every movement of money.

use anyhow::Context as _;
use serde_json::Value;

/// The books of all gateways.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub charges: Vec<Charge>,
    pub movements: Vec<Movement>,
    /// Gateways whose own books do not add up.
    pub unbalanced: Vec<usize>,
}

/// One charge as it is now; amounts in minor units.
#[derive(Clone, Debug, Default)]
pub struct Charge {
    pub gateway: usize,
    /// `ch_…`
    pub id: String,
    /// `op_…` of the operation that made it.
    pub reference: String,
    pub amount: i64,
    pub held: i64,
    pub captured: i64,
    pub refunded: i64,
    pub currency: String,
    pub status: String,
}

/// Money that moved.
#[derive(Clone, Debug, Default)]
pub struct Movement {
    pub gateway: usize,
    /// `authorize`, `capture`, `release` or `refund`.
    pub kind: String,
    /// `ch_…`
    pub charge: String,
    /// `op_…` of the operation that moved it.
    pub reference: String,
    pub amount: i64,
    /// Unix time in seconds.
    pub at_s: i64,
}

impl Ledger {
    /// Adds what the gateway with this number shows.
    pub fn add(&mut self, gateway: usize, shown: &Value) -> anyhow::Result<()> {
        if shown["balanced"] != true {
            self.unbalanced.push(gateway);
        }
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value, name: &str| value[name].as_i64().unwrap_or_default();
        for charge in shown["charges"].as_array().context("a ledger lists charges")? {
            self.charges.push(Charge {
                gateway,
                id: text(charge, "id"),
                reference: text(charge, "reference"),
                amount: number(charge, "amount"),
                held: number(charge, "held"),
                captured: number(charge, "captured"),
                refunded: number(charge, "refunded"),
                currency: text(charge, "currency"),
                status: text(charge, "status"),
            });
        }
        // Two postings a movement, one after the other: what was given is below nought, what was taken above.
        for entry in shown["entries"].as_array().context("a ledger lists postings")? {
            if number(entry, "amount") > 0 {
                self.movements.push(Movement {
                    gateway,
                    kind: text(entry, "kind"),
                    charge: text(entry, "charge"),
                    reference: text(entry, "reference"),
                    amount: number(entry, "amount"),
                    at_s: number(entry, "at"),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_movement_is_read_once() {
        let shown = json!({
            "balanced": true,
            "charges": [{ "id": "ch_1", "reference": "op_1", "amount": 5, "held": 0, "captured": 5, "refunded": 0,
                          "currency": "EUR", "status": "captured" }],
            "entries": [
                { "movement": 0, "account": "customer", "amount": -5, "kind": "authorize", "charge": "ch_1", "reference": "op_1", "at": 7 },
                { "movement": 0, "account": "held", "amount": 5, "kind": "authorize", "charge": "ch_1", "reference": "op_1", "at": 7 },
            ]
        });
        let mut ledger = Ledger::default();
        ledger.add(1, &shown).unwrap();
        assert_eq!(ledger.movements.len(), 1);
        assert_eq!((ledger.movements[0].amount, ledger.movements[0].at_s), (5, 7));
        assert_eq!(ledger.charges[0].captured, 5);
        assert!(ledger.unbalanced.is_empty());
    }
}
