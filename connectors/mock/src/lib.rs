//! The mock gateway's connector: translates between Interlock and the wire protocol that the gateway simulator serves.
//!
//! It is also the example to start a connector from: one file per direction of translation, and no state anywhere.

mod ask;
mod charge;
mod descriptor;
mod perform;
mod refused;
mod settlement;
mod sync;
mod webhook;

use interlock_connector::types::{Context, Delivery, Descriptor, Failure, Inbound, Line, Operation, Outcome};
use interlock_connector::{Connector, Host, export_connector};

/// See the crate's documentation.
pub struct Mock;

impl Connector for Mock {
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

export_connector!(crate::Mock);
