//! What fuzzing and the generators of components begin with: kept as files, made here.

use std::{fs, path::Path};

use super::fixture::Fixture;

/// Set to have the files written anew.
const BLESS: &str = "INTERLOCK_BLESS";

/// The files are what the contract and the tools make of them today.
#[test]
fn the_seeds_are_those_of_the_contract() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fuzz/seeds/admission");
    let fixture = Fixture::default();
    for (name, bytes) in [("contract.wasm", fixture.component()), ("module.wasm", fixture.module())] {
        let file = folder.join(name);
        if std::env::var_os(BLESS).is_some() {
            fs::write(&file, &bytes).unwrap();
        }
        let kept = fs::read(&file).unwrap_or_default();
        assert!(kept == bytes, "{} is not what it should be; {BLESS}=1 has it written", file.display());
    }
}
