//! What can be told about a component by reading it: nothing of it is compiled or run here.

use std::sync::LazyLock;

use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_parser::{Resolve, WorldId};

use super::{
    admission::{
        Reason,
        ReasonCode::{
            CoreModule, Invalid, Limits, NotWasm, TooLarge, TooManyMemories, UnknownImport, WasiImport, WrongWorld,
        },
    },
    bindings::{EXPORTS, IMPORTS, PACKAGE},
    bounds::{EngineConfig, MEMORIES_MAX},
    contract::Contract,
    report::Resources,
    wrap::encoding,
};

/// A contract, as components are held to it.
type World = (Resolve, WorldId);

static NEWEST: LazyLock<World> = LazyLock::new(|| parsed(Contract::Newest));
static V0_2: LazyLock<World> = LazyLock::new(|| parsed(Contract::V0_2));

fn parsed(contract: Contract) -> World {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_source("connector.wit", contract.wit())
        .expect("the contract parses: every test that admits a component depends on it");
    let world = resolve.select_world(&[package], Some("connector")).expect("the contract has the world `connector`");
    (resolve, world)
}

fn world_of(contract: Contract) -> &'static World {
    match contract {
        Contract::Newest => &NEWEST,
        Contract::V0_2 => &V0_2,
    }
}

/// What a component's modules may use. All of it is deterministic (floats with canonical NaNs); left out is what no
/// connector's language needs and what is young: threads, 64-bit memories, garbage collection, exceptions, tail
/// calls, relaxed SIMD, the component model's asynchrony.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Functions in all of a component's modules, and the size of one: the compiler's time and memory grow with both.
/// A Python component has some 30,000 functions.
pub const FUNCTIONS_MAX: usize = 100_000;
pub const FUNCTION_MAX_BYTES: usize = 1 << 20;
/// Pages of linear memory are of this size; the feature that changes it is off.
const PAGE_BYTES: u64 = 64 << 10;

/// What `component` is made of, and which contract it keeps; or every reason there is, by its bytes alone, not to let it
/// in.
pub fn inspect(component: &[u8], config: &EngineConfig) -> Result<(Contents, Contract), Vec<Reason>> {
    is_component(component, config.component_max_bytes).map_err(|reason| vec![reason])?;
    if let Err(error) = Validator::new_with_features(FEATURES).validate_all(component) {
        let hint = "it is damaged, or uses features of WebAssembly that connectors may not use (threads, 64-bit memory, \
                    garbage collection, exceptions, tail calls, relaxed SIMD)";
        return Err(vec![Reason::new(Invalid, error.to_string(), hint)]);
    }
    let contents = Contents::read(component)
        .map_err(|error| vec![Reason::new(Invalid, error.to_string(), "it cannot be read; build it anew")])?;
    let mut reasons: Vec<_> =
        contents.imports.iter().filter_map(|(name, is_instance)| bad_import(name, *is_instance)).collect();
    let contract = match Contract::of_names(contents.names()) {
        Ok(contract) => {
            reasons.extend(missing_exports(&contents.exports, contract));
            Some(contract)
        }
        // What it lacks of a contract that is not served is no news.
        Err(reason) => {
            reasons.push(reason);
            None
        }
    };
    reasons.extend(contents.beyond_limits(config));
    let Some(contract) = contract.filter(|_| reasons.is_empty()) else { return Err(reasons) };
    // Only now, because it names one difference at a time, and not as clearly as the lists above do.
    let (resolve, world) = world_of(contract);
    match wit_component::targets(resolve, *world, component) {
        Ok(()) => Ok((contents, contract)),
        Err(error) => Err(vec![Reason::new(WrongWorld, format!("{error:#}"), world_hint(contract))]),
    }
}

fn is_component(bytes: &[u8], max_bytes: usize) -> Result<(), Reason> {
    match encoding(bytes) {
        None => Err(Reason::new(NotWasm, "this is not WebAssembly", "send the bytes of a component, a `.wasm` file")),
        Some(Encoding::Module) => Err(Reason::new(
            CoreModule,
            "this is a core module, not a component",
            "wrap it with `interlock connector build`",
        )),
        Some(Encoding::Component) if bytes.len() > max_bytes => Err(Reason::new(
            TooLarge,
            format!("it has {} bytes; at most {max_bytes} are let in", bytes.len()),
            "leave out debug information, and what the connector does not need",
        )),
        Some(Encoding::Component) => Ok(()),
    }
}

/// What is counted while reading.
#[derive(Default)]
pub struct Contents {
    /// Name, and whether it is an instance of an interface.
    imports: Vec<(String, bool)>,
    exports: Vec<String>,
    modules: usize,
    memories: u32,
    memory_initial_max_bytes: u64,
    functions: usize,
    function_max_bytes: usize,
}

impl Contents {
    fn read(component: &[u8]) -> wasmparser::Result<Self> {
        let mut contents = Self::default();
        // How many modules and components the reader is inside of; the component itself is the first.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    contents.modules += usize::from(encoding == Encoding::Module);
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        let import = import?;
                        let is_instance = matches!(import.ty, ComponentTypeRef::Instance(_));
                        contents.imports.push((import.name.name.to_owned(), is_instance));
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        contents.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        contents.memories += 1;
                        let bytes = memory?.initial.saturating_mul(PAGE_BYTES);
                        contents.memory_initial_max_bytes = contents.memory_initial_max_bytes.max(bytes);
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    contents.functions += 1;
                    contents.function_max_bytes = contents.function_max_bytes.max(body.range().len());
                }
                _ => {}
            }
        }
        Ok(contents)
    }

    /// The full names of what it imports.
    pub fn imports(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(|(name, _)| name.as_str())
    }

    /// Whether it imports this interface of the contract, whichever version of it.
    pub fn imports_interface(&self, interface: &str) -> bool {
        self.imports().any(|name| {
            let path = name.split_once('@').map_or(name, |(path, _)| path);
            path.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) == Some(interface)
        })
    }

    /// The full names of what it imports and exports.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.imports().chain(self.exports.iter().map(String::as_str))
    }

    /// The counts, for its report.
    pub fn resources(&self, memory_max_bytes: usize) -> Resources {
        Resources {
            modules: self.modules as u64,
            functions: self.functions as u64,
            function_max_bytes: self.function_max_bytes as u64,
            memories: self.memories.into(),
            memory_initial_bytes: self.memory_initial_max_bytes,
            memory_max_bytes: memory_max_bytes as u64,
        }
    }

    /// A component that imports these interfaces of the contract.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn with_imports(interfaces: &[&str]) -> Self {
        let imports = interfaces.iter().map(|name| (Contract::Newest.interface(name), true)).collect();
        Self { imports, ..Self::default() }
    }

    fn beyond_limits(&self, config: &EngineConfig) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.memories > MEMORIES_MAX {
            let detail = format!("it has {} memories; at most {MEMORIES_MAX} are let in", self.memories);
            reasons.push(Reason::new(TooManyMemories, detail, "link it into one module with one memory"));
        }
        let mut limit = |what: &str, is: u64, max: u64, hint: &str| {
            if is > max {
                reasons.push(Reason::new(Limits, format!("{what} is {is}; at most {max} is let in"), hint));
            }
        };
        let memory_max_bytes = config.memory_max_bytes as u64;
        let hint = "reserve less at start: a smaller stack, fewer static tables";
        limit("its memory at start, in bytes,", self.memory_initial_max_bytes, memory_max_bytes, hint);
        let hint = "leave out libraries that the connector does not need, and optimise for size";
        limit("the number of its functions", self.functions as u64, FUNCTIONS_MAX as u64, hint);
        let hint = "split the function; generated tables belong into data";
        limit(
            "the size of its largest function, in bytes,",
            self.function_max_bytes as u64,
            FUNCTION_MAX_BYTES as u64,
            hint,
        );
        reasons
    }
}

/// Why the import may not be there, if so, whichever version it is of.
fn bad_import(name: &str, is_instance: bool) -> Option<Reason> {
    let path = name.split_once('@').map_or(name, |(path, _)| path);
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == PACKAGE && is_instance && (IMPORTS.contains(&interface) || interface == "types") {
        return None;
    }
    if package.starts_with("wasi:") {
        let hint = "a connector has no clock, random source, files or sockets: build Rust for wasm32-unknown-unknown \
                    (not wasip1 or wasip2), JavaScript with all features disabled, Python with stubbed WASI";
        return Some(Reason::new(WasiImport, format!("it imports {name}"), hint));
    }
    let hint = "a connector may import interlock:connector/egress, /signatures and /log, and nothing else";
    Some(Reason::new(UnknownImport, format!("it imports {name}"), hint))
}

fn missing_exports(exports: &[String], contract: Contract) -> impl Iterator<Item = Reason> {
    EXPORTS
        .iter()
        .map(move |name| contract.interface(name))
        .filter(|name| !exports.contains(name))
        .map(move |name| Reason::new(WrongWorld, format!("it does not export {name}"), world_hint(contract)))
}

/// What helps where a component does not fit the contract that it means to keep.
pub fn world_hint(contract: Contract) -> String {
    format!("build it against the world `connector` of {PACKAGE}@{}", contract.version())
}
