//! What the stories share: a shop at a gateway that tells its host what happens, and the end of every story.

use interlock_tests::harness::{Answer, Builder, Caller, Door, Gateway, World, bodies, eventually};
use serde_json::{Value, json};

use crate::fault_kit::{Hosts, insist, quick};

/// What every payment of a story is for, in minor units.
pub const AMOUNT: i64 = 1_000;

/// A shop with an account at one gateway, whose webhooks arrive.
pub struct Shop {
    pub world: World,
    pub gateway: &'static Gateway,
    pub caller: Caller,
    _door: Door,
}

impl Shop {
    /// Its host finds out quickly what became of things; what is open at the gateway ends soon.
    pub async fn open(gateway: &'static Gateway) -> Self {
        Self::with(gateway, quick().simulator_argument("--settle-ms=200")).await
    }

    /// Its host hardly ever asks, so that the gateway has to tell; what is open there stays open until a story ends it.
    pub async fn told(gateway: &'static Gateway) -> Self {
        Self::with(gateway, World::builder().simulator_argument("--settle-ms=10000000")).await
    }

    async fn with(gateway: &'static Gateway, builder: Builder) -> Self {
        let world = builder.at(gateway).start().await;
        let door = world.listen(&world.merchant).await;
        let caller = world.on(0);
        Self { world, gateway, caller, _door: door }
    }

    /// Pays with this card under a fresh key.
    pub async fn pay(&self, number: &str, capture_method: &str) -> Answer {
        self.gateway.pay(&self.caller, &self.world.fresh_key(), number, AMOUNT, capture_method).await
    }

    /// The id of a payment that has succeeded.
    pub async fn paid(&self) -> String {
        self.gateway.paid(&self.caller, &self.world.fresh_key(), AMOUNT).await
    }

    /// The id of a payment whose money is held.
    pub async fn held(&self) -> String {
        self.gateway.held(&self.caller, &self.world.fresh_key(), AMOUNT).await
    }

    /// The id of a payment that its gateway has accepted and not decided.
    pub async fn pending(&self) -> String {
        let answer = self.pay(bodies::PENDING, "automatic").await.expect(202);
        assert_eq!(answer.payment_status(), "processing", "{}", answer.text());
        answer.id()
    }

    /// A step of a payment that the host takes, whether the gateway has decided it or not.
    pub async fn step(&self, id: &str, verb: &str, body: &Value) -> Answer {
        let answer = self.world.step(id, verb, body).await;
        assert!(matches!(answer.status, 200..=202), "{verb}: {}", answer.text());
        answer
    }

    /// Waits until the payment is as `wanted` has it.
    pub async fn has(&self, id: &str, wanted: &Value) -> Value {
        self.caller.payment_has(id, wanted).await
    }

    /// The next POST to the gateway meets this fault.
    pub async fn next_post(&self, fault: &Value) {
        self.world.simulator.fail_next_posts(1, fault.clone()).await;
    }

    /// The next charge meets this fault; what comes before a charge (tokens, orders) does not.
    pub async fn next_charge(&self, fault: &Value) {
        let charge = json!({ "method": "POST", "path_prefix": self.gateway.charges_path() });
        self.world.simulator.add_faults(&json!({ "match": charge, "times": 1, "fault": fault })).await;
    }

    /// The gateway ends what it had accepted and not decided.
    pub async fn settle(&self, id: &str, outcome: &str) {
        let operation = self.world.operations_of(id, "authorize").await.remove(0);
        self.world.simulator.settle(&operation, outcome).await;
    }

    /// The gateway's charges under which money moved.
    pub async fn charges(&self) -> Vec<Value> {
        let charges = self.world.simulator.charges().await;
        charges.into_iter().filter(|charge| charge["held"] != 0 || charge["captured"] != 0).collect()
    }

    /// The last answer that a key gets, and the same from then on.
    pub async fn same_answer(&self, path: &str, key: &str, body: &Value) -> Answer {
        let answer = insist(&Hosts::alone(self.caller.clone()), path, key, body).await;
        let again = self.caller.post(path, key, body).await;
        assert!(again.is_replay() && again.bytes == answer.bytes, "{}\n{}", answer.text(), again.text());
        answer
    }

    /// Every story ends so: nothing is under way, what was told is applied, nobody has to look, no money moved twice.
    pub async fn all_is_well(&self) {
        let world = &self.world;
        for (what, query) in [
            ("work is left", "select kind || ' ' || task from work where kind <> 'expiry'"),
            ("webhooks are left", "select coalesce(quarantined, 'waits')::text from webhook_work"),
            ("somebody has to look", "select reason from reviews"),
        ] {
            eventually(&format!("it is not so that {what}"), async || {
                let left = world.db_texts(query).await;
                if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
            })
            .await;
        }
        let ledger = world.ledger().await;
        assert_eq!(ledger["charged_twice"], json!([]));
        let mut deeds = std::collections::BTreeSet::new();
        for entry in ledger["entries"].as_array().into_iter().flatten().filter(|entry| entry["account"] == "customer") {
            let deed = format!("{} {}", entry["kind"], entry["reference"]);
            assert!(deeds.insert(deed.clone()), "done twice: {deed}");
        }
        world.check_invariants().await;
    }
}
