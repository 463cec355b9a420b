//! What the host may fill into the requests of one operation: gathered by the flow, used by the wire, dropped after.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{Card, Secret, key_text};
use crate::connector::types::{KeyEncoding, Mac, Segment};

/// Which hole a value is for. Displays as connectors' placements name it: `secret:api_key`, `card-number`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HoleKind {
    Secret(String),
    Session(String),
    CardNumber,
    CardCvc,
    CardHolder,
    CardExpiryMonth,
    CardExpiryYear,
    CardExpiryYearShort,
    WalletToken,
    GatewayToken,
}

impl fmt::Display for HoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "secret:{name}"),
            Self::Session(name) => write!(f, "session:{name}"),
            Self::CardNumber => f.write_str("card-number"),
            Self::CardCvc => f.write_str("card-cvc"),
            Self::CardHolder => f.write_str("card-holder"),
            Self::CardExpiryMonth => f.write_str("card-expiry-month"),
            Self::CardExpiryYear => f.write_str("card-expiry-year"),
            Self::CardExpiryYearShort => f.write_str("card-expiry-year-short"),
            Self::WalletToken => f.write_str("wallet-token"),
            Self::GatewayToken => f.write_str("gateway-token"),
        }
    }
}

/// All values for one operation. Empty to begin with; built by the `with_` functions.
#[derive(Default)]
pub struct Holes {
    secrets: Vec<LiveSecret>,
    values: Vec<(HoleKind, Secret)>,
}

/// A secret of the gateway account with all its versions that still count, the present one first.
struct LiveSecret {
    kind: HoleKind,
    encoding: KeyEncoding,
    versions: Vec<Secret>,
}

impl Holes {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A secret of the gateway account by its declared name, as the operator entered it. `versions`: the present one
    /// first, then those that still prove signatures. None at all counts as no secret.
    #[must_use]
    pub fn with_secret(mut self, name: &str, encoding: KeyEncoding, versions: Vec<Secret>) -> Self {
        if !versions.is_empty() {
            self.secrets.push(LiveSecret { kind: HoleKind::Secret(name.to_owned()), encoding, versions });
        }
        self
    }

    /// A value that `open-session` had the host keep.
    #[must_use]
    pub fn with_session(self, name: &str, value: Secret) -> Self {
        self.with(HoleKind::Session(name.to_owned()), value)
    }

    /// As [`Holes::with_session`], for a value that takes the place of an earlier one. What that was is still scrubbed from
    /// replies.
    pub fn fill_session(&mut self, name: &str, value: Secret) {
        self.values.insert(0, (HoleKind::Session(name.to_owned()), value));
    }

    /// The number, expiry and holder of a card.
    #[must_use]
    pub fn with_card(self, card: &Card) -> Self {
        let year = card.expiry_year();
        let holes = self
            .with(HoleKind::CardNumber, card.number().into())
            .with(HoleKind::CardExpiryMonth, format!("{:02}", card.expiry_month()).into())
            .with(HoleKind::CardExpiryYear, format!("{year:04}").into())
            .with(HoleKind::CardExpiryYearShort, format!("{:02}", year % 100).into());
        match card.holder() {
            Some(holder) => holes.with(HoleKind::CardHolder, holder.into()),
            None => holes,
        }
    }

    /// The card's code.
    #[must_use]
    pub fn with_code(self, code: Secret) -> Self {
        self.with(HoleKind::CardCvc, code)
    }

    #[must_use]
    pub fn with_wallet_token(self, token: Secret) -> Self {
        self.with(HoleKind::WalletToken, token)
    }

    #[must_use]
    pub fn with_gateway_token(self, token: Secret) -> Self {
        self.with(HoleKind::GatewayToken, token)
    }

    fn with(mut self, kind: HoleKind, value: Secret) -> Self {
        self.values.push((kind, value));
        self
    }

    /// What stands in for `segment`, not escaped; none where there is no such value.
    ///
    /// Text stands for itself. A `Computed` segment has no value here: the wire works it out.
    #[must_use]
    pub fn value(&self, segment: &Segment) -> Option<Zeroizing<String>> {
        let found = match segment {
            Segment::Text(text) => text,
            Segment::Secret(name) => self.secret(name)?,
            Segment::BasicAuth((first, second)) => return self.basic_auth(first, second),
            Segment::Session(name) => self.find(|kind| matches!(kind, HoleKind::Session(kept) if kept == name))?,
            Segment::Computed(_) => return None,
            Segment::CardNumber => self.find(|kind| *kind == HoleKind::CardNumber)?,
            Segment::CardCvc => self.find(|kind| *kind == HoleKind::CardCvc)?,
            Segment::CardHolder => self.find(|kind| *kind == HoleKind::CardHolder)?,
            Segment::CardExpiryMonth => self.find(|kind| *kind == HoleKind::CardExpiryMonth)?,
            Segment::CardExpiryYear => self.find(|kind| *kind == HoleKind::CardExpiryYear)?,
            Segment::CardExpiryYearShort => self.find(|kind| *kind == HoleKind::CardExpiryYearShort)?,
            Segment::WalletToken => self.find(|kind| *kind == HoleKind::WalletToken)?,
            Segment::GatewayToken => self.find(|kind| *kind == HoleKind::GatewayToken)?,
        };
        Some(Zeroizing::new(found.to_owned()))
    }

    /// The present version of a secret as the bytes of a key; none where there is no such secret, or where its text is
    /// not in the encoding that the connector declares.
    #[must_use]
    pub fn secret_bytes(&self, name: &str) -> Option<Secret> {
        let secret = self.live(name)?;
        key_text::decode(secret.encoding, secret.versions.first()?.expose()).ok()
    }

    /// The code of `parts`, one after the other, under the present version of the secret `name`; none as for
    /// [`Holes::secret_bytes`].
    #[must_use]
    pub fn mac(&self, mac: Mac, name: &str, parts: &[&[u8]]) -> Option<Vec<u8>> {
        let key = hmac::Key::new(algorithm(mac), self.secret_bytes(name)?.expose());
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        Some(context.sign().as_ref().to_vec())
    }

    /// Which live version of the secret `name` makes `expected` the code of `data`: 0 for the present one. None where
    /// none of them does. Compares in constant time, and tries every version whether or not one has matched.
    #[must_use]
    pub fn verify(&self, mac: Mac, name: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        let secret = self.live(name)?;
        let mut proof = None;
        for (number, version) in (0..).zip(&secret.versions) {
            let Ok(key) = key_text::decode(secret.encoding, version.expose()) else { continue };
            let key = hmac::Key::new(algorithm(mac), key.expose());
            let proved = hmac::verify(&key, data, expected).is_ok();
            proof = proof.or(proved.then_some(number));
        }
        proof
    }

    /// Every value that may come back in a gateway's echo, old versions of secrets included, for scrubbing.
    pub fn each(&self) -> impl Iterator<Item = (&HoleKind, &[u8])> {
        let secrets = self
            .secrets
            .iter()
            .flat_map(|secret| secret.versions.iter().map(move |version| (&secret.kind, version.expose())));
        secrets.chain(self.values.iter().map(|(kind, value)| (kind, value.expose())))
    }

    fn basic_auth(&self, first: &str, second: &str) -> Option<Zeroizing<String>> {
        // An empty name stands for nothing: many gateways want a key with an empty password.
        let part = |name: &str| if name.is_empty() { Some("") } else { self.secret(name) };
        let (first, second) = (part(first)?, part(second)?);
        let mut pair = Zeroizing::new(String::with_capacity(first.len() + 1 + second.len()));
        pair.push_str(first);
        pair.push(':');
        pair.push_str(second);
        Some(Zeroizing::new(STANDARD.encode(pair.as_bytes())))
    }

    fn secret(&self, name: &str) -> Option<&str> {
        self.live(name)?.versions.first()?.expose_str()
    }

    fn live(&self, name: &str) -> Option<&LiveSecret> {
        self.secrets.iter().find(|secret| matches!(&secret.kind, HoleKind::Secret(kept) if kept == name))
    }

    fn find(&self, wanted: impl Fn(&HoleKind) -> bool) -> Option<&str> {
        self.values.iter().find(|(kind, _)| wanted(kind))?.1.expose_str()
    }
}

fn algorithm(mac: Mac) -> hmac::Algorithm {
    match mac {
        Mac::HmacSha256 => hmac::HMAC_SHA256,
        Mac::HmacSha512 => hmac::HMAC_SHA512,
        // Broken for signatures, not as a MAC; some gateways still sign with it.
        Mac::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    }
}
