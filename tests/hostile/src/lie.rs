//! What the connector says of a charge that was made, and that is not so.

use interlock_connector::types::{ActionNeeded, CustomerAction, Method, Outcome, Pairs, Redirect};

/// One more than a reference may have.
const LONG_REFERENCE_BYTES: usize = 256;
/// One more than there may be references.
const MANY_REFERENCES: usize = 33;

/// The lie of that name about an outcome; none where there is no such lie, or nothing to lie about.
pub fn about(name: &str, told: &Outcome) -> Option<Outcome> {
    let (Outcome::Captured(truth) | Outcome::Authorized(truth)) = told else { return None };
    let mut approval = truth.clone();
    Some(match name {
        "lie_more" => {
            approval.amount.minor_units += 1;
            Outcome::Captured(approval)
        }
        "lie_less" => {
            approval.amount.minor_units -= 1;
            Outcome::Captured(approval)
        }
        "lie_most" => {
            approval.amount.minor_units = u64::MAX;
            Outcome::Captured(approval)
        }
        "lie_other_currency" => {
            "USD".clone_into(&mut approval.amount.currency);
            Outcome::Captured(approval)
        }
        "lie_no_currency" => {
            "eur".clone_into(&mut approval.amount.currency);
            Outcome::Captured(approval)
        }
        "lie_long_reference" => {
            approval.gateway_reference = "x".repeat(LONG_REFERENCE_BYTES);
            Outcome::Captured(approval)
        }
        "lie_reference_with_nul" => {
            approval.gateway_reference.push('\0');
            Outcome::Captured(approval)
        }
        "lie_many_references" => {
            approval.references = (0..MANY_REFERENCES).map(|_| ("charge".to_owned(), String::new())).collect();
            Outcome::Captured(approval)
        }
        "lie_refunded" => Outcome::Refunded(approval),
        "lie_never_received" => Outcome::NeverReceived,
        "lie_script" => Outcome::ActionRequired(ActionNeeded {
            gateway_reference: None,
            references: Pairs::new(),
            actions: vec![CustomerAction::Redirect(Redirect {
                url: "javascript:alert(1)".to_owned(),
                method: Method::Get,
                fields: Pairs::new(),
            })],
            expires_at: None,
        }),
        "lie_no_action" => Outcome::ActionRequired(ActionNeeded {
            gateway_reference: None,
            references: Pairs::new(),
            actions: Vec::new(),
            expires_at: None,
        }),
        _ => return None,
    })
}
