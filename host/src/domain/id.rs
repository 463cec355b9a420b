//! The names of our objects: a prefix that says what it is, and a UUID.
//!
//! Written as `TypeID`s (`pay_01h2xcejqtf2nbrexx3vqjhp41`): the 128 bits in lower-case base32, so that names sort
//! as their UUIDs do. Ids are made elsewhere and handed in; nothing here knows a clock or draws a random number.

use std::{fmt, str::FromStr};

use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// Why a text is not the id that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    #[error("an id that begins with `{expected}_` is needed here")]
    PrefixIsAnother { expected: &'static str },
    #[error("`{expected}_` must be followed by 26 characters of lower-case base32")]
    SuffixIsMalformed { expected: &'static str },
}

macro_rules! ids {
    ($($(#[$about:meta])+ $name:ident = $prefix:literal;)+) => {$(
        $(#[$about])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        const _: () = {
            #[derive(Default)]
            struct Tag;

            impl StaticType for Tag {
                const TYPE: &'static str = $prefix;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    TypeSafeId::<Tag>::from_uuid(self.0).fmt(f)
                }
            }

            impl FromStr for $name {
                type Err = IdFault;

                fn from_str(text: &str) -> Result<Self, IdFault> {
                    match text.parse::<TypeSafeId<Tag>>() {
                        Ok(id) => Ok(Self(id.uuid())),
                        Err(type_safe_id::Error::InvalidData) => {
                            Err(IdFault::SuffixIsMalformed { expected: $prefix })
                        }
                        Err(_) => Err(IdFault::PrefixIsAnother { expected: $prefix }),
                    }
                }
            }
        };

        impl $name {
            /// What stands before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Gives `uuid` its name. The UUID comes from `clock::Ids` or from a row.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// What the database keeps.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        // As text, because that is how it stands in answers, in logs and in what a person searches for.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+};
}

ids! {
    /// Who is paid.
    MerchantId = "mer";
    /// A key with which a merchant's programs sign in; names the key, is not the key.
    ApiKeyId = "key";
    /// What is being paid for.
    OrderId = "ord";
    /// One intent to move an amount.
    PaymentId = "pay";
    /// One try of a payment at one gateway account.
    AttemptId = "att";
    /// One thing asked of a gateway; what the gateway gets as idempotency key.
    OperationId = "op";
    /// A card in the vault.
    TokenId = "tok";
    /// One event told to the merchant.
    EventId = "evt";
    /// Where a merchant wants events sent.
    WebhookEndpointId = "whe";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv";
    /// A merchant's account at a gateway, with its settings.
    GatewayAccountId = "gwa";
    /// Something that a person must look at.
    ReviewId = "rvw";
    /// One thing that an operator did.
    AuditEntryId = "aud";
    /// An event of a gateway that could not be applied.
    QuarantineId = "qrn";
    /// Something that operators should know.
    NoticeId = "ntc";
    /// A line of a connector's log.
    LogLineId = "log";
    /// A merchant's rule about which accounts may take a payment.
    RoutingRuleId = "rrl";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the `TypeID` specification that fit one prefix.
    #[test]
    fn texts_are_those_of_the_specification() {
        let known = [
            ("00000000000000000000000000", 0),
            ("00000000000000000000000001", 1),
            ("0000000000000000000000000a", 10),
            ("0000000000000000000000000g", 16),
            ("00000000000000000000000010", 32),
            ("7zzzzzzzzzzzzzzzzzzzzzzzzz", u128::MAX),
            ("01h2xcejqtf2nbrexx3vqjhp41", 0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881),
        ];
        for (suffix, bits) in known {
            let id = PaymentId::from_uuid(Uuid::from_u128(bits));
            assert_eq!(id.to_string(), format!("pay_{suffix}"));
            assert_eq!(format!("pay_{suffix}").parse::<PaymentId>().unwrap(), id);
        }
    }

    #[test]
    fn prefixes_are_those_of_the_contract() {
        let nil = Uuid::nil();
        let texts = [
            MerchantId::from_uuid(nil).to_string(),
            ApiKeyId::from_uuid(nil).to_string(),
            OrderId::from_uuid(nil).to_string(),
            PaymentId::from_uuid(nil).to_string(),
            AttemptId::from_uuid(nil).to_string(),
            OperationId::from_uuid(nil).to_string(),
            TokenId::from_uuid(nil).to_string(),
            EventId::from_uuid(nil).to_string(),
            WebhookEndpointId::from_uuid(nil).to_string(),
            DeliveryId::from_uuid(nil).to_string(),
            GatewayAccountId::from_uuid(nil).to_string(),
            ReviewId::from_uuid(nil).to_string(),
            AuditEntryId::from_uuid(nil).to_string(),
            QuarantineId::from_uuid(nil).to_string(),
            NoticeId::from_uuid(nil).to_string(),
        ];
        let prefixes =
            ["mer", "key", "ord", "pay", "att", "op", "tok", "evt", "whe", "dlv", "gwa", "rvw", "aud", "qrn", "ntc"];
        for (text, prefix) in texts.iter().zip(prefixes) {
            assert_eq!(*text, format!("{prefix}_{}", "0".repeat(26)));
        }
    }

    /// One id has one text: a second spelling of the same id would be a second key of a cache or a second path.
    #[test]
    fn other_spellings_are_refused() {
        let malformed = IdFault::SuffixIsMalformed { expected: "pay" };
        let another = IdFault::PrefixIsAnother { expected: "pay" };
        let refused = [
            ("pay_01H2XCEJQTF2NBREXX3VQJHP41", malformed),
            ("pay_81h2xcejqtf2nbrexx3vqjhp41", malformed),
            ("pay_01h2xcejqtf2nbrexx3vqjhp4", malformed),
            ("pay_01h2xcejqtf2nbrexx3vqjhp411", malformed),
            ("pay_01h2xcejqtf2nbrexx3vqjhpl1", malformed),
            ("pay_01h2xcejqtf2nbrexx3vqjhp4\u{e9}", malformed),
            ("pay_ 1h2xcejqtf2nbrexx3vqjhp41", malformed),
            ("pay_", malformed),
            ("ord_01h2xcejqtf2nbrexx3vqjhp41", another),
            ("Pay_01h2xcejqtf2nbrexx3vqjhp41", another),
            ("pay__01h2xcejqtf2nbrexx3vqjhp41", another),
            ("_01h2xcejqtf2nbrexx3vqjhp41", another),
            ("01h2xcejqtf2nbrexx3vqjhp41", another),
            ("0188bac7-4afa-78aa-bc3b-bd1eef28d881", another),
            ("", another),
        ];
        for (text, fault) in refused {
            assert_eq!(text.parse::<PaymentId>(), Err(fault), "{text}");
        }
    }

    #[test]
    fn ids_sort_as_their_texts_do() {
        let mut ids: Vec<_> = (0..64).map(|n| OperationId::from_uuid(Uuid::from_u128((!n) << n))).collect();
        ids.sort();
        let texts: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert!(texts.is_sorted());
    }

    #[test]
    fn debug_shows_the_text() {
        let id = MerchantId::from_uuid(Uuid::nil());
        assert_eq!(format!("{id:?}"), id.to_string());
    }
}
