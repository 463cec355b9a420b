//! Every point at which a host may die, in every operation: another host brings it to its end. One deed at the gateway,
//! one end, one answer for the merchant who asks again under the same key.
//!
//! Each test is an operation. In its world a host dies for each point; a host without faults survives all of them. That
//! a host dies at the point is itself the proof that the operation passes there; for pairs that do not meet there is a
//! reason in [`course`]. All of it is done at the mock, and at the faces of real gateways for the operations that they have.

mod gateways;
mod worlds;

use std::collections::BTreeSet;

use interlock::fault::Point;
use interlock_tests::harness::gateways::MOCK;
use strum::VariantArray as _;

use self::worlds::{asked, in_two_steps, taking_over, taking_over_and_dying_at, told};

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

/// Where a gateway is asked for a session, on the way to the first request of any operation: as above.
const SIGNS_IN: &[Point] = &[Point::BeforeSessionOpened, Point::AfterSessionOpened];

fn course(point: Point, deed: Deed) -> Course {
    let is_about_webhooks = <&str>::from(point).contains("webhook");
    match (point, deed) {
        _ if TELLS.contains(&point) => Course::Never("merchants are told by themselves, whatever the operation was"),
        _ if LIVES.contains(&point) => Course::Never("no operation is carried out by it"),
        _ if SIGNS_IN.contains(&point) => {
            Course::Never("it is as if its first request was written down and not sent, whatever the operation is")
        }
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
    let elsewhere = TELLS.iter().chain(LIVES).chain(SIGNS_IN).map(<&str>::from);
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

/// A test for each operation and course, at the mock.
macro_rules! matrix {
    ($($deed:ident: $asked:ident $two_steps:ident $takeover:ident $($resolve:ident)?;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $asked() {
                asked(&MOCK, Deed::$deed, &points(Deed::$deed, Course::Asked)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $two_steps() {
                in_two_steps(Deed::$deed).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $takeover() {
                taking_over(&MOCK, Deed::$deed, &["after_takeover"]).await;
            }

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $resolve() {
                    taking_over(&MOCK, Deed::$deed, &["before_resolve"]).await;
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
        taking_over_and_dying_at(&MOCK, deed, point).await;
    }
}

/// Commit 2 of an authorize is first that of the payment itself, and the second time that of the webhook.
const COMMITS_OF_A_WEBHOOK: [&str; 2] = ["authorize/before_commit_two:2", "authorize/after_commit_two:2"];

/// What a gateway tells survives the host that hears it: the gateway tells it again, or another host finds it stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook() {
    for point in points(Deed::Webhook, Course::Told).into_iter().chain(COMMITS_OF_A_WEBHOOK) {
        told(&MOCK, point).await;
    }
}
