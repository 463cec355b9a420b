//! Without a fault, every rule is kept; and with each of nearly all faults its cassette fails natively too.

use std::panic::catch_unwind;

use interlock_bad::Bad;
use interlock_connector::harness;

/// Cassettes that a native run does not fail: where in a JSON body a hole stands, only the host looks, and what makes the
/// host ask without need is a warning.
const NOT_NATIVELY: [&str; 2] = ["stray-hole", "keeps-unsigned"];

#[test]
fn every_fault_but_those_is_found_natively() {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes")).expect("the cassettes are there")
    {
        let file = entry.expect("the folder can be read").path();
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::copy(&file, folder.path().join("cassette.json")).expect("a file can be copied");
        let path = folder.path().to_owned();
        let passes = catch_unwind(move || harness::replay_all::<Bad>(path)).is_ok();
        if passes != (name.starts_with("none") || NOT_NATIVELY.contains(&name.as_str())) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
