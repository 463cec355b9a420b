//! PayPal's connector: Orders v2 and Payments v2, the PayPal wallet by redirect and cards by holes.
//!
//! An order is PayPal's frame around a payment: its purchase unit lists every authorization, capture and refund that was
//! made under it, each with an id of ours. So nearly every question is answered by one `GET` of the order.

mod amount;
mod ask;
mod cancel;
mod capture;
mod create;
mod descriptor;
mod money;
mod order;
mod payer;
mod perform;
mod processor;
mod refund;
mod refused;
mod session;
mod settlement;
mod standing;
mod sync;
mod webhook;

use interlock_connector::types::{Context, Delivery, Descriptor, Failure, Inbound, Line, Opening, Operation, Outcome};
use interlock_connector::{Connector, Host, export_connector};

/// See the crate's documentation.
pub struct PayPal;

impl Connector for PayPal {
    fn describe() -> Descriptor {
        descriptor::descriptor()
    }

    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        perform::perform(ctx, operation, host)
    }

    fn open_session(ctx: &Context) -> Option<Opening> {
        session::open(ctx)
    }

    fn receive(_: &Context, inbound: &Inbound, _: &mut dyn Host) -> Result<Delivery, Failure> {
        webhook::receive(inbound)
    }

    fn settlement(_: &Context, file: &[u8]) -> Result<Vec<Line>, Failure> {
        settlement::read(file)
    }
}

export_connector!(crate::PayPal);
