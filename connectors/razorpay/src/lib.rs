//! Razorpay's connector: cards and UPI by the Orders API and server-to-server payments.
//!
//! An order is made first, then one payment under it; the order's receipt is the operation's id, and by it everything is
//! found again. The README says which of the gateway's documents each rule comes from.

mod ask;
mod descriptor;
mod money;
mod payment;
mod perform;
mod reasons;
mod refund;
mod refused;
mod settlement;
mod sync;
mod webhook;

use interlock_connector::types::{Context, Delivery, Descriptor, Failure, Inbound, Line, Operation, Outcome};
use interlock_connector::{Connector, Host, export_connector};

/// See the crate's documentation.
pub struct Razorpay;

impl Connector for Razorpay {
    fn describe() -> Descriptor {
        descriptor::descriptor()
    }

    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        perform::perform(ctx, operation, host)
    }

    fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
        webhook::receive(ctx, inbound, host)
    }

    fn settlement(_: &Context, file: &[u8]) -> Result<Vec<Line>, Failure> {
        settlement::read(file)
    }
}

export_connector!(crate::Razorpay);
