//! A component with another module in it, which is instantiated with it.

use wasm_encoder::{
    Component, ComponentInstanceSection, ComponentSection as _, InstanceSection, ModuleArg, NestedComponentSection,
    RawSection,
};
use wasmparser::{Parser, Payload};

/// `component`, with `module` nested in it inside a component of its own, so that no index of what was there changes.
pub fn beside(component: &[u8], module: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut inner = Component::new();
    inner.section(&RawSection { id: CORE_MODULE, data: module });
    let mut instances = InstanceSection::new();
    instances.instantiate(0, Vec::<(&str, ModuleArg)>::new());
    inner.section(&instances);
    let mut bytes = component.to_vec();
    let index = nested(component)?;
    NestedComponentSection(&inner).append_to_component(&mut bytes);
    let mut instances = ComponentInstanceSection::new();
    instances.instantiate(index, Vec::<(&str, wasm_encoder::ComponentExportKind, u32)>::new());
    instances.append_to_component(&mut bytes);
    Ok(bytes)
}

/// The section of a component that holds a core module.
const CORE_MODULE: u8 = 1;

/// How many components it has in it already.
fn nested(component: &[u8]) -> wasmparser::Result<u32> {
    let (mut depth, mut found) = (0_usize, 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentSection { .. } if depth == 1 => found += 1,
            _ => {}
        }
    }
    Ok(found)
}
