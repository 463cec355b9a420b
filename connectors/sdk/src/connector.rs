//! What a connector is, what it may call, and how it becomes a component.

use std::marker::PhantomData;

use crate::types::{
    Context, Delivery, Descriptor, Failure, Inbound, Level, Line, Mac, Opening, Operation, Outcome, Request, Response,
};

/// A gateway's translator. It holds nothing between calls: every call gets all it may depend on, and the host throws
/// the instance away after each.
///
/// The functions must be pure: the same arguments and the same answers of the host lead to the same calls of the host
/// and the same result. The host checks that.
pub trait Connector {
    /// What the connector is and what it may do; the host holds it to that.
    fn describe() -> Descriptor;

    /// Carries out one operation. Straight-line code: ask with [`Host::exchange`], read the reply, return what it
    /// means. `Err` says that the gateway's words make no sense; the host then treats the operation as unknown.
    fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure>;

    /// How to open a session, for gateways that want a short-lived token. None where they do not.
    #[must_use]
    fn open_session(ctx: &Context) -> Option<Opening> {
        let _ = ctx;
        None
    }

    /// Reads a webhook. [`Host::verify`] is there, [`Host::exchange`] is not. `Err` refuses the delivery.
    fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure>;

    /// Reads a settlement file. No lines where the gateway has none.
    fn settlement(ctx: &Context, file: &[u8]) -> Result<Vec<Line>, Failure> {
        let _ = (ctx, file);
        Ok(Vec::new())
    }
}

/// What a connector may call. In a component it is the sandbox's imports, in tests a cassette.
pub trait Host {
    /// Has a request sent and gives the gateway's reply, whatever its status. Looks like a call that blocks; in fact
    /// the run may end here and begin again once the reply is there, which is why a connector must be pure.
    fn exchange(&mut self, request: &Request) -> Response;

    /// Checks `expected` against the MAC of `data` under the named secret, in constant time. A number that proves it,
    /// to be put into [`crate::types::Event::proof`]; none where it does not fit or the account has no such secret.
    fn verify(&mut self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32>;

    /// Leaves a line in the host's log. Bounded; no place for personal data.
    fn log(&mut self, level: Level, message: &str);
}

/// `C` as the contract's exports want it. [`crate::export_connector!`] is its only user.
#[doc(hidden)]
pub struct Component<C>(PhantomData<C>);

#[cfg(target_arch = "wasm32")]
mod component {
    //! The exports, in terms of [`Connector`]; the imports, in terms of [`Host`].

    use super::{Component, Connector, Host};
    use crate::bindings::exports::interlock::connector::{description, gateway, sessions, settlement, webhooks};
    use crate::bindings::interlock::connector::{egress, log, signatures};
    use crate::types::{
        Context, Delivery, Descriptor, Failure, Inbound, Level, Line, Mac, Opening, Operation, Outcome, Request,
        Response,
    };

    struct Imports;

    impl Host for Imports {
        fn exchange(&mut self, request: &Request) -> Response {
            egress::exchange(request)
        }

        fn verify(&mut self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
            signatures::verify(mac, secret, data, expected)
        }

        fn log(&mut self, level: Level, message: &str) {
            log::write(level, message);
        }
    }

    impl<C: Connector> description::Guest for Component<C> {
        fn describe() -> Descriptor {
            C::describe()
        }
    }

    impl<C: Connector> gateway::Guest for Component<C> {
        fn perform(ctx: Context, operation: Operation) -> Result<Outcome, Failure> {
            C::perform(&ctx, &operation, &mut Imports)
        }
    }

    impl<C: Connector> sessions::Guest for Component<C> {
        fn open_session(ctx: Context) -> Option<Opening> {
            C::open_session(&ctx)
        }
    }

    impl<C: Connector> webhooks::Guest for Component<C> {
        fn receive(ctx: Context, inbound: Inbound) -> Result<Delivery, Failure> {
            C::receive(&ctx, &inbound, &mut Imports)
        }
    }

    impl<C: Connector> settlement::Guest for Component<C> {
        fn read(ctx: Context, file: Vec<u8>) -> Result<Vec<Line>, Failure> {
            C::settlement(&ctx, &file)
        }
    }
}

/// Makes the crate a component of the given [`Connector`]. Once per crate; natively it does nothing, so that the same
/// crate runs under `cargo test`.
#[macro_export]
macro_rules! export_connector {
    ($connector:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[expect(unsafe_code, reason = "the component's exports have fixed symbol names")]
        mod exported {
            type Component = $crate::Component<$connector>;
            $crate::bindings::export!(Component with_types_in $crate::bindings);
        }
    };
}
