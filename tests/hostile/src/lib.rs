//! A connector that keeps the contract until an operation begins, and then does what its account's setting `behaviour`
//! says: see [`behaviour::Behaviour`]. One component, so that tests need to compile one.
//!
//! It speaks enough of the mock gateway's protocol to charge a card and to be asked about it.

mod behaviour;
mod descriptor;
mod gateway;

use interlock_connector::types::{
    Action, Context, Delivery, Descriptor, Event, Failure, Inbound, Operation, Outcome, Response,
};
use interlock_connector::{Connector, Host, export_connector};

use behaviour::{Behaviour, When};

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
                let charged = gateway::charge(ctx, operation, authorize, host);
                if when == When::First { charged } else { trick.play(ctx, host).unwrap_or(charged) }
            }
            Action::Sync(sync) => {
                if when == When::Always
                    && let Some(end) = trick.play(ctx, host)
                {
                    return end;
                }
                gateway::look_up(ctx, &sync.target_id, host)
            }
            Action::Complete(_) | Action::Capture(_) | Action::Cancel(_) | Action::Refund(_) => {
                Err(Failure::new("this connector only charges"))
            }
        }
    }

    fn receive(_: &Context, _: &Inbound, _: &mut dyn Host) -> Result<Delivery, Failure> {
        let acknowledgement = Response { status: 200, headers: Vec::new(), body: Vec::new() };
        Ok(Delivery { events: Vec::<Event>::new(), acknowledgement })
    }
}

export_connector!(crate::Hostile);
