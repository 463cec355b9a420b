//! The matrix at the faces of real gateways: for each operation that a gateway has, a test in which a host dies at every
//! point, and one in which the host that takes over dies as well.

use interlock::fault::Point;

use super::{Course, Deed, points};

/// How many requests an operation makes of its gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requests {
    One,
    /// An order and its payment; an approval and its capture.
    Two,
}

/// The points that a host passes that is asked for this operation.
fn passed(deed: Deed, requests: Requests) -> Vec<&'static str> {
    let mut passed = points(deed, Course::Asked);
    if requests == Requests::Two {
        passed.push(Point::AfterNextExchange.into());
    }
    passed
}

/// The tests of one gateway.
macro_rules! matrix {
    ($name:ident at $gateway:ident: $($deed:ident in $requests:ident: $asked:ident $taken_over:ident;)+) => {
        mod $name {
            use interlock_tests::harness::gateways::$gateway;

            use super::super::worlds::{asked, taking_over, told};
            use super::super::{COMMITS_OF_A_WEBHOOK, Course, Deed, points};
            use super::{Requests, passed};

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $asked() {
                    asked(&$gateway, Deed::$deed, &passed(Deed::$deed, Requests::$requests)).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $taken_over() {
                    taking_over(&$gateway, Deed::$deed, &points(Deed::$deed, Course::TakingOver)).await;
                }
            )+

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_webhook() {
                for point in points(Deed::Webhook, Course::Told).into_iter().chain(COMMITS_OF_A_WEBHOOK) {
                    told(&$gateway, point).await;
                }
            }
        }
    };
}

matrix! { stripe at STRIPE:
    Authorize in One: an_authorize an_authorize_taken_over;
    Complete in One: a_complete a_complete_taken_over;
    Capture in One: a_capture a_capture_taken_over;
    Cancel in One: a_cancel a_cancel_taken_over;
    Refund in One: a_refund a_refund_taken_over;
    Sync in One: a_sync a_sync_taken_over;
}

// An order comes before each payment.
matrix! { razorpay at RAZORPAY:
    Authorize in Two: an_authorize an_authorize_taken_over;
    Complete in One: a_complete a_complete_taken_over;
    Capture in One: a_capture a_capture_taken_over;
    Refund in One: a_refund a_refund_taken_over;
    Sync in One: a_sync a_sync_taken_over;
}

// Nobody can be asked there: it has no syncs.
matrix! { adyen at ADYEN:
    Authorize in One: an_authorize an_authorize_taken_over;
    Complete in One: a_complete a_complete_taken_over;
    Capture in One: a_capture a_capture_taken_over;
    Cancel in One: a_cancel a_cancel_taken_over;
    Refund in One: a_refund a_refund_taken_over;
}

matrix! { paypal at PAYPAL:
    Authorize in One: an_authorize an_authorize_taken_over;
    Complete in One: a_complete a_complete_taken_over;
    Capture in One: a_capture a_capture_taken_over;
    Cancel in One: a_cancel a_cancel_taken_over;
    Refund in One: a_refund a_refund_taken_over;
    Sync in One: a_sync a_sync_taken_over;
}
