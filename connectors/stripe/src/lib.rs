//! Stripe's connector: cards, wallets' tokens and stored payment methods by payment intents.
//!
//! One file per direction of translation, and no state anywhere. `README.md` says what a merchant has to set up, and how
//! Stripe's answers are read.

mod ask;
mod authorize;
mod cancel;
mod capture;
mod create;
mod declines;
mod descriptor;
mod intent;
mod refund;
mod refused;
mod settlement;
mod sync;
mod units;
mod webhook;

use interlock_connector::types::{Action, Context, Delivery, Descriptor, Failure, Inbound, Line, Operation, Outcome};
use interlock_connector::{Connector, Host, export_connector};

/// See the crate's documentation.
pub struct Stripe;

impl Connector for Stripe {
    fn describe() -> Descriptor {
        descriptor::descriptor()
    }

    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        match &operation.action {
            Action::Authorize(action) => authorize::authorize(ctx, operation, action, host),
            Action::Complete(_) => authorize::complete(ctx, operation, host),
            Action::Capture(action) => capture::capture(ctx, operation, action, host),
            Action::Cancel(action) => cancel::cancel(ctx, operation, action, host),
            Action::Refund(action) => refund::refund(ctx, operation, action, host),
            Action::Sync(action) => sync::sync(ctx, operation, action, host),
        }
    }

    fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
        webhook::receive(ctx, inbound, host)
    }

    fn settlement(_: &Context, file: &[u8]) -> Result<Vec<Line>, Failure> {
        settlement::read(file)
    }
}

export_connector!(crate::Stripe);
