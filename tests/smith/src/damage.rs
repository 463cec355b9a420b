//! What happens to good bytes: some are others, some are gone, some stand elsewhere.

use fastrand::Rng;
use wasmparser::{Parser, Payload};

/// Bytes before the first section.
const PREAMBLE_BYTES: usize = 8;

/// With one to eight bytes that are others.
pub fn flipped(component: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = component.to_vec();
    for _ in 0..random.usize(1..=8) {
        let at = random.usize(PREAMBLE_BYTES..bytes.len());
        bytes[at] ^= random.u8(1..);
    }
    bytes
}

/// Without its end.
pub fn cut(component: &[u8], random: &mut Rng) -> Vec<u8> {
    component[..random.usize(..component.len())].to_vec()
}

/// With two of its sections in each other's place, or one of them twice, or missing.
pub fn shuffled(component: &[u8], random: &mut Rng) -> wasmparser::Result<Vec<u8>> {
    let mut sections = sections(component)?;
    let (one, other) = (random.usize(..sections.len()), random.usize(..sections.len()));
    match random.u8(..3) {
        0 => sections.swap(one, other),
        1 => sections.insert(one, sections[other]),
        _ => _ = sections.remove(one),
    }
    let mut bytes = component[..PREAMBLE_BYTES].to_vec();
    sections.iter().for_each(|section| bytes.extend_from_slice(section));
    Ok(bytes)
}

/// Its own sections, those of what is nested in it left whole. Each begins where the one before it ends.
fn sections(component: &[u8]) -> wasmparser::Result<Vec<&[u8]>> {
    let (mut depth, mut begin, mut found) = (0_usize, PREAMBLE_BYTES, Vec::new());
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(end) => {
                depth -= 1;
                if depth == 1 {
                    found.push(&component[begin..*end]);
                    begin = *end;
                }
            }
            other => {
                if let Some((_, range)) = other.as_section()
                    && depth == 1
                    && !matches!(other, Payload::ModuleSection { .. } | Payload::ComponentSection { .. })
                {
                    found.push(&component[begin..range.end]);
                    begin = range.end;
                }
            }
        }
    }
    Ok(found)
}
