//! What a payment method decides: the test cards and test addresses of the protocol.

use super::ask::{Card, Method, UpiFlow};
use super::charges::{Action, Decline, Fate};
use crate::clock;

pub const DO_NOT_HONOR: Decline = Decline::of_network("do_not_honor", "The bank refused without saying why.", "05");
pub const AUTHENTICATION_FAILED: Decline =
    Decline::new("authentication_failed", "The customer did not prove who they are.");
/// The customer's bank did not answer in time: the charge has failed, and the bank may still approve it.
pub const BANK_SILENT: Decline =
    Decline::of_network("bank_silent", "The bank did not answer in time; it may still approve.", "91");
const INSUFFICIENT_FUNDS: Decline = Decline::of_network("insufficient_funds", "The account holds too little.", "51");
const EXPIRED_CARD: Decline = Decline::of_network("expired_card", "The card is no longer valid.", "54");
/// No network was asked.
const INCORRECT_NUMBER: Decline = Decline::new("incorrect_number", "No card has this number.");
const CUSTOMER_REFUSED: Decline = Decline::new("customer_declined", "The customer refused in the app.");

/// All words for a decline that a fault may use.
const DECLINES: [Decline; 6] =
    [DO_NOT_HONOR, AUTHENTICATION_FAILED, BANK_SILENT, INSUFFICIENT_FUNDS, EXPIRED_CARD, CUSTOMER_REFUSED];

impl Decline {
    /// One for which the gateway has its own words alone.
    pub const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message, network_code: None }
    }

    const fn of_network(code: &'static str, message: &'static str, network_code: &'static str) -> Self {
        Self { code, message, network_code: Some(network_code) }
    }

    /// The decline of this word, where there is one.
    pub fn named(code: &str) -> Option<Self> {
        DECLINES.into_iter().find(|decline| decline.code == code)
    }
}

/// What becomes of a new charge.
pub enum Verdict {
    Approve,
    Decline(Decline),
    /// Declined, and approved when a test says so.
    DeclineForNow(Decline),
    /// Accepted, decided later.
    Pending(Fate),
    /// The customer has to act first.
    Act(Action),
}

impl Method {
    /// What becomes of a charge of this method. `id` and `pages` make the address that a customer is sent to.
    pub fn verdict(&self, id: &str, pages: &str, now: u64) -> Verdict {
        let redirect = || Verdict::Act(Action::Redirect { url: format!("{pages}/redirect/{id}") });
        match self {
            Self::Card(card) => match card.number.as_str() {
                "4000000000000002" => Verdict::Decline(DO_NOT_HONOR),
                "4000000000009995" => Verdict::Decline(INSUFFICIENT_FUNDS),
                "4000000000000069" => Verdict::Decline(EXPIRED_CARD),
                "4000000000000259" => Verdict::DeclineForNow(BANK_SILENT),
                number if !luhn(number) => Verdict::Decline(INCORRECT_NUMBER),
                _ if card.expired(now) => Verdict::Decline(EXPIRED_CARD),
                "4000000000003220" => redirect(),
                "4000000000000341" => Verdict::Pending(Fate::Approve),
                _ => Verdict::Approve,
            },
            Self::Upi { flow: UpiFlow::Collect, vpa } => match vpa.as_deref() {
                Some("failure@mock") => Verdict::Pending(Fate::Decline(CUSTOMER_REFUSED)),
                _ => Verdict::Pending(Fate::Approve),
            },
            Self::Upi { flow: UpiFlow::Intent | UpiFlow::Qr, .. } => {
                Verdict::Act(Action::OpenApp { url: format!("upi://pay?pa=merchant@mock&pn=Mock&tr={id}") })
            }
            Self::Wallet { token: None } => redirect(),
            Self::Wallet { token: Some(_) } | Self::Token { .. } => Verdict::Approve,
        }
    }
}

impl Card {
    /// The last four digits: all of the number that is kept.
    pub fn last4(&self) -> String {
        self.number.get(self.number.len().saturating_sub(4)..).unwrap_or_default().to_owned()
    }

    /// A card is good until its month ends. Both parts were checked to be digits.
    fn expired(&self, now: u64) -> bool {
        let (year, month) = clock::month_of(now);
        let until = (self.expiry_year.parse().unwrap_or(0), self.expiry_month.parse().unwrap_or(0));
        until < (year, month)
    }
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            match (place % 2, digit) {
                (0, digit) => digit,
                (_, digit @ 0..=4) => digit * 2,
                (_, digit) => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::luhn;

    #[test]
    fn the_test_cards_have_valid_check_digits() {
        for number in ["4242424242424242", "4000000000000002", "4000000000009995", "4000000000000069"] {
            assert!(luhn(number), "{number}");
        }
        for number in ["4000000000003220", "4000000000000341", "4000000000000259", "378282246310005"] {
            assert!(luhn(number), "{number}");
        }
        assert!(!luhn("4242424242424241"));
    }
}
