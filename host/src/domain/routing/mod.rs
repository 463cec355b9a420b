//! Which gateway accounts may take a payment, and in which order they are tried.
//!
//! 1. What cannot take it is left out: disabled, or its connector does not support the operation, the method or the
//!    currency.
//! 2. The first enabled rule whose every condition holds decides: only its accounts are left. Where none of these can
//!    take the payment it is refused, and no other rule is asked: a rule is a fence, not a wish. Where no rule holds,
//!    every account is left. An account that the merchant names for this very payment is the only one left, whatever
//!    the rules say.
//! 3. By `priority`, lower first. Among equals by weight (see [`shares`]), and else by time of creation. An account whose
//!    breaker is open comes after all others.

pub(super) mod shuffle;

use strum::{IntoStaticStr, VariantArray};

use super::{
    id::{GatewayAccountId, PaymentId, RoutingRuleId},
    money::Money,
};

/// The weight of an account of which nobody has said anything.
pub const WEIGHT_DEFAULT: i32 = 1;

/// The methods that a payment can have, wallets aside.
const METHODS: [&str; 5] = ["card", "upi_collect", "upi_intent", "upi_qr", "gateway_token"];
/// What a rule may say for all methods of a family, and how these begin.
const FAMILIES: [(&str, &str); 2] = [("upi", "upi_"), ("wallet", WALLET)];
const WALLET: &str = "wallet:";
const PROVIDER_MAX_CHARACTERS: usize = 50;

/// What rules may ask about a payment.
#[derive(Clone, Copy, Debug)]
pub struct Traits<'a> {
    pub money: Money,
    /// As descriptors name it: `card`, `upi_collect`, `wallet:paypal`.
    pub method: &'a str,
    /// The card's leading digits, six or more; none where it is no card, or a card that the gateway alone knows.
    pub bin: Option<&'a str>,
    /// The customer's country (ISO 3166-1 alpha-2), where the merchant said it.
    pub country: Option<&'a str>,
}

/// What a rule asks; what is none asks nothing. A condition on something that is not known of a payment does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// In the minor unit of the payment's own currency, inclusive.
    pub amount_min: Option<i64>,
    /// As `amount_min`.
    pub amount_max: Option<i64>,
    /// ISO 4217.
    pub currencies: Option<Vec<String>>,
    /// `upi` and `wallet` stand for all methods of their family.
    pub methods: Option<Vec<String>>,
    /// How the card's number may begin: 1 to 8 digits each.
    pub bin_prefixes: Option<Vec<String>>,
    /// ISO 3166-1 alpha-2.
    pub countries: Option<Vec<String>>,
}

/// One of the conditions, by its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Condition {
    Amount,
    Currencies,
    Methods,
    BinPrefixes,
    Countries,
}

/// A merchant's rule, enabled.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: RoutingRuleId,
    pub name: String,
    pub position: i32,
    pub conditions: Conditions,
    pub accounts: Vec<Weighed>,
}

/// An account that a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    pub account: GatewayAccountId,
    /// What it weighs under this rule; none: what the account itself says.
    pub weight: Option<i32>,
}

impl Rule {
    /// What the rule says of the account; none where it does not name it.
    #[must_use]
    pub fn names(&self, account: GatewayAccountId) -> Option<&Weighed> {
        self.accounts.iter().find(|named| named.account == account)
    }
}

/// A gateway account, as far as routing goes.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub id: GatewayAccountId,
    /// Lower is tried first.
    pub priority: i32,
    pub weight: i32,
    /// Why it cannot take this payment at all.
    pub barred: Option<Exclusion>,
    /// Its breaker is open: a request to it would not be sent now.
    pub is_held_back: bool,
}

/// Why an account may not take a payment, by its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Exclusion {
    Disabled,
    ConnectorNotActive,
    OperationNotSupported,
    MethodNotSupported,
    MethodNotAllowed,
    CurrencyNotSupported,
    NotInRule,
    AnotherIsWanted,
    Deleted,
}

impl Exclusion {
    /// The reason as the rest of a sentence that begins with the account.
    #[must_use]
    pub fn because(self) -> &'static str {
        match self {
            Self::Disabled => "is disabled",
            Self::ConnectorNotActive => "has a connector of which no version is active",
            Self::OperationNotSupported => "has a connector that cannot authorize payments",
            Self::MethodNotSupported => "has a connector that does not support the payment method",
            Self::MethodNotAllowed => "is narrowed to other payment methods",
            Self::CurrencyNotSupported => "has a connector that does not support the currency",
            Self::NotInRule => "is not among the accounts of the rule that decides",
            Self::AnotherIsWanted => "is not the account that was asked for",
            Self::Deleted => "was deleted",
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Decision<'r> {
    /// The rule that decided; none where no rule holds, or an account was asked for.
    pub rule: Option<&'r Rule>,
    /// The rules that were asked before it, and the first of their conditions that does not hold.
    pub passed_over: Vec<(&'r Rule, Condition)>,
    /// Places in the accounts that were given, best first.
    pub candidates: Vec<usize>,
    /// Accounts that were given, in their order; then those that the rule names and that are not there.
    pub excluded: Vec<(GatewayAccountId, Exclusion)>,
}

/// Decides. `rules` are the enabled ones in the order in which they are asked; `accounts` of equal priority stand in the
/// order of their creation. Without a `payment` equals by weight stand with the heaviest first, which is the likeliest.
#[must_use]
pub fn decide<'r>(
    traits: &Traits<'_>,
    payment: Option<PaymentId>,
    wanted: Option<GatewayAccountId>,
    rules: &'r [Rule],
    accounts: &[Account],
) -> Decision<'r> {
    let (rule, passed_over) = match wanted {
        Some(_) => (None, Vec::new()),
        None => first_that_holds(traits, rules),
    };
    let scope: Vec<Scoped> = accounts.iter().enumerate().map(|entry| Scoped::new(entry, rule, wanted)).collect();
    let mut candidates: Vec<&Scoped> = scope.iter().filter(|scoped| scoped.excluded.is_none()).collect();
    candidates.sort_by_cached_key(|scoped| {
        let Account { id, priority, is_held_back, .. } = *scoped.account;
        let rank = match payment {
            _ if !shares(&scope, priority) => 0,
            Some(payment) => shuffle::rank(payment, id, scoped.weight),
            None => u128::MAX - u128::from(scoped.weight.unsigned_abs()),
        };
        (is_held_back, priority, scoped.weight == 0, rank, scoped.place)
    });
    let candidates = candidates.into_iter().map(|scoped| scoped.place).collect();
    let left_out = scope.iter().filter_map(|scoped| Some((scoped.account.id, scoped.excluded?)));
    let named = rule.into_iter().flat_map(|rule| &rule.accounts).map(|named| named.account);
    let gone = named.filter(|id| accounts.iter().all(|account| account.id != *id)).map(|id| (id, Exclusion::Deleted));
    Decision { rule, passed_over, candidates, excluded: left_out.chain(gone).collect() }
}

fn first_that_holds<'r>(traits: &Traits<'_>, rules: &'r [Rule]) -> (Option<&'r Rule>, Vec<(&'r Rule, Condition)>) {
    let mut passed_over = Vec::new();
    for rule in rules {
        match rule.conditions.unmet(traits) {
            None => return (Some(rule), passed_over),
            Some(condition) => passed_over.push((rule, condition)),
        }
    }
    (None, passed_over)
}

/// An account in the light of the rule that decides.
struct Scoped<'a> {
    place: usize,
    account: &'a Account,
    excluded: Option<Exclusion>,
    weight: i32,
    /// Somebody has said what it weighs.
    is_weighed: bool,
}

impl<'a> Scoped<'a> {
    fn new((place, account): (usize, &'a Account), rule: Option<&Rule>, wanted: Option<GatewayAccountId>) -> Self {
        let named = rule.and_then(|rule| rule.names(account.id));
        let excluded = account.barred.or(match (wanted, rule, named) {
            (Some(wanted), _, _) if wanted != account.id => Some(Exclusion::AnotherIsWanted),
            (_, Some(_), None) => Some(Exclusion::NotInRule),
            _ => None,
        });
        let by_rule = named.and_then(|named| named.weight);
        let is_weighed = by_rule.is_some() || account.weight != WEIGHT_DEFAULT;
        Self { place, account, excluded, weight: by_rule.unwrap_or(account.weight), is_weighed }
    }
}

/// Whether accounts of this priority take shares by weight: where the merchant has said what one of them weighs, in the
/// rule or by another weight than [`WEIGHT_DEFAULT`]. Where nobody said anything they stand in the order of their creation,
/// so that a second account is a spare and not a half. An account that cannot take this very payment counts too: three
/// with the weights 1, 1 and 8 are shared by, also where the third does not take the currency.
fn shares(scope: &[Scoped<'_>], priority: i32) -> bool {
    let is_in_scope = |scoped: &&Scoped<'_>| match scoped.excluded {
        Some(Exclusion::NotInRule | Exclusion::AnotherIsWanted | Exclusion::Disabled | Exclusion::Deleted) => false,
        Some(
            Exclusion::ConnectorNotActive
            | Exclusion::OperationNotSupported
            | Exclusion::MethodNotSupported
            | Exclusion::MethodNotAllowed
            | Exclusion::CurrencyNotSupported,
        )
        | None => true,
    };
    scope.iter().filter(is_in_scope).any(|scoped| scoped.account.priority == priority && scoped.is_weighed)
}

impl Conditions {
    /// The first condition that does not hold for such a payment; none where the rule decides about it.
    #[must_use]
    pub fn unmet(&self, payment: &Traits<'_>) -> Option<Condition> {
        let Self { amount_min, amount_max, currencies, methods, bin_prefixes, countries } = self;
        let amount = payment.money.minor();
        if amount_min.is_some_and(|min| amount < min) || amount_max.is_some_and(|max| amount > max) {
            return Some(Condition::Amount);
        }
        let code = payment.money.currency().code();
        if currencies.as_ref().is_some_and(|currencies| !currencies.iter().any(|currency| currency == code)) {
            return Some(Condition::Currencies);
        }
        if methods.as_ref().is_some_and(|methods| !methods.iter().any(|word| stands_for(word, payment.method))) {
            return Some(Condition::Methods);
        }
        let begins = |prefix: &String| payment.bin.is_some_and(|bin| bin.starts_with(prefix.as_str()));
        if bin_prefixes.as_ref().is_some_and(|prefixes| !prefixes.iter().any(begins)) {
            return Some(Condition::BinPrefixes);
        }
        let is_from = |country: &String| payment.country == Some(country.as_str());
        if countries.as_ref().is_some_and(|countries| !countries.iter().any(is_from)) {
            return Some(Condition::Countries);
        }
        None
    }
}

/// Whether `word` of a rule means the payment method `method`.
fn stands_for(word: &str, method: &str) -> bool {
    let family = FAMILIES.iter().find(|(family, _)| *family == word);
    word == method || family.is_some_and(|(_, beginning)| method.starts_with(beginning))
}

/// Whether a payment can have this method: `card`, `upi_qr`, `wallet:paypal`.
#[must_use]
pub fn is_method(text: &str) -> bool {
    let is_provider = |provider: &str| {
        (1..=PROVIDER_MAX_CHARACTERS).contains(&provider.len())
            && provider.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    METHODS.contains(&text) || text.strip_prefix(WALLET).is_some_and(is_provider)
}

/// Whether a rule may say this of methods: one of them, or a family.
#[must_use]
pub fn is_method_or_family(text: &str) -> bool {
    is_method(text) || FAMILIES.iter().any(|(family, _)| *family == text)
}

#[cfg(test)]
mod tests;
