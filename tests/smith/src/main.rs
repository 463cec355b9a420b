//! Makes components that nobody would write: `interlock-smith SEED COUNT COMPONENT MODULE FOLDER`.
//!
//! COMPONENT keeps the contract, MODULE is a core module that it was wrapped from. FOLDER gets COUNT files of each kind,
//! named after what they are; the same seed makes the same files.

mod damage;
mod nest;

use std::{env, error::Error, fs, path::Path, process::ExitCode};

use fastrand::Rng;
use wasm_mutate::WasmMutate;
use wasm_smith::{Component, Config, Module};

/// Bytes that the generators decide by.
const ENTROPY_BYTES: usize = 4096;
/// How much one mutation may try.
const MUTATION_FUEL: u64 = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [seed, count, component, module, folder] = arguments.as_slice() else {
        eprintln!("usage: interlock-smith SEED COUNT COMPONENT MODULE FOLDER");
        return ExitCode::from(2);
    };
    match make(seed, count, component, module, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interlock-smith: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(seed: &str, count: &str, component: &str, module: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (component, module) = (fs::read(component)?, fs::read(module)?);
    let (mut random, count) = (Rng::with_seed(seed.parse()?), count.parse::<usize>()?);
    for number in 0..count {
        let write = |kind: &str, bytes: &[u8]| fs::write(folder.join(format!("{kind}-{number}.wasm")), bytes);
        write(
            "component",
            &generated(&mut random, |config, entropy| Ok(Component::new(config, entropy)?.to_bytes()))?,
        )?;
        let own = generated(&mut random, |config, entropy| Ok(Module::new(config, entropy)?.to_bytes()))?;
        write("module", &own)?;
        // Keeps the contract, and has the generated module run when it starts.
        write("nested", &nest::beside(&component, &own)?)?;
        write("flipped", &damage::flipped(&component, &mut random))?;
        write("cut", &damage::cut(&component, &mut random))?;
        write("shuffled", &damage::shuffled(&component, &mut random)?)?;
        if let Some(mutant) = mutated(&module, random.u64(..)) {
            write("mutant", &mutant)?;
        }
    }
    Ok(())
}

/// What a generator makes of some random bytes; it may ask for others.
fn generated(
    random: &mut Rng,
    generate: impl Fn(Config, &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<Vec<u8>>,
) -> Result<Vec<u8>, Box<dyn Error>> {
    for _ in 0..64 {
        let entropy: Vec<u8> = (0..ENTROPY_BYTES).map(|_| random.u8(..)).collect();
        // Without imports: what imports something is refused before it is run.
        let config = Config { max_imports: 0, max_memories: 1, allow_start_export: true, ..Config::default() };
        if let Ok(bytes) = generate(config, &mut arbitrary::Unstructured::new(&entropy)) {
            return Ok(bytes);
        }
    }
    Err("the generator makes nothing of 64 lots of random bytes".into())
}

/// The module, three mutations later; none where nothing could be mutated.
fn mutated(module: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut bytes = module.to_vec();
    for step in 0..3 {
        let mut mutate = WasmMutate::default();
        let next = mutate.seed(seed.wrapping_add(step)).fuel(MUTATION_FUEL).run(&bytes).ok()?.next()?.ok()?;
        bytes = next;
    }
    Some(bytes)
}
