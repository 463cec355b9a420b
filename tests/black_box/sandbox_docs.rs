//! What is written of the sandbox is so: attacks that are listed are played, tests that are named exist.

use std::{collections::BTreeSet, fs, path::Path};

use super::hostile_corpus::{ATTACKS, LIES};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The texts between two marks.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

/// The names of attacks and lies in the connector's source.
fn played() -> BTreeSet<String> {
    let kinds = ["hole_", "secret_", "origin_", "header_", "giant_", "method_", "lie_"];
    let source = read("tests/hostile/src/attack.rs") + &read("tests/hostile/src/lie.rs");
    let lines = source.lines().filter(|line| line.contains("=>"));
    let names = lines.flat_map(|line| between(line, '"').map(str::to_owned).collect::<Vec<_>>());
    names.filter(|name| kinds.iter().any(|kind| name.starts_with(kind))).collect()
}

#[test]
fn every_attack_is_played_and_described() {
    let mut told: BTreeSet<String> = ATTACKS.iter().map(|name| (*name).to_owned()).collect();
    told.extend(LIES.iter().map(|(name, _)| (*name).to_owned()));
    let mut known = played();
    // It is one of the behaviours.
    known.insert("misplaced".to_owned());
    assert_eq!(told, known, "what the connector can do, and what the tests play");
    let readme = read("tests/hostile/README.md");
    let described: BTreeSet<&str> = between(&readme, '`').collect();
    let missing: Vec<_> = known.iter().filter(|name| !described.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "tests/hostile/README.md does not speak of {missing:?}");
}

/// A test by its file and name; files by their paths.
#[test]
fn every_test_and_file_that_is_named_exists() {
    for document in ["tests/hostile/README.md", "docs/sandbox.md"] {
        let text = read(document);
        let mut named = 0;
        for place in between(&text, '`').filter(|text| text.contains(".rs")) {
            let (file, test) = place.split_once("::").unwrap_or((place, ""));
            // What stands beside another file is named without its folder, or this crate's own.
            if !file.starts_with("host/") && !file.starts_with("tests/") {
                continue;
            }
            let source = read(file);
            assert!(test.is_empty() || source.contains(&format!("fn {test}(")), "{document} names {place}");
            named += 1;
        }
        assert!(named > 10, "{document} names {named}");
    }
}
