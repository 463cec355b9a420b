//! Where the sandbox meets the host: the functions a component may call, and the ones the host calls.
//!
//! Written by hand instead of generated: the canonical ABI is derived for the host's own [`super::types`], so values
//! cross once and are never converted. What a generator would have checked is checked at admission ([`Exports::check`]
//! compares every parameter and result, field by field, with the component's types).
//!
//! A component of the contract before the newest is called through [`super::compat`] where its types differ.

use wasmtime::{
    Store, StoreContextMut,
    component::{
        Component, ComponentExportIndex, ComponentNamedList, ComponentType, Instance, Lift, Linker, Lower, TypedFunc,
        WasmStr,
    },
};

use super::{
    compat::v0_2,
    contract::Contract,
    run::Run,
    types::{Context, Delivery, Descriptor, Failure, Inbound, Line, Mac, Opening, Operation, Outcome, Request},
};

/// The package of the contract, in every version of it.
pub const PACKAGE: &str = "interlock:connector";

/// The interfaces that a component may import functions from.
pub const IMPORTS: [&str; 3] = ["egress", "signatures", "log"];
/// The interfaces that a component must export.
pub const EXPORTS: [&str; 5] = ["description", "gateway", "sessions", "webhooks", "settlement"];

/// How loud a connector's message is.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
}

/// All that a component can call, whichever of the contracts it keeps: what it imports is the same in all of them. Names
/// have the version in them, so that a component finds its own.
pub fn link(linker: &mut Linker<Run>) -> wasmtime::Result<()> {
    Contract::SERVED.into_iter().try_for_each(|contract| link_of(linker, contract))
}

fn link_of(linker: &mut Linker<Run>, contract: Contract) -> wasmtime::Result<()> {
    linker
        .instance(&contract.interface("egress"))?
        .func_wrap("exchange", |mut store: StoreContextMut<'_, Run>, (request,): (Request,)| {
            Ok((store.data_mut().exchange(request)?,))
        })?;
    linker.instance(&contract.interface("signatures"))?.func_wrap(
        "verify",
        |mut store: StoreContextMut<'_, Run>, (mac, secret, data, expected): (Mac, String, Vec<u8>, Vec<u8>)| {
            Ok((store.data_mut().verify(mac, &secret, &data, &expected)?,))
        },
    )?;
    linker.instance(&contract.interface("log"))?.func_wrap(
        "write",
        |mut store: StoreContextMut<'_, Run>, (level, message): (Level, WasmStr)| {
            if store.data().may_log() {
                // Copied out only while the run has lines left to write.
                let message = message.to_str(&store)?.into_owned();
                store.data_mut().log(level, &message);
            }
            Ok(())
        },
    )?;
    Ok(())
}

/// Where a component's functions are, and of which contract they are; looked up once, at admission.
pub struct Exports {
    contract: Contract,
    describe: ComponentExportIndex,
    perform: ComponentExportIndex,
    open_session: ComponentExportIndex,
    receive: ComponentExportIndex,
    read: ComponentExportIndex,
}

type Performed = (Result<Outcome, Failure>,);
type Opened = (Option<Opening>,);
type Received = (Result<Delivery, Failure>,);
type Read = (Result<Vec<Line>, Failure>,);

impl Exports {
    /// Finds them; the error is the name of the first that is missing.
    pub fn find(component: &Component, contract: Contract) -> Result<Self, String> {
        let find = |instance: &str, name: &str| {
            let interface = contract.interface(instance);
            component
                .get_export_index(None, &*interface)
                .and_then(|instance| component.get_export_index(Some(&instance), name))
                .ok_or_else(|| format!("{interface}#{name}"))
        };
        Ok(Self {
            contract,
            describe: find("description", "describe")?,
            perform: find("gateway", "perform")?,
            open_session: find("sessions", "open-session")?,
            receive: find("webhooks", "receive")?,
            read: find("settlement", "read")?,
        })
    }

    /// Compares the type of each function with the host's; the error says which differs and where.
    pub fn check(&self, store: &mut Store<Run>, instance: Instance) -> wasmtime::Result<()> {
        typed::<(), (Descriptor,)>(store, instance, &self.describe)?;
        typed::<(&Context,), Opened>(store, instance, &self.open_session)?;
        typed::<(&Context, &[u8]), Read>(store, instance, &self.read)?;
        typed::<(&Context, &Operation), Performed>(store, instance, &self.perform)?;
        match self.contract {
            Contract::Newest => {
                typed::<(&Context, &Inbound), Received>(store, instance, &self.receive)?;
                Ok(())
            }
            Contract::V0_2 => v0_2::check(store, instance, &self.receive),
        }
    }

    pub fn describe(&self, store: &mut Store<Run>, instance: Instance) -> wasmtime::Result<Descriptor> {
        typed::<(), (Descriptor,)>(store, instance, &self.describe)?.call(store, ()).map(only)
    }

    pub fn perform(
        &self,
        store: &mut Store<Run>,
        instance: Instance,
        context: &Context,
        operation: &Operation,
    ) -> wasmtime::Result<Result<Outcome, Failure>> {
        typed::<_, Performed>(store, instance, &self.perform)?.call(store, (context, operation)).map(only)
    }

    pub fn open_session(
        &self,
        store: &mut Store<Run>,
        instance: Instance,
        context: &Context,
    ) -> wasmtime::Result<Option<Opening>> {
        typed::<_, Opened>(store, instance, &self.open_session)?.call(store, (context,)).map(only)
    }

    pub fn receive(
        &self,
        store: &mut Store<Run>,
        instance: Instance,
        context: &Context,
        inbound: &Inbound,
    ) -> wasmtime::Result<Result<Delivery, Failure>> {
        match self.contract {
            Contract::Newest => {
                typed::<_, Received>(store, instance, &self.receive)?.call(store, (context, inbound)).map(only)
            }
            Contract::V0_2 => v0_2::receive(store, instance, &self.receive, context, inbound),
        }
    }

    pub fn read_settlement(
        &self,
        store: &mut Store<Run>,
        instance: Instance,
        context: &Context,
        file: &[u8],
    ) -> wasmtime::Result<Result<Vec<Line>, Failure>> {
        typed::<_, Read>(store, instance, &self.read)?.call(store, (context, file)).map(only)
    }
}

/// The function, as one of these types.
pub fn typed<P, R>(
    store: &mut Store<Run>,
    instance: Instance,
    function: &ComponentExportIndex,
) -> wasmtime::Result<TypedFunc<P, R>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    instance.get_typed_func(store, function)
}

/// What a function returns: the component model knows results as lists of one.
pub fn only<T>((value,): (T,)) -> T {
    value
}
