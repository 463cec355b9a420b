//! The rules of routing, case by case.

use uuid::Uuid;

use super::*;

fn id(n: u128) -> GatewayAccountId {
    GatewayAccountId::from_uuid(Uuid::from_u128(n))
}

fn account(n: u128, priority: i32, weight: i32) -> Account {
    Account { id: id(n), priority, weight, barred: None, is_held_back: false }
}

fn rule(name: &str, conditions: Conditions, accounts: &[(u128, Option<i32>)]) -> Rule {
    let accounts = accounts.iter().map(|(n, weight)| Weighed { account: id(*n), weight: *weight }).collect();
    let rule_id = RoutingRuleId::from_uuid(Uuid::from_u128(99));
    Rule { id: rule_id, name: name.to_owned(), position: 0, conditions, accounts }
}

#[expect(clippy::unnecessary_wraps, reason = "a condition that asks something")]
fn of(words: &[&str]) -> Option<Vec<String>> {
    Some(words.iter().map(ToString::to_string).collect())
}

fn card(minor: i64, currency: &str) -> Traits<'static> {
    let money = Money::new(minor, currency.parse().unwrap()).unwrap();
    Traits { money, method: "card", bin: Some("42424242"), country: Some("DE") }
}

#[expect(clippy::unnecessary_wraps, reason = "what is decided about is a payment")]
fn payment(n: u128) -> Option<PaymentId> {
    Some(PaymentId::from_uuid(Uuid::from_u128(n)))
}

/// Candidates by the numbers of their accounts.
fn order(decision: &Decision<'_>, accounts: &[Account]) -> Vec<u128> {
    decision.candidates.iter().map(|place| accounts[*place].id.uuid().as_u128()).collect()
}

fn excluded(decision: &Decision<'_>) -> Vec<(u128, Exclusion)> {
    decision.excluded.iter().map(|(id, why)| (id.uuid().as_u128(), *why)).collect()
}

/// What a condition asks, of a payment of 12.50 EUR by a card 4242 4242… from Germany.
#[test]
fn conditions_hold_or_do_not() {
    let none = Conditions::default;
    let holds = [
        none(),
        Conditions { amount_min: Some(1250), amount_max: Some(1250), ..none() },
        Conditions { currencies: of(&["USD", "EUR"]), ..none() },
        Conditions { methods: of(&["upi", "card"]), ..none() },
        Conditions { bin_prefixes: of(&["51", "4"]), ..none() },
        Conditions { bin_prefixes: of(&["42424242"]), ..none() },
        Conditions { countries: of(&["AT", "DE", "CH"]), ..none() },
        Conditions { currencies: of(&["EUR"]), methods: of(&["card"]), countries: of(&["DE"]), ..none() },
    ];
    for conditions in holds {
        assert_eq!(conditions.unmet(&card(1250, "EUR")), None, "{conditions:?}");
    }
    let unmet = [
        (Conditions { amount_min: Some(1251), ..none() }, Condition::Amount),
        (Conditions { amount_max: Some(1249), ..none() }, Condition::Amount),
        (Conditions { currencies: of(&["USD"]), ..none() }, Condition::Currencies),
        (Conditions { methods: of(&["upi", "wallet", "gateway_token"]), ..none() }, Condition::Methods),
        (Conditions { bin_prefixes: of(&["424243", "5"]), ..none() }, Condition::BinPrefixes),
        (Conditions { countries: of(&["FR"]), ..none() }, Condition::Countries),
        (Conditions { currencies: of(&["EUR"]), countries: of(&["FR"]), ..none() }, Condition::Countries),
    ];
    for (conditions, condition) in unmet {
        assert_eq!(conditions.unmet(&card(1250, "EUR")), Some(condition), "{conditions:?}");
    }
}

#[test]
fn what_is_not_known_does_not_match() {
    let unknown = Traits { bin: None, country: None, ..card(1, "EUR") };
    let by_bin = Conditions { bin_prefixes: of(&["4"]), ..Conditions::default() };
    let by_country = Conditions { countries: of(&["DE"]), ..Conditions::default() };
    assert_eq!(by_bin.unmet(&unknown), Some(Condition::BinPrefixes));
    assert_eq!(by_country.unmet(&unknown), Some(Condition::Countries));
    // Of a card of which six digits are known it cannot be said how its eight digits are.
    let six_digits = Traits { bin: Some("424242"), ..unknown };
    let by_eight = Conditions { bin_prefixes: of(&["42424242"]), ..Conditions::default() };
    assert_eq!(by_eight.unmet(&six_digits), Some(Condition::BinPrefixes));
}

#[test]
fn families_stand_for_their_methods() {
    for (word, method, stands) in [
        ("upi", "upi_collect", true),
        ("upi", "upi_qr", true),
        ("upi_qr", "upi_intent", false),
        ("wallet", "wallet:paypal", true),
        ("wallet:paypal", "wallet:paypal", true),
        ("wallet:paypal", "wallet:apple_pay", false),
        ("card", "card", true),
        ("gateway_token", "card", false),
    ] {
        assert_eq!(stands_for(word, method), stands, "{word} {method}");
        assert!(is_method(method) && is_method_or_family(word));
    }
    for refused in ["upi", "wallet", "wallet:", "wallet:PayPal", "cash", "", "upi_", "Card"] {
        assert!(!is_method(refused), "{refused}");
    }
    assert!(is_method_or_family("wallet") && !is_method_or_family("upi_") && !is_method_or_family("wallet:"));
}

/// The first rule that holds decides, and the ones before it say why they did not.
#[test]
fn the_first_rule_that_holds_decides() {
    let accounts = [account(1, 0, 1), account(2, 0, 1), account(3, 5, 1)];
    let only = |currency: &str| Conditions { currencies: of(&[currency]), ..Conditions::default() };
    let rules = [
        rule("dollars", only("USD"), &[(1, None)]),
        rule("euros", only("EUR"), &[(3, None), (2, None)]),
        rule("all", Conditions::default(), &[(1, None)]),
    ];
    let decision = decide(&card(1, "EUR"), payment(1), None, &rules, &accounts);
    assert_eq!(decision.rule.map(|rule| rule.name.as_str()), Some("euros"));
    let passed: Vec<_> = decision.passed_over.iter().map(|(rule, unmet)| (rule.name.as_str(), *unmet)).collect();
    assert_eq!(passed, [("dollars", Condition::Currencies)]);
    assert_eq!(order(&decision, &accounts), [2, 3]);
    assert_eq!(excluded(&decision), [(1, Exclusion::NotInRule)]);
    let other = decide(&card(1, "JPY"), payment(1), None, &rules[..2], &accounts);
    assert!(other.rule.is_none());
    assert_eq!(order(&other, &accounts), [1, 2, 3]);
}

/// A rule is a fence: where none of its accounts can take the payment, no other account does.
#[test]
fn a_rule_without_an_account_that_can_leaves_none() {
    let accounts = [account(1, 0, 1), Account { barred: Some(Exclusion::MethodNotSupported), ..account(2, 0, 1) }];
    let rules = [
        rule("narrow", Conditions::default(), &[(2, None), (7, None)]),
        rule("wide", Conditions::default(), &[(1, None)]),
    ];
    let decision = decide(&card(1, "EUR"), payment(1), None, &rules, &accounts);
    assert_eq!(decision.rule.map(|rule| rule.name.as_str()), Some("narrow"));
    assert!(decision.candidates.is_empty());
    let why = [(1, Exclusion::NotInRule), (2, Exclusion::MethodNotSupported), (7, Exclusion::Deleted)];
    assert_eq!(excluded(&decision), why);
}

#[test]
fn a_wanted_account_is_the_only_one_whatever_the_rules_say() {
    let accounts = [account(1, 0, 1), account(2, 0, 1)];
    let rules = [rule("one", Conditions::default(), &[(1, None)])];
    let decision = decide(&card(1, "EUR"), payment(1), Some(id(2)), &rules, &accounts);
    assert!(decision.rule.is_none() && decision.passed_over.is_empty());
    assert_eq!(order(&decision, &accounts), [2]);
    assert_eq!(excluded(&decision), [(1, Exclusion::AnotherIsWanted)]);
}

/// Nobody said anything about weights: the account that was made first takes every payment.
#[test]
fn without_weights_the_order_is_that_of_creation() {
    let accounts = [account(9, 1, 1), account(5, 0, 1), account(4, 0, 1), account(6, 0, 1)];
    for n in 0..100 {
        let decision = decide(&card(1, "EUR"), payment(n), None, &[], &accounts);
        assert_eq!(order(&decision, &accounts), [5, 4, 6, 9]);
    }
}

fn firsts(rules: &[Rule], accounts: &[Account], count: u128) -> Vec<(u128, usize)> {
    let mut firsts = std::collections::BTreeMap::new();
    for n in 0..count {
        let decision = decide(&card(1, "EUR"), payment(n), None, rules, accounts);
        let order = order(&decision, accounts);
        assert_eq!(order.len(), accounts.iter().filter(|account| account.barred.is_none()).count());
        *firsts.entry(order[0]).or_default() += 1;
    }
    firsts.into_iter().collect()
}

#[test]
fn among_equals_weights_are_shares_and_a_priority_is_none() {
    let accounts = [account(1, 3, 30), account(2, 3, 10), account(3, 4, 1_000), account(4, 3, 0)];
    let firsts = firsts(&[], &accounts, 4_000);
    assert_eq!(firsts.len(), 2, "{firsts:?}");
    assert!(firsts[0].1.abs_diff(3_000) < 120, "{firsts:?}");
    for n in 0..50 {
        let decided = order(&decide(&card(1, "EUR"), payment(n), None, &[], &accounts), &accounts);
        assert_eq!(&decided[2..], [4, 3], "the one without weight is last among its equals");
        assert_eq!(decided, order(&decide(&card(1, "EUR"), payment(n), None, &[], &accounts), &accounts));
    }
}

/// The third takes most, and cannot take this one: the other two share by their weights, though both have the usual one.
#[test]
fn an_account_that_cannot_take_it_still_says_that_weights_count() {
    let barred = Account { barred: Some(Exclusion::CurrencyNotSupported), ..account(3, 0, 8) };
    let shared = firsts(&[], &[account(1, 0, 1), account(2, 0, 1), barred], 2_000);
    assert!(shared.len() == 2 && shared[0].1.abs_diff(1_000) < 100, "{shared:?}");
    let disabled = Account { barred: Some(Exclusion::Disabled), ..barred };
    assert_eq!(firsts(&[], &[account(1, 0, 1), account(2, 0, 1), disabled], 50), [(1, 50)]);
}

#[test]
fn a_rule_may_weigh_its_accounts_anew() {
    let accounts = [account(1, 0, 1), account(2, 0, 1)];
    let halves = [rule("halves", Conditions::default(), &[(1, Some(1)), (2, Some(1))])];
    let shared = firsts(&halves, &accounts, 2_000);
    assert!(shared.len() == 2 && shared[0].1.abs_diff(1_000) < 100, "{shared:?}");
    let spare = [rule("spare", Conditions::default(), &[(1, Some(0)), (2, None)])];
    assert_eq!(firsts(&spare, &accounts, 50), [(2, 50)]);
    let heavy = [account(1, 0, 5), account(2, 0, 0)];
    let turned = [rule("turned", Conditions::default(), &[(1, Some(0)), (2, Some(1))])];
    assert_eq!(firsts(&turned, &heavy, 50), [(2, 50)]);
}

/// A gateway that does not answer is the last resort, even of a lower priority; with all of them dead nothing is left out.
#[test]
fn an_account_whose_breaker_is_open_comes_last() {
    let held_back = Account { is_held_back: true, ..account(1, 0, 1) };
    let accounts = [held_back, account(2, 0, 1), account(3, 9, 1)];
    let decision = decide(&card(1, "EUR"), payment(1), None, &[], &accounts);
    assert_eq!(order(&decision, &accounts), [2, 3, 1]);
    assert!(decision.excluded.is_empty());
}

/// A preview without a payment shows the likeliest order.
#[test]
fn without_a_payment_the_heaviest_is_first() {
    let accounts = [account(1, 0, 1), account(2, 0, 7), account(3, 0, 0), account(4, 0, 7)];
    let decision = decide(&card(1, "EUR"), None, None, &[], &accounts);
    assert_eq!(order(&decision, &accounts), [2, 4, 1, 3]);
}

/// Every reason ends a sentence that begins with the account.
#[test]
fn every_exclusion_has_its_words() {
    for exclusion in Exclusion::VARIANTS {
        let word: &str = exclusion.into();
        assert!(!word.is_empty() && !exclusion.because().ends_with('.'), "{word}");
    }
}
