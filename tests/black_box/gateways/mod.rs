//! The same stories at every gateway: a table of stories by gateways. Each gateway's row is in the harness; each has a
//! file here that names its stories, so that a test is called `gateways::stripe::two_partial_refunds`.

mod adyen_schema;
mod builds;
mod failover;
mod kit;
mod paypal_schema;
mod schema_kit;
mod stories;

/// A test for each story of a gateway.
macro_rules! stories {
    ($gateway:ident: $($story:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::stories::$story(&interlock_tests::harness::gateways::$gateway).await;
            }
        )+
    };
}

mod adyen;
mod mock;
mod paypal;
mod razorpay;
mod stripe;
