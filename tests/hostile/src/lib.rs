//! A connector that keeps the contract until an operation begins, and then does what its account's setting `behaviour`
//! says: see [`behaviour::Behaviour`]. One component, so that tests need to compile one.
//!
//! It speaks enough of the mock gateway's protocol to charge a card, to go on from there, and to be asked about it.

mod attack;
mod behaviour;
mod descriptor;
mod gateway;
mod lie;
mod session;
mod variant;
mod webhook;

use interlock_connector::types::{
    Action, Context, Delivery, Descriptor, Failure, Inbound, Opening, Operation, Outcome,
};
use interlock_connector::{Connector, Host, export_connector};

use behaviour::{Behaviour, Trick, When};

/// See the crate's documentation.
pub struct Hostile;

impl Connector for Hostile {
    fn describe() -> Descriptor {
        descriptor::descriptor()
    }

    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let Behaviour { trick, when } = Behaviour::of(ctx)?;
        match &operation.action {
            Action::Authorize(authorize) => {
                if when == When::First
                    && let Some(end) = trick.play(ctx, host)
                {
                    return end;
                }
                let charged = gateway::charge(ctx, operation, authorize, matches!(trick, Trick::Reworded), host);
                if let (Trick::Lie(name), Ok(told)) = (&trick, &charged) {
                    return lie::about(name, told).ok_or_else(|| Failure::new("there is no such lie"));
                }
                if when == When::First { charged } else { trick.play(ctx, host).unwrap_or(charged) }
            }
            Action::Sync(sync) => {
                if when == When::Always
                    && let Some(end) = trick.play(ctx, host)
                {
                    return end;
                }
                gateway::look_up(ctx, operation, sync, host)
            }
            action => {
                if when == When::First
                    && let Some(end) = trick.play(ctx, host)
                {
                    return end;
                }
                gateway::act(ctx, operation, action, host)
            }
        }
    }

    fn open_session(ctx: &Context) -> Option<Opening> {
        session::opening(ctx)
    }

    fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
        let Behaviour { trick, when } = Behaviour::of(ctx)?;
        if when == When::First {
            // What it says of an outcome does not matter here: these tricks end otherwise.
            let _ = trick.play(ctx, host);
        }
        webhook::receive(ctx, inbound, host)
    }
}

export_connector!(crate::Hostile);
