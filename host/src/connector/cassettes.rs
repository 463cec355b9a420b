//! The cassettes that a component carries: what its author recorded, in a custom section, so that whoever gets the
//! component can try it out without its source. The digest covers them, and so does a signature.

use serde_json::Value;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::{Parser, Payload};

/// The custom section: a JSON array of cassettes, each with its `name`.
const SECTION: &str = "interlock:cassettes";
/// Length of that section. A connector with a hundred cassettes has some 200 KiB.
const SECTION_MAX_BYTES: usize = 4 << 20;
const NAME: &str = "name";

/// One cassette, as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub text: String,
}

/// Why cassettes cannot travel in a component, or cannot be found there.
#[derive(Debug, thiserror::Error)]
pub enum CassettesError {
    #[error("the cassette {name} is no JSON object: {why}")]
    NotAnObject { name: String, why: String },
    #[error("the cassettes have {bytes} bytes; at most {SECTION_MAX_BYTES} fit into a component")]
    TooLarge { bytes: usize },
    #[error("the component's section {SECTION} cannot be read: {why}")]
    Unreadable { why: String },
}

/// The component with these cassettes in it. One that has some already gets no second set: it is refused.
pub fn embed(component: &[u8], cassettes: &[Named]) -> Result<Vec<u8>, CassettesError> {
    if !embedded(component)?.is_empty() {
        return Err(CassettesError::Unreadable { why: "it is there already".to_owned() });
    }
    let mut with = component.to_vec();
    if cassettes.is_empty() {
        return Ok(with);
    }
    let documents: Result<Vec<Value>, _> = cassettes.iter().map(document).collect();
    let data = Value::Array(documents?).to_string().into_bytes();
    if data.len() > SECTION_MAX_BYTES {
        return Err(CassettesError::TooLarge { bytes: data.len() });
    }
    CustomSection { name: SECTION.into(), data: data.into() }.append_to_component(&mut with);
    Ok(with)
}

fn document(cassette: &Named) -> Result<Value, CassettesError> {
    let not_an_object = |why: String| CassettesError::NotAnObject { name: cassette.name.clone(), why };
    let mut value: Value = serde_json::from_str(&cassette.text).map_err(|error| not_an_object(error.to_string()))?;
    let members = value.as_object_mut().ok_or_else(|| not_an_object("it is something else".to_owned()))?;
    members.insert(NAME.to_owned(), cassette.name.clone().into());
    Ok(value)
}

/// The cassettes that a component carries; none where it carries none.
pub fn embedded(component: &[u8]) -> Result<Vec<Named>, CassettesError> {
    let unreadable = |why: String| CassettesError::Unreadable { why };
    let Some(data) = section(component).map_err(|error| unreadable(error.to_string()))? else {
        return Ok(Vec::new());
    };
    if data.len() > SECTION_MAX_BYTES {
        return Err(CassettesError::TooLarge { bytes: data.len() });
    }
    let documents: Vec<Value> = serde_json::from_slice(data).map_err(|error| unreadable(error.to_string()))?;
    let named = |document: Value| {
        let name = document.get(NAME).and_then(Value::as_str).map(str::to_owned);
        let name = name.ok_or_else(|| unreadable("a cassette has no name".to_owned()))?;
        Ok(Named { name, text: document.to_string() })
    };
    documents.into_iter().map(named).collect()
}

/// The first section of that name of the component itself, not of what is nested in it.
fn section(component: &[u8]) -> wasmparser::Result<Option<&[u8]>> {
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(custom) if depth == 1 && custom.name() == SECTION => {
                return Ok(Some(custom.data()));
            }
            _ => {}
        }
    }
    Ok(None)
}
