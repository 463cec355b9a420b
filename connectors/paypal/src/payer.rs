//! What the payer still has to do, and what came of it: pages to go to, 3-D Secure.

use interlock_connector::types::{ActionNeeded, CustomerAction, DeclineCode, Method, Outcome, Redirect, RetryAdvice};
use interlock_connector::{DeclineTable, Host};

use crate::order::{Authentication, Link, Order};

/// What PayPal calls the page that the payer is to be sent to, the most exact word first.
const PAGES: [&str; 3] = ["payer-action", "approve", "redirect"];

/// What 3-D Secure came to, by `liability_shift` where the issuer's answer has no better word. NO and an answer: the
/// issuer said no. UNKNOWN: nobody answered, and the payer may try again.
const AUTHENTICATION: DeclineTable = DeclineTable(&[
    ("LIABILITY_SHIFT_NO", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("LIABILITY_SHIFT_UNKNOWN", DeclineCode::AuthenticationFailed, RetryAdvice::SameGatewayLater),
]);

/// Whether a payment may go on after 3-D Secure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was not asked for, or not finished.
    None,
    /// The payer is who they say, or the card knows no 3-D Secure.
    Passed,
    /// The issuer says no.
    Failed,
    /// Nobody could tell.
    Unclear,
}

impl Authentication {
    /// PayPal's table of recommended actions: go on where liability shifts or may shift, and where the card takes no part.
    pub fn verdict(&self) -> Verdict {
        let three_d_secure = self.three_d_secure.as_ref();
        let enrolled = three_d_secure.and_then(|it| it.enrollment_status.as_deref());
        let answered = three_d_secure.and_then(|it| it.authentication_status.as_deref());
        match (self.liability_shift.as_deref(), enrolled) {
            (None, _) => Verdict::None,
            (Some("POSSIBLE" | "YES"), _) => Verdict::Passed,
            // Not enrolled, not available, bypassed: nobody was asked.
            (Some("NO"), Some("N" | "U" | "B")) => Verdict::Passed,
            (Some("NO"), _) if matches!(answered, Some("N" | "R")) => Verdict::Failed,
            (Some(_), _) => Verdict::Unclear,
        }
    }
}

/// Sends the payer to the page that the links name; none where they name none.
pub fn action(order: &Order, links: &[Link]) -> Option<Outcome> {
    let page = PAGES.iter().find_map(|rel| links.iter().find(|link| link.rel == *rel))?;
    let redirect = Redirect { url: page.href.clone(), method: Method::Get, fields: Vec::new() };
    Some(Outcome::ActionRequired(ActionNeeded {
        gateway_reference: Some(order.id.clone()),
        references: order.references(),
        actions: vec![CustomerAction::Redirect(redirect)],
        expires_at: None,
    }))
}

/// The payer did not prove who they are, and nothing is charged: the order is left to lapse.
pub fn unauthenticated(order: &Order, verdict: Verdict, host: &mut dyn Host) -> Outcome {
    let (word, message) = match verdict {
        Verdict::Failed => ("LIABILITY_SHIFT_NO", "The issuer did not authenticate the payer."),
        _ => ("LIABILITY_SHIFT_UNKNOWN", "The payer could not be authenticated just now."),
    };
    let decline = AUTHENTICATION.decline(word, message.to_owned(), host);
    Outcome::Declined(decline.about(order.id.as_str()).with_references(order.references()))
}
