//! Makes a component of the core module that a compiler puts out.
//!
//! What `interlock connector build` does last. The module says in a custom section which world it was written for;
//! the tool that binds it (wit-bindgen) puts that there.

use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    #[error("this is not WebAssembly")]
    NotWasm,
    #[error("this is a component already")]
    AlreadyComponent,
    /// With what the encoder says: an import that no interface has, an export that is missing.
    #[error("the module cannot be made a component: {0}")]
    Encode(String),
}

/// The component of the core module `module`. The same bytes come out for the same bytes.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, WrapError> {
    match encoding(module) {
        Some(Encoding::Module) => {}
        Some(Encoding::Component) => return Err(WrapError::AlreadyComponent),
        None => return Err(WrapError::NotWasm),
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| WrapError::Encode(format!("{error:#}")))
}

/// Whether the bytes begin as a module or as a component; none where they begin as neither.
pub(super) fn encoding(bytes: &[u8]) -> Option<Encoding> {
    match Parser::new(0).parse_all(bytes).next()? {
        Ok(Payload::Version { encoding, .. }) => Some(encoding),
        Ok(_) | Err(_) => None,
    }
}
