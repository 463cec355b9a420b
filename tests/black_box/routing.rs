//! Routing: rules decide which gateway accounts may take a payment, weights share them out, and a preview pays nothing.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, Merchant, World, bodies, eventually, merchant::account_body, plain};
use serde_json::{Map, Value, json};

/// One more account of the merchant at the simulator.
pub(super) async fn account(world: &World, name: &str, changes: &Value) -> String {
    let body = bodies::with(account_body(&world.simulator.url, &Map::new()), &json!({ "name": name }));
    world.post("/v1/gateway_accounts", &world.fresh_key(), &bodies::with(body, changes)).await.expect(201).id()
}

/// A rule that sends what matches to these accounts.
pub(super) async fn rule(world: &World, name: &str, conditions: &Value, accounts: &[&str]) -> String {
    let accounts: Vec<_> = accounts.iter().map(|account| json!({ "account": account })).collect();
    let body = json!({ "name": name, "match": conditions, "gateway_accounts": accounts });
    world.post("/v1/routing_rules", &world.fresh_key(), &body).await.expect(201).id()
}

/// Pays a card payment with `changes` made to its body; the account that took it.
async fn paid_by(world: &World, changes: &Value) -> String {
    let body = bodies::with(bodies::payment(bodies::GOOD), changes);
    let answer = world.post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded", "{}", answer.text());
    answer.json["gateway_account"].as_str().unwrap().to_owned()
}

/// The preview of a card payment of 12.50 EUR, with `changes` made to it.
pub(super) async fn preview(world: &World, changes: &Value) -> Answer {
    let body = bodies::with(json!({ "amount": 1250, "currency": "EUR", "method": "card" }), changes);
    world.post("/v1/routing_rules/preview", &world.fresh_key(), &body).await
}

/// One member of each object in a list of the answer.
pub(super) fn each<'a>(answer: &'a Value, list: &str, member: &str) -> Vec<&'a str> {
    answer[list].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_rule_looks_like_this() {
    let world = World::start().await;
    let body = json!({
        "name": "Large cards from home",
        "match": {
            "amount": { "min": 5000 }, "currencies": ["EUR"], "methods": ["card"], "bin_prefixes": ["42", "510510"],
            "countries": ["DE", "AT"],
        },
        "gateway_accounts": [{ "account": world.merchant.account, "weight": 3 }],
    });
    let made = world.post("/v1/routing_rules", "r", &body).await.expect(201);
    insta::assert_json_snapshot!(plain(&made.json), @r#"
    {
      "created_at": "…",
      "enabled": true,
      "gateway_accounts": [
        {
          "account": "gwa_…",
          "weight": 3
        }
      ],
      "id": "rrl_…",
      "match": {
        "amount": {
          "min": 5000
        },
        "bin_prefixes": [
          "42",
          "510510"
        ],
        "countries": [
          "DE",
          "AT"
        ],
        "currencies": [
          "EUR"
        ],
        "methods": [
          "card"
        ]
      },
      "name": "Large cards from home",
      "object": "routing_rule",
      "position": 0,
      "updated_at": "…",
      "version": 1
    }
    "#);
    let path = format!("/v1/routing_rules/{}", made.id());
    assert_eq!(world.get(&path).await.expect(200).json, made.json);
    let next = world.post("/v1/routing_rules", "s", &bodies::with(body, &json!({ "name": "next" }))).await.expect(201);
    assert_eq!(next.json["position"], 1, "a rule without a position comes behind all others");
    let listed = world.get("/v1/routing_rules?limit=1").await.expect(200).json;
    assert_eq!(listed["data"], json!([next.json]));
    let rest = world.get(&format!("/v1/routing_rules?cursor={}", listed["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&rest.json["data"], &rest.json["next_cursor"]), (&json!([made.json]), &Value::Null));

    let change = json!({ "enabled": false, "position": 7, "match": { "methods": ["upi"] } });
    let changed = world.on(0).patch(&path, &change).await.expect(200);
    assert_eq!((&changed.json["enabled"], &changed.json["position"]), (&json!(false), &json!(7)));
    assert_eq!((&changed.json["match"], &changed.json["version"]), (&json!({ "methods": ["upi"] }), &json!(2)));
    assert_eq!(changed.json["gateway_accounts"], made.json["gateway_accounts"]);

    let deleted = world.on(0).delete(&path).await.expect(200);
    assert_eq!(deleted.json, json!({ "id": made.id(), "object": "routing_rule", "deleted": true }));
    for gone in [world.get(&path).await, world.on(0).delete(&path).await, world.on(0).patch(&path, &change).await] {
        gone.expect_problem(404, "not_found");
    }
}

/// The merchant's connection drops; the rule is made once.
#[tokio::test]
async fn one_key_makes_one_rule() {
    let world = World::start().await;
    let body = json!({ "name": "all", "gateway_accounts": [{ "account": world.merchant.account }] });
    let posts = (0..8).map(|_| world.post("/v1/routing_rules", "same", &body));
    let answers = join_all(posts).await;
    let first = answers.iter().find(|answer| answer.status == 201).expect("one of them is made").clone();
    for answer in answers {
        assert!(answer.status == 409 || answer.bytes == first.bytes, "{}", answer.text());
    }
    assert!(world.post("/v1/routing_rules", "same", &body).await.expect(201).is_replay());
    let other = bodies::with(body, &json!({ "name": "other" }));
    world.post("/v1/routing_rules", "same", &other).await.expect_problem(422, "idempotency_key_reused");
    world.on(0).post_plain("/v1/routing_rules", &other).await.expect_problem(400, "idempotency_key_missing");
    assert_eq!(world.db_count("select count(*) from routing_rules").await, 1);
}

/// Every condition, by payments that are made: the amount, the currency, the customer's country, how the card begins.
#[tokio::test]
async fn payments_go_where_the_first_rule_that_holds_sends_them() {
    let world = World::start().await;
    let usual = world.merchant.account.clone();
    let spare = json!({ "priority": 5 });
    let (large, dollars, abroad, amex, tokens) = (
        account(&world, "large", &spare).await,
        account(&world, "dollars", &spare).await,
        account(&world, "abroad", &spare).await,
        account(&world, "bin", &spare).await,
        account(&world, "tokens", &spare).await,
    );
    rule(&world, "large", &json!({ "amount": { "min": 50_000 }, "currencies": ["EUR"] }), &[&large]).await;
    rule(&world, "dollars", &json!({ "currencies": ["USD"] }), &[&dollars]).await;
    rule(&world, "abroad", &json!({ "countries": ["FR", "CH"] }), &[&abroad]).await;
    rule(&world, "bin", &json!({ "bin_prefixes": ["37828224", "55"] }), &[&amex]).await;
    rule(&world, "tokens", &json!({ "methods": ["gateway_token", "wallet"] }), &[&tokens]).await;

    let amex_card = json!({ "payment_method": { "card": { "number": "378282246310005", "cvc": "7373" } } });
    let cases = [
        (json!({}), &usual),
        (json!({ "amount": 49_999 }), &usual),
        (json!({ "amount": 50_000 }), &large),
        (json!({ "amount": 50_000, "currency": "USD" }), &dollars),
        (json!({ "customer": { "country": "CH" } }), &abroad),
        (json!({ "customer": { "country": "DE" } }), &usual),
        (amex_card, &amex),
        (json!({ "amount": 90_000, "customer": { "country": "FR" } }), &large),
        (json!({ "currency": "USD", "gateway_account": usual }), &usual),
    ];
    for (changes, wanted) in cases {
        assert_eq!(paid_by(&world, &changes).await, *wanted, "{changes}");
    }
    let wallet = json!({ "amount": 100, "currency": "EUR", "confirm": true,
        "payment_method": { "type": "wallet", "wallet": { "provider": "apple_pay", "token": "t" } } });
    let by_wallet = world.post("/v1/payments", "wallet", &wallet).await;
    assert_eq!(by_wallet.json["gateway_account"], json!(tokens), "{}", by_wallet.text());
    assert_eq!(paid_by(&world, &json!({ "customer": { "country": "FR" } })).await, abroad);
    world
        .post("/v1/payments", "c", &bodies::with(bodies::unconfirmed(), &json!({ "customer": { "country": "UK" } })))
        .await
        .expect_problem(422, "invalid_request");
}

/// What was said when the payment was made counts when it is confirmed: the customer's country, and all of the card's
/// leading digits though the vault shows six.
#[tokio::test]
async fn a_later_confirm_is_routed_by_what_the_payment_knows() {
    let world = World::start().await;
    let spare = json!({ "priority": 5 });
    let (abroad, eight) = (account(&world, "abroad", &spare).await, account(&world, "eight", &spare).await);
    rule(&world, "abroad", &json!({ "countries": ["CH"] }), &[&abroad]).await;
    rule(&world, "eight", &json!({ "bin_prefixes": ["42424242"] }), &[&eight]).await;
    let card = json!({ "card": bodies::card_fields(bodies::GOOD) });
    let token = world.post("/v1/tokens", "t", &card).await.expect(201).id();
    let method = json!({ "type": "card", "token": token });
    for (customer, wanted) in [(json!({ "country": "CH" }), &abroad), (json!({}), &eight)] {
        let body = bodies::with(bodies::unconfirmed(), &json!({ "customer": customer, "payment_method": method }));
        let created = world.post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
        let path = format!("/v1/payments/{}/confirm", created.id());
        let paid = world.post(&path, "confirm", &json!({})).await.expect(200);
        assert_eq!((paid.payment_status(), &paid.json["gateway_account"]), ("succeeded", &json!(wanted)));
    }
}

/// Changes count at once: a rule is disabled, moved behind another, deleted.
#[tokio::test]
async fn changed_rules_count_at_once_here_and_soon_elsewhere() {
    let world = World::builder().hosts(2).start().await;
    let first = world.merchant.account.clone();
    let second = account(&world, "second", &json!({ "priority": 5 })).await;
    let path = format!("/v1/routing_rules/{}", rule(&world, "to second", &json!({}), &[&second]).await);
    assert_eq!(paid_by(&world, &json!({})).await, second);
    world.on(0).patch(&path, &json!({ "enabled": false })).await.expect(200);
    assert_eq!(paid_by(&world, &json!({})).await, first);
    world.on(0).patch(&path, &json!({ "enabled": true })).await.expect(200);
    let front = json!({ "name": "front", "position": 0, "gateway_accounts": [{ "account": first }] });
    world.post("/v1/routing_rules", "front", &front).await.expect(201);
    assert_eq!(paid_by(&world, &json!({})).await, second, "of two at one position the older one is asked first");
    world.on(0).patch(&path, &json!({ "position": 3 })).await.expect(200);
    assert_eq!(paid_by(&world, &json!({})).await, first);
    world.on(0).patch(&path, &json!({ "position": 0 })).await.expect(200);
    world.on(0).delete(&path).await.expect(200);
    assert_eq!(paid_by(&world, &json!({})).await, first);
    eventually("the other host knows that the rule is gone", async || {
        let answer = world.on(1).post("/v1/payments", &world.fresh_key(), &bodies::payment(bodies::GOOD)).await;
        let account = answer.json["gateway_account"].as_str().unwrap_or_default().to_owned();
        if account == first { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// A rule is a fence: where its accounts cannot, no other account takes the payment, and the answer says why.
#[tokio::test]
async fn a_rule_whose_accounts_cannot_take_a_payment_refuses_it() {
    let world = World::start().await;
    let upi = account(&world, "upi", &json!({ "methods": ["upi_collect"] })).await;
    let gone = account(&world, "gone", &json!({})).await;
    let id = rule(&world, "narrow", &json!({ "currencies": ["EUR"] }), &[&upi, &gone]).await;
    assert_eq!(paid_by(&world, &json!({})).await, gone);
    world.on(0).delete(&format!("/v1/gateway_accounts/{gone}")).await.expect(200);
    let refused = world.pay(bodies::GOOD).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), [""]);
    let detail = refused.json["errors"][0]["detail"].as_str().unwrap();
    for told in [&id, &upi, &gone, "is narrowed to other payment methods", "was deleted"] {
        assert!(detail.contains(told), "{told}: {detail}");
    }
    assert_eq!(world.db_count("select count(*) from payments").await, 1);
    assert_eq!(paid_by(&world, &json!({ "currency": "USD" })).await, world.merchant.account);
}

/// Two accounts share the payments by weight, and each payment has its own order, which a preview foretells.
#[tokio::test]
async fn equals_share_by_weight_and_a_payment_keeps_its_order() {
    let world = World::start().await;
    let other = account(&world, "other", &json!({})).await;
    assert_eq!(paid_by(&world, &json!({})).await, world.merchant.account, "without weights the first one takes all");
    let accounts = json!([{ "account": world.merchant.account, "weight": 1 }, { "account": other, "weight": 1 }]);
    let body = json!({ "name": "halves", "gateway_accounts": accounts });
    world.post("/v1/routing_rules", "halves", &body).await.expect(201);
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for answer in join_all((0..60).map(|_| world.pay(bodies::GOOD))).await {
        let answer = answer.expect(201);
        let account = answer.json["gateway_account"].as_str().unwrap();
        let foretold = preview(&world, &json!({ "payment": answer.id() })).await.expect(200);
        assert_eq!(each(&foretold.json, "candidates", "account")[0], account);
        *taken.entry(account.to_owned()).or_default() += 1;
    }
    // That one of them takes fewer than five of sixty happens once in a million million runs.
    assert!(taken.len() == 2 && taken.values().all(|count| *count >= 5), "{taken:?}");
}

/// Every field with its faults. No rule of them is kept.
#[tokio::test]
async fn rules_that_cannot_be_are_refused() {
    let world = World::start().await;
    let stranger = world.new_merchant("Stranger").await;
    let mine = world.merchant.account.clone();
    let least = json!({ "name": "n", "gateway_accounts": [{ "account": mine }] });
    let of = |conditions: Value| json!({ "match": conditions });
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({ "name": null }), &["/name"]),
        (json!({ "name": "" }), &["/name"]),
        (json!({ "enabled": 1 }), &["/enabled"]),
        (json!({ "position": -1 }), &["/position"]),
        (json!({ "position": 1_000_001 }), &["/position"]),
        (json!({ "gateway_accounts": null }), &["/gateway_accounts"]),
        (json!({ "gateway_accounts": [] }), &["/gateway_accounts"]),
        (json!({ "gateway_accounts": [mine] }), &["/gateway_accounts/0"]),
        (json!({ "gateway_accounts": [{ "account": mine }, { "account": mine }] }), &["/gateway_accounts"]),
        (json!({ "gateway_accounts": [{ "account": mine, "weight": -1 }] }), &["/gateway_accounts/0/weight"]),
        (
            json!({ "gateway_accounts": [{ "account": mine }, { "account": stranger.account }] }),
            &["/gateway_accounts/1/account"],
        ),
        (
            json!({ "gateway_accounts": [{ "account": "gwa_00000000000000000000000000" }] }),
            &["/gateway_accounts/0/account"],
        ),
        (of(json!([])), &["/match"]),
        (of(json!({ "brand": "visa" })), &["/match/brand"]),
        (of(json!({ "amount": { "min": 2, "max": 1 } })), &["/match/amount/max"]),
        (of(json!({ "amount": { "min": 0 } })), &["/match/amount/min"]),
        (of(json!({ "currencies": ["EUR", "ABC"] })), &["/match/currencies/1"]),
        (of(json!({ "methods": ["card", "cash"] })), &["/match/methods/1"]),
        (of(json!({ "bin_prefixes": ["", "123456789"] })), &["/match/bin_prefixes/0", "/match/bin_prefixes/1"]),
        (of(json!({ "countries": ["de"] })), &["/match/countries/0"]),
        (of(json!({ "countries": [] })), &["/match/countries"]),
    ];
    for (change, pointers) in cases {
        let body = bodies::with(least.clone(), &change);
        let refused = world.post("/v1/routing_rules", &world.fresh_key(), &body).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), pointers, "{change}: {}", refused.text());
    }
    assert_eq!(world.db_count("select count(*) from routing_rules").await, 0);
    let path = format!("/v1/routing_rules/{}", rule(&world, "mine", &json!({}), &[&mine]).await);
    let change = json!({ "gateway_accounts": [{ "account": stranger.account }] });
    let refused = world.on(0).patch(&path, &change).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/gateway_accounts/0/account"]);
    assert_theirs_is_not_ours(&world, &stranger, &path).await;
}

/// Another merchant's rule is not there, and routes nothing of ours.
async fn assert_theirs_is_not_ours(world: &World, stranger: &Merchant, path: &str) {
    let caller = world.of(stranger);
    for answer in [caller.get(path).await, caller.patch(path, &json!({})).await, caller.delete(path).await] {
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(caller.get("/v1/routing_rules").await.expect(200).json["data"], json!([]));
    let paid = caller.post("/v1/payments", "theirs", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert_eq!(paid.json["gateway_account"], json!(stranger.account));
}

/// All rules are read for every payment, so there is an end to them.
#[tokio::test]
async fn a_merchant_has_a_hundred_rules_at_most() {
    let world = World::start().await;
    let account = world.merchant.account.clone();
    join_all((0..100).map(|number| {
        let (world, account) = (&world, account.as_str());
        async move { rule(world, &format!("rule {number}"), &json!({ "currencies": ["JPY"] }), &[account]).await }
    }))
    .await;
    let body = json!({ "name": "one more", "gateway_accounts": [{ "account": account }] });
    let refused = world.post("/v1/routing_rules", "more", &body).await.expect_problem(422, "invalid_request");
    assert!(refused.text().contains("at most 100"), "{}", refused.text());
    assert_eq!(world.get("/v1/routing_rules?limit=100").await.expect(200).json["data"].as_array().unwrap().len(), 100);
    assert_eq!(paid_by(&world, &json!({})).await, account);
}

/// A gateway does not answer any more: its breaker opens, and payments go to the spare without trying it first.
#[tokio::test]
async fn an_account_whose_breaker_is_open_is_tried_last() {
    let world = World::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let spare = world.merchant.account.clone();
    world.on(0).patch(&format!("/v1/gateway_accounts/{spare}"), &json!({ "priority": 9 })).await.expect(200);
    let dead = account(&world, "dead", &json!({ "settings": { "base_url": url } })).await;
    let before = preview(&world, &json!({})).await.expect(200);
    assert_eq!(each(&before.json, "candidates", "account"), [&dead, &spare]);
    eventually("the breaker is open and the spare goes first", async || {
        let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "gateway_account": dead }));
        let failed = world.post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
        assert_eq!(failed.payment_status(), "failed");
        let now = preview(&world, &json!({})).await.expect(200);
        if each(&now.json, "candidates", "breaker") != ["closed", "open"] {
            return Err(now.text());
        }
        assert_eq!(each(&now.json, "candidates", "account"), [&spare, &dead]);
        Ok(())
    })
    .await;
}
