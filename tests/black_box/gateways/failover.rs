//! From one real gateway to another: on after a decline that advises it, and never while it is unknown what the first one
//! did.

use interlock_tests::harness::{
    Door, Gateway, World, bodies, eventually,
    gateways::{ADYEN, STRIPE},
};
use serde_json::{Map, Value, json};

use super::kit::AMOUNT;
use crate::fault_kit::quick;

/// A shop with an account at Stripe, tried first, and one at Adyen.
struct Shop {
    world: World,
    /// By gateway.
    accounts: [String; 2],
    _doors: [Door; 2],
}

impl Shop {
    async fn open() -> Self {
        let world =
            quick().simulator_argument("--settle-ms=200").at(&STRIPE).and_at(&ADYEN).without_account().start().await;
        let stripe = account(&world, &STRIPE, 0).await;
        let adyen = account(&world, &ADYEN, 1).await;
        let doors =
            [world.listen_to(&STRIPE, &stripe, &json!({})).await, world.listen_to(&ADYEN, &adyen, &json!({})).await];
        Self { world, accounts: [stripe, adyen], _doors: doors }
    }

    /// Stripe's next charge meets this fault.
    async fn at_stripe(&self, fault: &Value) {
        let charge = json!({ "method": "POST", "path_prefix": STRIPE.charges_path() });
        self.world.simulator.add_faults(&json!({ "match": charge, "times": 1, "fault": fault })).await;
    }

    /// A payment with this card succeeds; through which accounts it was tried.
    async fn pays(&self, number: &str, said: u16) -> Vec<(String, String)> {
        let caller = self.world.on(0);
        let answer = STRIPE.pay(&caller, &self.world.fresh_key(), number, AMOUNT, "automatic").await;
        assert_eq!(answer.status, said, "{}", answer.text());
        caller.payment_has(&answer.id(), &json!({ "status": "succeeded", "amount_captured": AMOUNT })).await;
        let attempts = self.world.attempts(&answer.id()).await;
        let text = |attempt: &Value, name: &str| attempt[name].as_str().unwrap_or_default().to_owned();
        attempts.iter().map(|attempt| (text(attempt, "gateway_account"), text(attempt, "status"))).collect()
    }

    /// One charge has the money, and everything is at rest.
    async fn one_charge(&self) {
        let charges = self.world.simulator.charges().await;
        let paid: Vec<_> = charges.iter().filter(|charge| charge["captured"] == AMOUNT).collect();
        assert_eq!(paid.len(), 1, "{charges:?}");
        eventually("nothing is under way", async || {
            match self.world.db_count("select count(*) from work where kind <> 'expiry'").await {
                0 => Ok(()),
                rows => Err(format!("{rows} rows of work")),
            }
        })
        .await;
    }

    /// How many calls a gateway got.
    async fn calls(&self, gateway: &Gateway) -> usize {
        let calls = self.world.simulator.requests().await;
        calls.iter().filter(|call| call["path"].as_str().is_some_and(|path| path.starts_with(gateway.base))).count()
    }
}

async fn account(world: &World, gateway: &Gateway, priority: u32) -> String {
    let body = bodies::with(gateway.account(&world.simulator.url, &Map::new()), &json!({ "priority": priority }));
    world.post("/v1/gateway_accounts", gateway.name, &body).await.expect(201).id()
}

/// Stripe says that the card has too little, which another gateway may see differently: Adyen is asked at once, and takes
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decline_that_advises_it_goes_on() {
    let shop = Shop::open().await;
    shop.at_stripe(&json!({ "decline": { "code": "insufficient_funds" } })).await;
    let [stripe, adyen] = shop.accounts.clone();
    let tried = shop.pays(bodies::GOOD, 201).await;
    assert_eq!(tried, [(stripe, "declined".to_owned()), (adyen, "succeeded".to_owned())]);
    shop.one_charge().await;
}

/// Stripe says nothing in time: it may have charged, so Adyen is not asked, and Stripe's charge is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_goes_nowhere_else() {
    let shop = Shop::open().await;
    shop.at_stripe(&json!({ "delay": { "ms": 2_500 } })).await;
    let tried = shop.pays(bodies::GOOD, 202).await;
    assert_eq!(tried, [(shop.accounts[0].clone(), "succeeded".to_owned())]);
    assert_eq!(shop.calls(&ADYEN).await, 0);
    shop.one_charge().await;
}
