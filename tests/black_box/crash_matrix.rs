//! Every point at which a host may die, in every operation: another host brings it to its end. One deed at the gateway,
//! one end, one answer for the merchant who asks again under the same key.
//!
//! Each test is an operation. In its world a host dies for each point; a host without faults survives all of them. That
//! a host dies at the point is itself the proof that the operation passes there; for pairs that do not meet there is a
//! reason in [`course`].

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt as _};

use futures_util::future::join_all;
use interlock::fault::Point;
use interlock_tests::harness::{Answer, Builder, Caller, Door, Merchant, World, bodies, eventually};
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::fault_kit::{Hosts, insist, install_hostile, quick, victim};

/// What is carried out when the host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
enum Deed {
    Authorize,
    Complete,
    Capture,
    Cancel,
    Refund,
    Sync,
    /// Applying what a gateway tells.
    Webhook,
}

/// How a host comes to the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// It is asked by the merchant, and dies.
    Asked,
    /// The same with a connector that makes two requests of each operation.
    InTwoSteps,
    /// It takes over from another one that died before.
    TakingOver,
    /// The gateway tells it.
    Told,
    Never(&'static str),
}

/// Where merchants and streams are told of what happened: `crashes.rs` names a test for each.
const TELLS: &[Point] = &[
    Point::BeforePublished,
    Point::AfterPublished,
    Point::BeforeDelivery,
    Point::AfterDeliveryAnswer,
    Point::BeforeDeliveriesSettled,
    Point::AfterSinkPublished,
];

/// Where versions of connectors come and go: as above.
const LIVES: &[Point] = &[
    Point::BeforeConnectorKept,
    Point::AfterConnectorKept,
    Point::BeforeConnectorChange,
    Point::AfterConnectorChange,
    Point::AfterShadowClaimed,
    Point::BeforeShadowKept,
    Point::BeforeHealthTold,
];

fn course(point: Point, deed: Deed) -> Course {
    let is_about_webhooks = <&str>::from(point).contains("webhook");
    match (point, deed) {
        _ if TELLS.contains(&point) => Course::Never("merchants are told by themselves, whatever the operation was"),
        _ if LIVES.contains(&point) => Course::Never("no operation is carried out by it"),
        _ if is_about_webhooks != (deed == Deed::Webhook) => Course::Never(
            "operations and webhooks have points of their own; a webhook's change itself is commit 2 of its operation, \
             for which there is a test below",
        ),
        (_, Deed::Webhook) => Course::Told,
        (Point::AfterNextExchange, _) => Course::InTwoSteps,
        (Point::BeforeResolve, Deed::Sync) => {
            Course::Never("a question whose host is gone is not resolved but dropped: it only read")
        }
        (Point::AfterTakeover | Point::BeforeResolve, _) => Course::TakingOver,
        _ => Course::Asked,
    }
}

/// Every point has a course in some operation, and every operation some points.
#[test]
fn every_pair_is_visited_or_has_a_reason() {
    let mut visited = BTreeSet::new();
    for deed in Deed::VARIANTS {
        let points: Vec<&str> = Point::VARIANTS
            .iter()
            .filter(|point| !matches!(course(**point, *deed), Course::Never(_)))
            .map(<&str>::from)
            .collect();
        assert!(!points.is_empty(), "{deed:?}");
        visited.extend(points);
    }
    let elsewhere = TELLS.iter().chain(LIVES).map(<&str>::from);
    assert_eq!(
        visited.into_iter().chain(elsewhere).collect::<BTreeSet<_>>(),
        Point::VARIANTS.iter().map(<&str>::from).collect()
    );
    // The tests below take over at these two, and at no other.
    for deed in Deed::VARIANTS {
        for point in points(*deed, Course::TakingOver) {
            assert!(["after_takeover", "before_resolve"].contains(&point), "{deed:?}: {point} has no test");
        }
    }
}

/// The points that this operation passes in this course.
fn points(deed: Deed, wanted: Course) -> Vec<&'static str> {
    Point::VARIANTS.iter().filter(|point| course(**point, deed) == wanted).map(<&str>::from).collect()
}

fn world() -> Builder {
    quick().setting("INTERLOCK_FAULT", "never")
}

/// A payment that is brought to where the operation begins.
struct Story {
    name: String,
    deed: Deed,
    merchant_key: String,
    /// Empty where there is none yet.
    payment: String,
    key: String,
}

impl Story {
    async fn begin(world: &World, caller: &Caller, deed: Deed, name: &str) -> Self {
        let before = format!("{name}-before");
        let payment = match deed {
            Deed::Authorize => String::new(),
            Deed::Complete => {
                let payment = caller.challenged(&before, 1_000, "automatic").await;
                world.simulator.customer(&payment.json, "approve").await;
                payment.id()
            }
            Deed::Capture | Deed::Cancel => caller.held(&before, 1_000).await,
            Deed::Refund | Deed::Sync => caller.paid(&before, 1_000).await,
            Deed::Webhook => caller.pay(&before, bodies::PENDING, 1_000, "automatic").await.expect(202).id(),
        };
        let merchant_key = caller.token().unwrap_or_default().to_owned();
        Self { name: name.to_owned(), deed, merchant_key, payment, key: format!("{name}-key") }
    }

    /// Path and body of the merchant's request.
    fn request(&self) -> (String, Value) {
        let of_payment = |verb: &str| format!("/v1/payments/{}/{verb}", self.payment);
        match self.deed {
            Deed::Authorize => {
                let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": 1_000 }));
                ("/v1/payments".to_owned(), body)
            }
            Deed::Complete => (of_payment("confirm"), json!({ "parameters": { "result": "approved" } })),
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

    /// The same request leads to the end of the story, and to the same bytes from then on.
    async fn ends(&self, world: &World, host: usize) {
        let (path, body) = self.request();
        let caller = world.on(host).with_token(&self.merchant_key);
        let answer = insist(&Hosts::alone(caller.clone()), &path, &self.key, &body).await;
        let again = caller.post(&path, &self.key, &body).await;
        assert!(again.is_replay() && again.bytes == answer.bytes, "{}: {}\n{}", self.name, answer.text(), again.text());
        let id = self.payment_id(&answer);
        let (status, captured, refunded) = match self.deed {
            Deed::Cancel => ("cancelled", 0, 0),
            Deed::Refund => ("refunded", 1_000, 1_000),
            _ => ("succeeded", 1_000, 0),
        };
        let wanted = json!({ "status": status, "amount_captured": captured, "amount_refunded": refunded });
        caller.payment_has(&id, &wanted).await;
        let kind: &str = self.deed.into();
        if !matches!(self.deed, Deed::Sync | Deed::Webhook) {
            assert_eq!(world.operations_of(&id, kind).await.len(), 1, "{}", self.name);
        }
    }

    fn payment_id(&self, answer: &Answer) -> String {
        if self.payment.is_empty() { answer.id() } else { self.payment.clone() }
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

/// The host that is asked dies, at each point that it passes, all of them at the same time.
async fn asked(deed: Deed) {
    let mut world = world().start().await;
    let mut cells = Vec::new();
    for point in points(deed, Course::Asked) {
        let host = doomed(&mut world, deed, point).await;
        let story = Story::begin(&world, &world.on(0), deed, point).await;
        cells.push((host, story));
    }
    die_and_end(&mut world, cells).await;
}

/// The first request of the operation was answered and the second one is written down, and the host dies.
async fn in_two_steps(deed: Deed) {
    let mut world = world().start().await;
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

/// One host dies with the request written down, the one that takes over dies as well, and a third one ends it.
async fn taking_over(deed: Deed, point: &str) {
    let kind: &str = deed.into();
    taking_over_and_dying_at(deed, &format!("{kind}/{point}")).await;
}

/// The same where the second host dies at a point of what it asks, which may be an operation of another kind.
async fn taking_over_and_dying_at(deed: Deed, point: &str) {
    let mut world = world().start().await;
    let first = doomed(&mut world, deed, "after_commit_one").await;
    let second = world.add_host(&[("INTERLOCK_FAULT", point)]).await;
    let story = Story::begin(&world, &world.on(0), deed, point).await;
    // The survivor must not be the one that takes over.
    world.host(0).freeze();
    story.ask_in_vain(&world, first).await;
    has_died(&mut world, first, point).await;
    has_died(&mut world, second, point).await;
    world.host(0).thaw();
    story.ends(&world, 0).await;
    all_is_well(&world).await;
}

/// A test for each operation and course.
macro_rules! matrix {
    ($($deed:ident: $asked:ident $two_steps:ident $takeover:ident $($resolve:ident)?;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $asked() {
                asked(Deed::$deed).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $two_steps() {
                in_two_steps(Deed::$deed).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $takeover() {
                taking_over(Deed::$deed, "after_takeover").await;
            }

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $resolve() {
                    taking_over(Deed::$deed, "before_resolve").await;
                }
            )?
        )*
    };
}

matrix! {
    Authorize: an_authorize an_authorize_in_two_steps an_authorize_taken_over an_authorize_found_out;
    Complete: a_complete a_complete_in_two_steps a_complete_taken_over a_complete_found_out;
    Capture: a_capture a_capture_in_two_steps a_capture_taken_over a_capture_found_out;
    Cancel: a_cancel a_cancel_in_two_steps a_cancel_taken_over a_cancel_found_out;
    Refund: a_refund a_refund_in_two_steps a_refund_taken_over a_refund_found_out;
    Sync: a_sync a_sync_in_two_steps a_sync_taken_over;
}

/// The host that takes over has the gateway's answer to the request that it sent again, or to its question, and dies
/// before any of it is written down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_is_interrupted() {
    let recoveries = [
        (Deed::Authorize, "authorize/after_reply"),
        // The customer's return is not sent again: the gateway is asked.
        (Deed::Complete, "sync/after_reply"),
        (Deed::Capture, "capture/after_reply"),
        (Deed::Cancel, "cancel/after_reply"),
        (Deed::Refund, "refund/after_reply"),
    ];
    // One after the other: each has hosts of its own, and five worlds at once want more connections than there are.
    for (deed, point) in recoveries {
        taking_over_and_dying_at(deed, point).await;
    }
}

/// What a gateway tells survives the host that hears it: the gateway tells it again, or another host finds it stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook() {
    let commits = ["authorize/before_commit_two:2", "authorize/after_commit_two:2"];
    for point in points(Deed::Webhook, Course::Told).into_iter().chain(commits) {
        let mut world = world().simulator_argument("--settle-ms=600000").start().await;
        let hearing = world.add_host(&[("INTERLOCK_FAULT", point)]).await;
        // The first commit 2 of an authorize is that of the payment itself; the second is the webhook's.
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
        assert_eq!(
            world.events_of(&story.payment).await,
            ["payment.created", "payment.processing", "payment.succeeded"]
        );
        all_is_well(&world).await;
    }
}
