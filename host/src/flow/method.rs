//! How the customer pays: what the connector may know of it, what the merchant is shown, and what fills the holes.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Fault, MethodInput, Refusal, UpiInput, seal};
use crate::{
    app::App,
    connector::types::{self, PaymentMethod},
    domain::id::{MerchantId, TokenId},
    store::{self, begin::SealedToken, payments::Payment, tokens::Token},
    vault::{Binding, Card, Content, Holes, Secret},
};

/// A payment method, ready to be tried. Holds clear values until the operation has sent them, so it has no Debug.
pub struct Method {
    /// As connectors' descriptors name it: `card`, `upi_collect`, `wallet:<provider>`, `gateway_token`.
    pub word: String,
    /// What the connector gets.
    pub for_connector: PaymentMethod,
    /// What the merchant is shown.
    pub shown: Value,
    pub token_id: Option<Uuid>,
    /// A row that commit 1 adds to the vault.
    pub sealed: Option<SealedToken>,
    pub has_code: bool,
    pub filling: Filling,
}

/// The customer's values for a request's holes.
#[derive(Default)]
pub struct Filling {
    card: Option<Card>,
    code: Option<Secret>,
    wallet_token: Option<Secret>,
    gateway_token: Option<Secret>,
}

impl Filling {
    /// Whether the card's code is there.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// The leading digits of the card's number, for routing; none where the customer does not pay by a card we know.
    #[must_use]
    pub fn bin(&self) -> Option<&str> {
        self.card.as_ref().map(Card::issuer_digits)
    }

    /// Adds them to the account's secrets.
    #[must_use]
    pub fn into_holes(self, secrets: Holes) -> Holes {
        let mut holes = secrets;
        if let Some(card) = &self.card {
            holes = holes.with_card(card);
        }
        if let Some(code) = self.code {
            holes = holes.with_code(code);
        }
        if let Some(token) = self.wallet_token {
            holes = holes.with_wallet_token(token);
        }
        if let Some(token) = self.gateway_token {
            holes = holes.with_gateway_token(token);
        }
        holes
    }
}

/// Reads what the merchant sent. A clear card or token is sealed for the vault; a vault token is opened (one round trip).
pub async fn from_input(app: &App, merchant: MerchantId, input: MethodInput) -> Result<Method, Refusal> {
    match input {
        MethodInput::Token(token) => from_token(app, merchant, token).await,
        MethodInput::Card(entry) => {
            let token_id = TokenId::from_uuid(app.ids.v7());
            let sealed = seal::card(app, merchant, token_id, &entry).await?;
            Ok(card_method(&sealed.details.clone(), Some(token_id.uuid()), Some(sealed), Some(entry.card), entry.code))
        }
        MethodInput::Upi(upi) => Ok(upi_method(&upi)),
        MethodInput::Wallet { provider, token: None } => Ok(wallet_method(&provider, None, None, None)),
        MethodInput::Wallet { provider, token: Some(token) } => {
            let id = TokenId::from_uuid(app.ids.v7());
            let details = json!({ "provider": provider });
            let sealed = seal::opaque(app, merchant, id, Content::WalletToken, &token, details);
            Ok(wallet_method(&provider, Some(id.uuid()), Some(sealed), Some(token)))
        }
        MethodInput::GatewayToken(token) => {
            let id = TokenId::from_uuid(app.ids.v7());
            let sealed = seal::opaque(app, merchant, id, Content::GatewayToken, &token, json!({}));
            Ok(gateway_token_method(Some(id.uuid()), Some(sealed), Some(token)))
        }
    }
}

/// The method that a payment was created with: for a confirm that brings none. At most one round trip.
pub async fn of_payment(app: &App, payment: &Payment) -> Result<Option<Method>, Refusal> {
    let Some(shown) = &payment.payment_method else { return Ok(None) };
    if let Some(token) = payment.token_id {
        return from_token(app, payment.merchant(), TokenId::from_uuid(token)).await.map(Some);
    }
    let method = match shown.pointer("/upi/flow").and_then(Value::as_str) {
        Some("collect") => {
            let vpa = shown.pointer("/upi/vpa").and_then(Value::as_str).unwrap_or_default().to_owned();
            upi_method(&UpiInput::Collect { vpa })
        }
        Some("qr") => upi_method(&UpiInput::Qr),
        Some(_) => upi_method(&UpiInput::Intent),
        None => {
            let provider = shown.pointer("/wallet/provider").and_then(Value::as_str).unwrap_or_default();
            wallet_method(provider, None, None, None)
        }
    };
    Ok(Some(method))
}

/// What fills the holes of an operation that another host began: none of it where the vault has let go of it. One round
/// trip, none where the operation has no token.
pub async fn filling_of(app: &App, merchant: MerchantId, token: Option<Uuid>) -> Result<Option<Filling>, Refusal> {
    let Some(token) = token else { return Ok(Some(Filling::default())) };
    match from_token(app, merchant, TokenId::from_uuid(token)).await {
        Ok(method) => Ok(Some(method.filling)),
        Err(Refusal::Invalid(_)) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

async fn from_token(app: &App, merchant: MerchantId, id: TokenId) -> Result<Method, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let gone = || Refusal::Invalid(vec![Fault::new("/payment_method/token", format!("there is no token {id}"))]);
    let Some(token) = store::tokens::get(&mut conn, merchant, id).await? else { return Err(gone()) };
    drop(conn);
    let Some(sealed) = &token.sealed else { return Err(gone()) };
    let record = id.to_string();
    let open = |content| {
        app.vault.open(&Binding { content, merchant, record: &record }, sealed).map_err(|error| unreadable(id, &error))
    };
    match token.kind.as_str() {
        "card" => {
            let card = Card::from_bytes(open(Content::Card)?.expose())
                .map_err(|error| Refusal::Internal(anyhow::Error::new(error)))?;
            let code = open_code(app, merchant, id, &token).await?;
            Ok(card_method(&token.details, Some(id.uuid()), None, Some(card), code))
        }
        "wallet" => {
            let provider = token.details.get("provider").and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok(wallet_method(&provider, Some(id.uuid()), None, Some(open(Content::WalletToken)?)))
        }
        _ => Ok(gateway_token_method(Some(id.uuid()), None, Some(open(Content::GatewayToken)?))),
    }
}

/// The card's code, where it is still there and its day's key is not destroyed.
async fn open_code(app: &App, merchant: MerchantId, id: TokenId, token: &Token) -> Result<Option<Secret>, Refusal> {
    let (Some(day), Some(sealed)) = (token.code_day, &token.code_sealed) else { return Ok(None) };
    if !seal::know_day_key(app, day).await? {
        return Ok(None);
    }
    let record = id.to_string();
    let binding = Binding { content: Content::CardCode, merchant, record: &record };
    Ok(app.vault.open_code(day, &binding, sealed).ok())
}

fn unreadable(id: TokenId, error: &crate::vault::OpenError) -> Refusal {
    Refusal::Internal(anyhow::anyhow!(
        "token {id} does not open: {error}; is INTERLOCK_MASTER_KEY the one it was sealed under?"
    ))
}

fn card_method(
    details: &Value,
    token_id: Option<Uuid>,
    sealed: Option<SealedToken>,
    card: Option<Card>,
    code: Option<Secret>,
) -> Method {
    let text = |name: &str| details.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let has_holder = card.as_ref().is_some_and(super::super::vault::card::Card::has_holder);
    let shown = json!({ "type": "card", "card": {
        "brand": details.get("brand"), "last4": details.get("last4"),
        "expiry_month": details.get("expiry_month"), "expiry_year": details.get("expiry_year"),
    }});
    Method {
        word: "card".into(),
        for_connector: PaymentMethod::Card(types::Card {
            brand: text("brand"),
            bin: text("bin"),
            last4: text("last4"),
            has_cvc: code.is_some(),
            has_holder,
        }),
        shown,
        token_id,
        sealed,
        has_code: code.is_some(),
        filling: Filling { card, code, ..Filling::default() },
    }
}

fn upi_method(upi: &UpiInput) -> Method {
    let (word, for_connector, shown) = match upi {
        UpiInput::Collect { vpa } => {
            ("upi_collect", types::Upi::Collect(vpa.clone()), json!({ "flow": "collect", "vpa": vpa }))
        }
        UpiInput::Intent => ("upi_intent", types::Upi::Intent, json!({ "flow": "intent" })),
        UpiInput::Qr => ("upi_qr", types::Upi::Qr, json!({ "flow": "qr" })),
    };
    Method {
        word: word.into(),
        for_connector: PaymentMethod::Upi(for_connector),
        shown: json!({ "type": "upi", "upi": shown }),
        token_id: None,
        sealed: None,
        has_code: false,
        filling: Filling::default(),
    }
}

fn wallet_method(provider: &str, token_id: Option<Uuid>, sealed: Option<SealedToken>, token: Option<Secret>) -> Method {
    Method {
        word: format!("wallet:{provider}"),
        for_connector: PaymentMethod::Wallet(types::Wallet { provider: provider.into(), has_token: token.is_some() }),
        shown: json!({ "type": "wallet", "wallet": { "provider": provider } }),
        token_id,
        sealed,
        has_code: false,
        filling: Filling { wallet_token: token, ..Filling::default() },
    }
}

fn gateway_token_method(token_id: Option<Uuid>, sealed: Option<SealedToken>, token: Option<Secret>) -> Method {
    Method {
        word: "gateway_token".into(),
        for_connector: PaymentMethod::GatewayToken,
        shown: json!({ "type": "gateway_token" }),
        token_id,
        sealed,
        has_code: false,
        filling: Filling { gateway_token: token, ..Filling::default() },
    }
}
