//! What the matrix is played in: hosts that die at a point, one that survives, and the end of every story.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt as _, time::Duration};

use futures_util::future::join_all;
use interlock_tests::harness::{
    Answer, Browser, Builder, Caller, Door, Gateway, Merchant, World, bodies, eventually,
    gateways::{Lost, MOCK},
};
use serde_json::{Value, json};

use super::{Course, Deed, points};
use crate::fault_kit::{Hosts, insist, install_hostile, quick, victim};

/// What every payment is for, in minor units.
const AMOUNT: i64 = 1_000;
/// Between two looks at what is unknown.
const PAUSE: Duration = Duration::from_millis(100);

fn world(gateway: &'static Gateway) -> Builder {
    quick().setting("INTERLOCK_FAULT", "never").at(gateway)
}

/// Where the gateway tells alone what became of captures and refunds: it tells the host that survives.
async fn hearing(world: &World) -> Option<Door> {
    if !world.gateway.tells_later {
        return None;
    }
    let door = world.listen(&world.merchant).await;
    door.lead_to(vec![world.host(0).public.clone()]);
    Some(door)
}

/// A payment that is brought to where the operation begins.
struct Story {
    name: String,
    gateway: &'static Gateway,
    deed: Deed,
    merchant_key: String,
    /// Empty where there is none yet.
    payment: String,
    key: String,
    /// What the customer's browser brought back.
    parameters: Value,
}

impl Story {
    async fn begin(world: &World, caller: &Caller, deed: Deed, name: &str) -> Self {
        let before = format!("{name}-before");
        let gateway = world.gateway;
        let mut parameters = json!({});
        let payment = match deed {
            Deed::Authorize => String::new(),
            Deed::Complete => {
                let payment = gateway.challenged(caller, &before, AMOUNT, "automatic").await;
                parameters = Browser::default().act(&payment.json, "Approve").await;
                payment.id()
            }
            Deed::Capture | Deed::Cancel => gateway.held(caller, &before, AMOUNT).await,
            Deed::Refund | Deed::Sync => gateway.paid(caller, &before, AMOUNT).await,
            Deed::Webhook => gateway.pay(caller, &before, bodies::PENDING, AMOUNT, "automatic").await.expect(202).id(),
        };
        let merchant_key = caller.token().unwrap_or_default().to_owned();
        Self { name: name.to_owned(), gateway, deed, merchant_key, payment, key: format!("{name}-key"), parameters }
    }

    /// Path and body of the merchant's request.
    fn request(&self) -> (String, Value) {
        let of_payment = |verb: &str| format!("/v1/payments/{}/{verb}", self.payment);
        match self.deed {
            Deed::Authorize => {
                let card = bodies::card(bodies::GOOD);
                ("/v1/payments".to_owned(), self.gateway.payment(&card, AMOUNT, "automatic"))
            }
            Deed::Complete => (of_payment("confirm"), json!({ "parameters": self.parameters })),
            Deed::Capture => (of_payment("capture"), json!({})),
            Deed::Cancel => (of_payment("cancel"), json!({})),
            Deed::Refund => (of_payment("refunds"), json!({})),
            Deed::Sync | Deed::Webhook => (of_payment("sync"), json!({})),
        }
    }

    /// Asks, and gets no answer.
    async fn ask_in_vain(&self, world: &World, host: usize) {
        let (path, body) = self.request();
        let caller = world.on(host).with_token(&self.merchant_key);
        let answer = caller.try_post(&path, &self.key, &body).await;
        assert!(
            answer.is_err(),
            "{}: the host was to die, and answered {}",
            self.name,
            answer.map_or(String::new(), |answer| answer.text())
        );
    }

    /// As [`Self::end`]. Where a gateway's "never received" has to wait to be believed, time passes meanwhile.
    async fn ends(&self, world: &World, host: usize) {
        tokio::select! {
            () = self.end(world, host) => {}
            () = time_passes(world) => {}
        }
    }

    /// The same request leads to the end of the story, and to the same bytes from then on. What was lost and may not be
    /// sent again has failed, and is paid at the second try.
    async fn end(&self, world: &World, host: usize) {
        let (path, body) = self.request();
        let caller = world.on(host).with_token(&self.merchant_key);
        let answer = insist(&Hosts::alone(caller.clone()), &path, &self.key, &body).await;
        let again = caller.post(&path, &self.key, &body).await;
        assert!(again.is_replay() && again.bytes == answer.bytes, "{}: {}\n{}", self.name, answer.text(), again.text());
        let id = self.payment_id(&answer);
        let is_given_up = self.deed == Deed::Authorize
            && matches!(self.gateway.lost, Lost::GivenUp { .. })
            && answer.payment_status() == "failed";
        if is_given_up {
            assert_eq!(answer.json["last_error"]["code"], "gateway_unreachable", "{}: {}", self.name, answer.text());
            caller.step(&id, "confirm", &format!("{}-again", self.key), &json!({})).await;
        }
        let (status, captured, refunded) = match self.deed {
            Deed::Cancel => ("cancelled", 0, 0),
            Deed::Refund => ("refunded", AMOUNT, AMOUNT),
            _ => ("succeeded", AMOUNT, 0),
        };
        let wanted = json!({ "status": status, "amount_captured": captured, "amount_refunded": refunded });
        caller.payment_has(&id, &wanted).await;
        let kind: &str = self.deed.into();
        if !matches!(self.deed, Deed::Sync | Deed::Webhook) {
            let operations = if is_given_up { 2 } else { 1 };
            assert_eq!(world.operations_of(&id, kind).await.len(), operations, "{}", self.name);
        }
    }

    fn payment_id(&self, answer: &Answer) -> String {
        if self.payment.is_empty() { answer.id() } else { self.payment.clone() }
    }
}

/// All that is unknown has been so for as long as the gateway's word needs to count. Does not end.
async fn time_passes(world: &World) {
    let Lost::GivenUp { after_s } = world.gateway.lost else { return std::future::pending().await };
    let earlier = format!(
        "update work set unknown_since = unknown_since - interval '{after_s} s' \
         where unknown_since > now() - interval '{after_s} s'"
    );
    loop {
        world.db_run(&earlier).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Adds a host that dies at this point of this operation.
async fn doomed(world: &mut World, deed: Deed, point: &str) -> usize {
    let kind: &str = deed.into();
    let fault = if deed == Deed::Webhook { point.to_owned() } else { format!("{kind}/{point}") };
    world.add_host(&[("INTERLOCK_FAULT", &fault)]).await
}

async fn has_died(world: &mut World, host: usize, story: &str) {
    let status = world.host_mut(host).ended().await;
    assert!(status.signal().is_some(), "{story}: it was to abort, and ended with {status}");
}

/// Nothing is under way, no money moved twice, and everything adds up.
async fn all_is_well(world: &World) {
    eventually("nothing is under way", async || {
        let left = world.db_texts("select kind || ' ' || task from work where kind <> 'expiry'").await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    let ledger = world.ledger().await;
    assert_eq!(ledger["charged_twice"], json!([]));
    let mut deeds = BTreeSet::new();
    for entry in ledger["entries"].as_array().into_iter().flatten().filter(|entry| entry["account"] == "customer") {
        let deed = format!("{} {}", entry["kind"], entry["reference"]);
        assert!(deeds.insert(deed.clone()), "done twice: {deed}");
    }
    world.check_invariants().await;
}

/// The host that is asked dies, at each of these points, all of them at the same time.
pub(super) async fn asked(gateway: &'static Gateway, deed: Deed, points: &[&str]) {
    let mut world = world(gateway).start().await;
    let _door = hearing(&world).await;
    let mut cells = Vec::new();
    for point in points {
        let host = doomed(&mut world, deed, point).await;
        let story = Story::begin(&world, &world.on(0), deed, point).await;
        cells.push((host, story));
    }
    die_and_end(&mut world, cells).await;
}

/// The first request of the operation was answered and the second one is written down, and the host dies.
pub(super) async fn in_two_steps(deed: Deed) {
    let mut world = world(&MOCK).start().await;
    install_hostile(&world).await;
    // The question of a sync has two steps only where they are wished for always.
    let behaviour = if deed == Deed::Sync { "two_steps_always" } else { "two_steps" };
    let merchant: Merchant = victim(&world, behaviour).await;
    let mut cells = Vec::new();
    for point in points(deed, Course::InTwoSteps) {
        let host = doomed(&mut world, deed, point).await;
        let story = Story::begin(&world, &world.of(&merchant), deed, point).await;
        cells.push((host, story));
    }
    die_and_end(&mut world, cells).await;
}

async fn die_and_end(world: &mut World, cells: Vec<(usize, Story)>) {
    assert!(!cells.is_empty());
    {
        let world = &*world;
        join_all(cells.iter().map(|(host, story)| story.ask_in_vain(world, *host))).await;
    }
    for (host, story) in &cells {
        has_died(world, *host, &story.name).await;
    }
    {
        let world = &*world;
        join_all(cells.iter().map(|(_, story)| story.ends(world, 0))).await;
    }
    all_is_well(world).await;
}

/// One host dies with the request written down, the one that takes over dies as well, and a third one ends it: for each of
/// these points, one after the other.
pub(super) async fn taking_over(gateway: &'static Gateway, deed: Deed, points: &[&str]) {
    let mut world = world(gateway).start().await;
    let _door = hearing(&world).await;
    for point in points {
        let kind: &str = deed.into();
        take_over(&mut world, deed, &format!("{kind}/{point}")).await;
    }
}

/// The same where the second host dies at a point of what it asks, which may be an operation of another kind.
pub(super) async fn taking_over_and_dying_at(gateway: &'static Gateway, deed: Deed, point: &str) {
    let mut world = world(gateway).start().await;
    let _door = hearing(&world).await;
    take_over(&mut world, deed, point).await;
}

async fn take_over(world: &mut World, deed: Deed, point: &str) {
    let first = doomed(world, deed, "after_commit_one").await;
    let second = world.add_host(&[("INTERLOCK_FAULT", point)]).await;
    let story = Story::begin(world, &world.on(0), deed, point).await;
    // The survivor must not be the one that takes over.
    world.host(0).freeze();
    story.ask_in_vain(world, first).await;
    has_died(world, first, point).await;
    has_died(world, second, point).await;
    world.host(0).thaw();
    story.ends(world, 0).await;
    all_is_well(world).await;
}

/// The host that hears a gateway dies at this point; another one goes on.
pub(super) async fn told(gateway: &'static Gateway, point: &str) {
    let mut world = world(gateway).simulator_argument("--settle-ms=600000").start().await;
    let hearing = world.add_host(&[("INTERLOCK_FAULT", point)]).await;
    let caller = world.on(hearing);
    let story = Story::begin(&world, &caller, Deed::Webhook, point).await;
    let door: Door = world.listen(&world.merchant).await;
    door.lead_to(vec![world.host(hearing).public.clone(), world.host(0).public.clone()]);
    world.host(0).freeze();
    let operation = world.operations_of(&story.payment, "authorize").await.remove(0);
    world.simulator.settle(&operation, "approve").await;
    has_died(&mut world, hearing, point).await;
    world.host(0).thaw();
    world.payment_becomes(&story.payment, "succeeded").await;
    story.ends(&world, 0).await;
    assert_eq!(world.events_of(&story.payment).await, ["payment.created", "payment.processing", "payment.succeeded"]);
    all_is_well(&world).await;
}
