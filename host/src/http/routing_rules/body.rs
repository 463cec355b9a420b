//! The bodies of routing rules and of their preview, read into what the flow takes.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    domain::{
        country::Country,
        id::{GatewayAccountId, MerchantId, PaymentId},
        money::{AMOUNT_MAX_MINOR, Money},
        routing::{self, Conditions, Weighed},
    },
    flow::{
        Fault,
        manage_routing::{Change, NewRule, Probe},
    },
    http::json::{Fields, kinds, read},
    store::routing_rules::POSITION_MAX,
};

/// As the schema has it.
const NAME_MAX_CHARACTERS: usize = 200;
const ACCOUNTS_MAX: usize = 100;
const WEIGHT: std::ops::RangeInclusive<i64> = 0..=1_000;
/// Enough for every currency and every country.
const CODES_MAX: usize = 300;
const METHODS_MAX: usize = 100;
/// They are compared one by one, for every payment.
const BIN_PREFIXES_MAX: usize = 200;
/// Issuers are told apart by eight digits at most.
const BIN_DIGITS_MAX: usize = 8;
/// A card's first six digits are known of every card.
const BIN_DIGITS_KNOWN: std::ops::RangeInclusive<usize> = 6..=BIN_DIGITS_MAX;

/// `POST /v1/routing_rules`
pub fn new_rule(body: &Value) -> Result<NewRule, Vec<Fault>> {
    read(body, |fields| {
        let name = fields.required("name", kinds::text(1..=NAME_MAX_CHARACTERS));
        let enabled = fields.optional("enabled", kinds::flag).unwrap_or(true);
        let position = fields.optional("position", position);
        let conditions = fields.nested("match", conditions).unwrap_or_default();
        if !fields.has("gateway_accounts") {
            fields.fault("gateway_accounts", "is required");
        }
        let accounts = accounts(fields);
        Some(NewRule { name: name?, enabled, position, conditions, accounts: accounts? })
    })
}

/// `PATCH /v1/routing_rules/{id}`
pub fn change(body: &Value) -> Result<Change, Vec<Fault>> {
    read(body, |fields| {
        Some(Change {
            name: fields.optional("name", kinds::text(1..=NAME_MAX_CHARACTERS)),
            enabled: fields.optional("enabled", kinds::flag),
            position: fields.optional("position", position),
            conditions: fields.nested("match", conditions),
            accounts: accounts(fields),
        })
    })
}

/// `POST /v1/routing_rules/preview`
pub fn probe(body: &Value) -> Result<Probe, Vec<Fault>> {
    read(body, probe_fields)
}

/// `POST /admin/routing/preview`
pub fn probe_of_merchant(body: &Value) -> Result<(MerchantId, Probe), Vec<Fault>> {
    read(body, |fields| {
        let merchant = fields.required("merchant", kinds::id::<MerchantId>);
        let probe = probe_fields(fields);
        Some((merchant?, probe?))
    })
}

fn probe_fields(fields: &mut Fields<'_>) -> Option<Probe> {
    let amount = fields.required("amount", kinds::whole(1..=AMOUNT_MAX_MINOR));
    let currency = fields.required("currency", kinds::currency);
    let method = fields.required("method", method);
    let bin = fields.optional("bin", digits(BIN_DIGITS_KNOWN));
    if fields.has("bin") && method.as_ref().is_some_and(|method| method != "card") {
        fields.fault("bin", "goes with the method `card` alone");
    }
    let country = fields.optional("country", kinds::country);
    let wanted = fields.optional("gateway_account", kinds::id::<GatewayAccountId>);
    let payment = fields.optional("payment", kinds::id::<PaymentId>);
    let money = Money::to_move(amount?, currency?).map_err(|fault| fields.fault("amount", fault.to_string())).ok()?;
    Some(Probe { money, method: method?, bin, country: country.map(Country::code), wanted, payment })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reader of an object")]
fn conditions(fields: &mut Fields<'_>) -> Option<Conditions> {
    let (amount_min, amount_max) = fields.nested("amount", range).unwrap_or_default();
    let currency = |value: &Value| kinds::currency(value).map(|currency| currency.code().to_owned());
    let country = |value: &Value| kinds::country(value).map(|country| country.code().to_owned());
    Some(Conditions {
        amount_min,
        amount_max,
        currencies: some_of(fields, "currencies", CODES_MAX, currency),
        methods: some_of(fields, "methods", METHODS_MAX, method_or_family),
        bin_prefixes: some_of(fields, "bin_prefixes", BIN_PREFIXES_MAX, digits(1..=BIN_DIGITS_MAX)),
        countries: some_of(fields, "countries", CODES_MAX, country),
    })
}

fn range(fields: &mut Fields<'_>) -> Option<(Option<i64>, Option<i64>)> {
    let min = fields.optional("min", kinds::whole(1..=AMOUNT_MAX_MINOR));
    let max = fields.optional("max", kinds::whole(1..=AMOUNT_MAX_MINOR));
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        fields.fault("max", "must not be less than `min`");
        return None;
    }
    Some((min, max))
}

/// A list of which one must be met. An empty one could never be, which nobody means.
fn some_of(
    fields: &mut Fields<'_>,
    name: &'static str,
    count_max: usize,
    read: impl Fn(&Value) -> Result<String, String>,
) -> Option<Vec<String>> {
    let words = fields.list(name, count_max, read)?;
    check_list(fields, name, &words);
    Some(words)
}

fn accounts(fields: &mut Fields<'_>) -> Option<Vec<Weighed>> {
    let accounts = fields.objects("gateway_accounts", ACCOUNTS_MAX, |fields| {
        let account = fields.required("account", kinds::id::<GatewayAccountId>);
        let weight = fields.optional("weight", kinds::whole(WEIGHT)).map(narrow);
        Some(Weighed { account: account?, weight })
    })?;
    let ids: Vec<_> = accounts.iter().map(|weighed| weighed.account).collect();
    check_list(fields, "gateway_accounts", &ids);
    Some(accounts)
}

fn check_list<T: std::hash::Hash + Eq>(fields: &Fields<'_>, name: &str, items: &[T]) {
    if fields.is_empty_list(name) {
        fields.fault(name, "must name at least one");
    } else if items.iter().collect::<HashSet<_>>().len() < items.len() {
        fields.fault(name, "must not name the same one twice");
    }
}

fn position(value: &Value) -> Result<i32, String> {
    kinds::whole(0..=i64::from(POSITION_MAX))(value).map(narrow)
}

/// What a payment can have.
fn method(value: &Value) -> Result<String, String> {
    let text = kinds::string(value)?;
    if routing::is_method(text) {
        return Ok(text.to_owned());
    }
    Err("must be `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:` with a provider, or `gateway_token`"
        .to_owned())
}

/// As [`method`], or all of a family.
fn method_or_family(value: &Value) -> Result<String, String> {
    if kinds::string(value).is_ok_and(routing::is_method_or_family) {
        return method(value).or_else(|_| kinds::string(value).map(str::to_owned));
    }
    method(value).map_err(|why| format!("{why}; `upi` and `wallet` stand for all of them"))
}

fn digits(count: std::ops::RangeInclusive<usize>) -> impl Fn(&Value) -> Result<String, String> {
    move |value| {
        let text = kinds::string(value)?;
        if count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(text.to_owned());
        }
        Err(format!("must have {} to {} digits and nothing else", count.start(), count.end()))
    }
}

fn narrow(whole: i64) -> i32 {
    i32::try_from(whole).expect("the field's range lies within the type's")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::schema, *};
    use crate::http::docs;

    fn id(n: u128) -> String {
        GatewayAccountId::from_uuid(uuid::Uuid::from_u128(n)).to_string()
    }

    fn rule(conditions: &Value) -> Value {
        json!({"name": "n", "match": conditions, "gateway_accounts": [{"account": id(1)}]})
    }

    fn faults(body: &Value) -> Vec<String> {
        let told = new_rule(body).err().unwrap_or_default();
        told.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn the_documentation_names_the_fields_that_are_read() {
        docs::assert_reads::<schema::CreateRoutingRule>(|value| new_rule(value).err());
        docs::assert_reads::<schema::ChangeRoutingRule>(|value| change(value).err());
        docs::assert_reads::<schema::PreviewRouting>(|value| probe(value).err());
        docs::assert_reads::<schema::PreviewRoutingOf>(|value| probe_of_merchant(value).err());
        docs::assert_reads::<schema::MatchInput>(|value| Some(docs::under("/match", new_rule(&rule(value)).err()?)));
        docs::assert_reads::<schema::AmountInput>(|value| {
            Some(docs::under("/match/amount", new_rule(&rule(&json!({"amount": value}))).err()?))
        });
        docs::assert_reads::<schema::WeighedInput>(|value| {
            let faults = change(&json!({"gateway_accounts": [value]})).err()?;
            Some(docs::under("/gateway_accounts/0", faults))
        });
    }

    #[test]
    fn the_least_rule_takes_the_defaults() {
        let new = new_rule(&json!({"name": "all", "gateway_accounts": [{"account": id(1)}]})).ok().unwrap();
        assert!(new.enabled && new.position.is_none());
        assert_eq!(new.conditions, Conditions::default());
        assert_eq!(new.accounts.len(), 1);
    }

    #[test]
    fn every_condition_is_read() {
        let new = new_rule(&rule(&json!({
            "amount": {"min": 1, "max": 5}, "currencies": ["EUR", "USD"], "methods": ["card", "upi", "wallet:paypal"],
            "bin_prefixes": ["4", "42424242"], "countries": ["DE"],
        })));
        let texts = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
        let expected = Conditions {
            amount_min: Some(1),
            amount_max: Some(5),
            currencies: texts(&["EUR", "USD"]),
            methods: texts(&["card", "upi", "wallet:paypal"]),
            bin_prefixes: texts(&["4", "42424242"]),
            countries: texts(&["DE"]),
        };
        assert_eq!(new.ok().unwrap().conditions, expected);
    }

    #[test]
    fn faults_have_their_pointers() {
        let body = json!({
            "name": "", "enabled": 1, "position": -1,
            "match": {
                "amount": {"min": 5, "max": 4}, "currencies": ["eur"], "methods": ["cash"], "bin_prefixes": [4, "x", "123456789"],
                "countries": ["UK"], "brand": "visa",
            },
            "gateway_accounts": [{"account": "x", "weight": 1001}, {}],
        });
        insta::assert_snapshot!(faults(&body).join("\n"), @r"
        /name: must not be empty
        /enabled: must be true or false, not a number
        /position: must be at least 0
        /match/amount/max: must not be less than `min`
        /match/currencies/0: must be three capital letters, as in `EUR`
        /match/methods/0: must be `card`, `upi_collect`, `upi_intent`, `upi_qr`, `wallet:` with a provider, or `gateway_token`; `upi` and `wallet` stand for all of them
        /match/bin_prefixes/0: must be a string, not a number
        /match/bin_prefixes/1: must have 1 to 8 digits and nothing else
        /match/bin_prefixes/2: must have 1 to 8 digits and nothing else
        /match/countries/0: is not a country of ISO 3166-1
        /match/brand: is not known here; known are: amount, currencies, methods, bin_prefixes, countries
        /gateway_accounts/0/account: is not an id: an id that begins with `gwa_` is needed here
        /gateway_accounts/0/weight: must be at most 1000
        /gateway_accounts/1/account: is required
        ");
        assert_eq!(faults(&json!({"name": "n"})), ["/gateway_accounts: is required"]);
        assert_eq!(
            faults(&json!({"name": "n", "gateway_accounts": []})),
            ["/gateway_accounts: must name at least one"]
        );
        let twice = json!({"name": "n", "gateway_accounts": [{"account": id(1)}, {"account": id(1), "weight": 5}]});
        assert_eq!(faults(&twice), ["/gateway_accounts: must not name the same one twice"]);
        assert_eq!(faults(&rule(&json!({"countries": []}))), ["/match/countries: must name at least one"]);
    }

    #[test]
    fn a_probe_is_a_payment_that_could_be() {
        let told = |body: &Value| {
            let told = probe(body).err().unwrap_or_default();
            told.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
        };
        let card = json!({"amount": 1, "currency": "EUR", "method": "card", "bin": "424242", "country": "DE"});
        assert!(told(&card).is_empty());
        assert_eq!(told(&json!({})), ["/amount", "/currency", "/method"]);
        let body = json!({"amount": 0, "currency": "XXX", "method": "wallet", "bin": "42424", "country": "de"});
        assert_eq!(told(&body), ["/amount", "/currency", "/method", "/bin", "/country"]);
        let body = json!({"amount": 1, "currency": "EUR", "method": "upi_qr", "bin": "424242"});
        assert_eq!(told(&body), ["/bin"]);
    }
}
