//! The contract's own files: what was released stays as it is, the copies are one, and the reference names everything.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use interlock::connector::{digest_of, hex};
use wit_parser::Resolve;

use super::languages_kit::root;

/// SHA-256 of every released contract.
const RELEASED: [(&str, &str); 2] = [
    ("0.1.0", "d4a2c9220165bfc8d213712277b0fb1d2c3313069d1ac9182a3b4a890d91ad24"),
    ("0.2.0", "0bc3efdd3446243a5d49c39a7f6fc4f6d5929ddfc91d71fb59431178fa5c25fe"),
];

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Components of people whom we do not know were built against these very bytes.
#[test]
fn released_contracts_stay_as_they_are() {
    let folder = root().join("wit/released");
    let found: BTreeSet<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(
        found,
        RELEASED.map(|(version, _)| version.to_owned()).into(),
        "each folder of wit/released is listed here with its digest"
    );
    for (version, digest) in RELEASED {
        let file = folder.join(version).join("connector.wit");
        assert_eq!(
            hex(&digest_of(&fs::read(&file).unwrap())),
            digest,
            "{} was released and must not change: take the change back (`git checkout` it), and make it in \
             wit/connector.wit under a new version, as docs/wit.md says under \"How a version is released\"",
            file.display()
        );
        assert!(text(&file).contains(&format!("package interlock:connector@{version};")));
    }
}

/// Who releases a version keeps a copy of it: what the newest says under a number that was released is what was released.
#[test]
fn the_newest_contract_has_a_number_of_its_own() {
    let newest = text(&root().join("wit/connector.wit"));
    for (version, _) in RELEASED {
        assert!(!newest.contains(&format!("package interlock:connector@{version};")), "{version} was released");
    }
}

/// There is one contract. The SDKs have links to it, and so has what `interlock connector new` writes.
#[test]
fn every_sdk_has_the_newest_contract() {
    let newest = text(&root().join("wit/connector.wit"));
    for sdk in ["sdk", "sdk-js", "sdk-python"] {
        let copy = root().join("connectors").join(sdk).join("wit/connector.wit");
        assert!(text(&copy) == newest, "{} is another contract than wit/connector.wit", copy.display());
    }
}

/// Everything that an author meets is in the reference, by its name in the contract.
#[test]
fn the_reference_names_everything_of_the_contract() {
    let reference = text(&root().join("docs/wit.md"));
    // What stands in code spans, in words of the contract.
    let named: BTreeSet<&str> = reference
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|span| span.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '-')))
        .collect();
    let mut resolve = Resolve::default();
    let file: PathBuf = root().join("wit/connector.wit");
    let package = resolve.push_source("connector.wit", &text(&file)).unwrap();
    let package = &resolve.packages[package];
    let version = package.name.version.as_ref().unwrap();
    assert!(reference.contains(&format!("The newest version is **{version}**")), "docs/wit.md is of another version");
    assert!(reference.contains(&format!("\n| {version} | ")), "docs/wit.md does not say what {version} changed");
    let mut names: BTreeSet<&str> = package.worlds.keys().map(String::as_str).collect();
    for (name, id) in &package.interfaces {
        let interface = &resolve.interfaces[*id];
        names.insert(name);
        names.extend(interface.types.keys().chain(interface.functions.keys()).map(String::as_str));
    }
    assert!(names.len() > 70, "{names:?}");
    let missing: Vec<_> = names.difference(&named).collect();
    assert!(missing.is_empty(), "docs/wit.md does not name {missing:?}");
}
