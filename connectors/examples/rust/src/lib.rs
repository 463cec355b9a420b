//! A small connector: cards at a JSON gateway, the one that `interlock dev` simulates.
//!
//! Begin your own here: `descriptor.rs` says what the connector may do, `perform.rs` translates operations, `reply.rs`
//! reads what the gateway answers, `webhook.rs` what it tells of its own accord.

mod descriptor;
mod perform;
mod reply;
mod webhook;

use interlock_connector::types::{Context, Delivery, Descriptor, Failure, Inbound, Operation, Outcome};
use interlock_connector::{Connector, Host, export_connector};

/// See the crate's documentation.
pub struct Gateway;

impl Connector for Gateway {
    fn describe() -> Descriptor {
        descriptor::descriptor()
    }

    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        perform::perform(ctx, operation, host)
    }

    fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
        webhook::receive(ctx, inbound, host)
    }
}

export_connector!(crate::Gateway);
