//! How the customer pays, as Adyen wants to be told.

use std::ops::RangeInclusive;

use interlock_connector::request::JsonObject;
use interlock_connector::types::{Authorize, Card, PaymentMethod, Segment, Wallet};

use crate::unfit::Unfit;

/// What `shopperReference` has room for, by Adyen's OpenAPI file.
const SHOPPER_CHARS: RangeInclusive<usize> = 3..=256;

/// How the customer pays.
pub enum Method<'a> {
    Card(&'a Card),
    /// Type and member of the token.
    Wallet(&'static str, &'static str),
    /// Of the customer with this reference.
    Stored(&'a str),
}

impl<'a> Method<'a> {
    /// As far as Adyen can be asked for it.
    pub fn of(authorize: &'a Authorize) -> Result<Self, Unfit> {
        match &authorize.method {
            PaymentMethod::Card(card) => Ok(Self::Card(card)),
            PaymentMethod::Wallet(Wallet { provider, has_token: true }) if provider == "apple_pay" => {
                Ok(Self::Wallet("applepay", "applePayToken"))
            }
            PaymentMethod::Wallet(Wallet { provider, has_token: true }) if provider == "google_pay" => {
                Ok(Self::Wallet("googlepay", "googlePayToken"))
            }
            PaymentMethod::GatewayToken => {
                let reference = authorize.customer.reference.as_deref();
                reference.filter(|reference| is_shopper(reference)).map(Self::Stored).ok_or(Unfit::Customer)
            }
            PaymentMethod::Wallet(_) | PaymentMethod::Upi(_) => Err(Unfit::Method),
        }
    }

    /// The members of `paymentMethod`.
    pub fn write(&self, object: &mut JsonObject<'_>) {
        match self {
            Self::Card(card) => {
                object.string("type", "scheme");
                object.hole("number", Segment::CardNumber);
                object.hole("expiryMonth", Segment::CardExpiryMonth);
                object.hole("expiryYear", Segment::CardExpiryYear);
                if card.has_cvc {
                    object.hole("cvc", Segment::CardCvc);
                }
                if card.has_holder {
                    object.hole("holderName", Segment::CardHolder);
                }
            }
            Self::Wallet(kind, token) => {
                object.string("type", kind);
                object.hole(token, Segment::WalletToken);
            }
            Self::Stored(_) => {
                object.string("type", "scheme");
                object.hole("storedPaymentMethodId", Segment::GatewayToken);
            }
        }
    }

    /// What the networks want to know of how it is used.
    pub fn write_use(&self, payment: &mut JsonObject<'_>) {
        match self {
            Self::Card(_) | Self::Wallet(..) => payment.string("shopperInteraction", "Ecommerce"),
            Self::Stored(customer) => {
                payment.string("shopperInteraction", "ContAuth");
                payment.string("recurringProcessingModel", "CardOnFile");
                payment.string("shopperReference", customer);
            }
        }
    }
}

fn is_shopper(reference: &str) -> bool {
    SHOPPER_CHARS.contains(&reference.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_have_names_that_adyen_takes() {
        let cases = [("", false), ("ab", false), ("abc", true), (&"ä".repeat(256), true), (&"a".repeat(257), false)];
        for (reference, expected) in cases {
            assert_eq!(is_shopper(reference), expected, "{reference}");
        }
    }
}
