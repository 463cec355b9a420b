//! The bodies of routing rules as the documentation shows them. They are read by [`super::body`], and a test holds the two
//! against each other.

#![expect(dead_code, reason = "these types are read by the documentation alone")]

use utoipa::ToSchema;

/// A new routing rule.
#[derive(ToSchema)]
pub struct CreateRoutingRule {
    #[schema(min_length = 1, max_length = 200, example = "Large euro cards")]
    name: String,
    #[schema(default = true)]
    enabled: Option<bool>,
    /// Lower is asked first; ties by creation time. Else the rule comes behind all others.
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i64>,
    /// Else every payment is meant.
    r#match: Option<MatchInput>,
    /// The accounts that may take what matches, 1 to 100. They are tried by their own `priority`, and among equals by
    /// weight.
    gateway_accounts: Vec<WeighedInput>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
pub struct ChangeRoutingRule {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    enabled: Option<bool>,
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i64>,
    /// Replaces all conditions; `{}` means every payment.
    r#match: Option<MatchInput>,
    /// Replaces all accounts.
    gateway_accounts: Option<Vec<WeighedInput>>,
}

/// What a rule asks of a payment: all of what is given must hold, and of each list one entry. What is not known of a
/// payment does not hold.
#[derive(ToSchema)]
pub struct MatchInput {
    amount: Option<AmountInput>,
    /// ISO 4217, capitals.
    #[schema(example = json!(["EUR"]))]
    currencies: Option<Vec<String>>,
    /// `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:` with a provider, `gateway_token`; `upi` and `wallet` stand for
    /// all of them.
    #[schema(example = json!(["card"]))]
    methods: Option<Vec<String>>,
    /// How the card's number begins: 1 to 8 digits each, at most 200 of them.
    #[schema(example = json!(["424242"]))]
    bin_prefixes: Option<Vec<String>>,
    /// `customer.country` of the payment: ISO 3166-1 alpha-2, capitals. Where a card was issued is not known.
    #[schema(example = json!(["DE"]))]
    countries: Option<Vec<String>>,
}

/// In the minor unit of the payment's own currency, both ends included: name `currencies` too where you take several.
#[derive(ToSchema)]
pub struct AmountInput {
    #[schema(minimum = 1, maximum = 999_999_999_999_i64)]
    min: Option<i64>,
    #[schema(minimum = 1, maximum = 999_999_999_999_i64)]
    max: Option<i64>,
}

/// An account that may take what matches.
#[derive(ToSchema)]
pub struct WeighedInput {
    /// `gwa_…`
    account: String,
    /// What it weighs under this rule; else the account's own `weight`.
    #[schema(minimum = 0, maximum = 1000)]
    weight: Option<i64>,
}

/// A payment that nobody makes.
#[derive(ToSchema)]
pub struct PreviewRouting {
    /// In the currency's minor unit.
    #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 10_000)]
    amount: i64,
    /// ISO 4217, capitals.
    #[schema(example = "EUR")]
    currency: String,
    /// `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:` with a provider, or `gateway_token`
    #[schema(example = "card")]
    method: String,
    /// The first 6 to 8 digits of the card's number.
    #[schema(example = "42424242")]
    bin: Option<String>,
    /// The customer's: ISO 3166-1 alpha-2, capitals.
    #[schema(example = "DE")]
    country: Option<String>,
    /// `gwa_…`: the only account that may take it, as in a payment.
    gateway_account: Option<String>,
    /// `pay_…`: accounts that share by weight stand in the order that they have for this payment, else the heaviest first.
    payment: Option<String>,
}

/// A payment that nobody makes, of one merchant.
#[derive(ToSchema)]
pub struct PreviewRoutingOf {
    /// `mer_…`
    merchant: String,
    /// In the currency's minor unit.
    #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 10_000)]
    amount: i64,
    /// ISO 4217, capitals.
    #[schema(example = "EUR")]
    currency: String,
    /// `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:` with a provider, or `gateway_token`
    #[schema(example = "card")]
    method: String,
    /// The first 6 to 8 digits of the card's number.
    bin: Option<String>,
    /// The customer's: ISO 3166-1 alpha-2, capitals.
    country: Option<String>,
    /// `gwa_…`: the only account that may take it, as in a payment.
    gateway_account: Option<String>,
    /// `pay_…`: accounts that share by weight stand in the order that they have for this payment, else the heaviest first.
    payment: Option<String>,
}
