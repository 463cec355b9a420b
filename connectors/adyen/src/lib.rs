//! Adyen's connector: Checkout API, version 71.
//!
//! Adyen answers a payment at once and everything else later: captures, cancels and refunds are received, and a webhook
//! says what became of them. There is nothing to ask, so an outcome that is not known is found out by sending the same
//! request again under its key, or by waiting.

mod action;
mod ask;
mod currency;
mod descriptor;
mod details;
mod item;
mod method;
mod modification;
mod payment;
mod perform;
mod reference;
mod refusal;
mod refused;
mod settlement;
mod told;
mod unfit;
mod webhook;

use interlock_connector::types::{Context, Delivery, Descriptor, Failure, Inbound, Line, Operation, Outcome};
use interlock_connector::{Connector, Host, export_connector};

/// See the crate's documentation.
pub struct Adyen;

impl Connector for Adyen {
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

export_connector!(crate::Adyen);
