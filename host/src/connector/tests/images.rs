//! Compiled images: only this host's own are loaded.

use std::{fs, path::Path, sync::Arc};

use tempfile::TempDir;

use super::{
    admitted, cancel, config, context,
    fixture::{ASK_NEVER, ASK_ONCE, performing},
};
use crate::connector::{Engine, EngineConfig, Step, Version, types::Outcome};

fn cached(dir: &Path, image_key: [u8; 32]) -> Engine {
    Engine::new(EngineConfig { cache_dir: Some(dir.to_owned()), image_key, ..config() }).unwrap()
}

fn images(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn works(engine: &Engine, version: &Version) -> bool {
    let step = engine.perform_here(version, &context(), &cancel(), Arc::default()).unwrap();
    step == Step::Done(Outcome::NotProcessed(None))
}

/// An image is written once and loaded from then on.
#[test]
fn an_image_is_kept_and_used() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("a/b");
    let component = performing(ASK_NEVER);
    admitted(&cached(&folder, [7; 32]), &component);
    let [path] = &images(&folder)[..] else { panic!("one image, and no draft left over") };
    assert!(path.extension().is_some_and(|extension| extension == "image"));
    let written = fs::metadata(path).unwrap().modified().unwrap();
    let engine = cached(&folder, [7; 32]);
    let version = admitted(&engine, &component);
    assert!(works(&engine, &version));
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), written, "it was not compiled again");
}

/// Whatever else stands in the file is not loaded, and replaced by an image that is ours.
#[test]
fn an_image_that_is_not_ours_is_compiled_again() {
    let dir = TempDir::new().unwrap();
    let component = performing(ASK_NEVER);
    admitted(&cached(dir.path(), [7; 32]), &component);
    let path = images(dir.path()).remove(0);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    let last = flipped.len() - 100;
    flipped[last] ^= 1;
    let mut tag = good.clone();
    tag[20] ^= 1;
    for (what, bad) in [
        ("garbage", vec![0xaa; 5000]),
        ("empty", vec![]),
        ("torn", good[..good.len() / 2].to_vec()),
        ("longer", [&good[..], b"x"].concat()),
        ("changed code", flipped),
        ("changed tag", tag),
        ("code without a tag", good[48..].to_vec()),
    ] {
        fs::write(&path, bad).unwrap();
        let engine = cached(dir.path(), [7; 32]);
        assert!(works(&engine, &admitted(&engine, &component)), "{what}");
        assert_eq!(fs::read(&path).unwrap(), good, "{what}: replaced");
    }
}

#[test]
fn an_image_under_another_key_is_not_loaded() {
    let dir = TempDir::new().unwrap();
    let component = performing(ASK_NEVER);
    admitted(&cached(dir.path(), [7; 32]), &component);
    let path = images(dir.path()).remove(0);
    let theirs = fs::read(&path).unwrap();
    admitted(&cached(dir.path(), [8; 32]), &component);
    assert_ne!(fs::read(&path).unwrap(), theirs);
}

/// The image of one component, put in the place of another's, is not loaded for it.
#[test]
fn an_image_is_loaded_for_its_own_component_only() {
    let dir = TempDir::new().unwrap();
    let (never, once) = (performing(ASK_NEVER), performing(ASK_ONCE));
    admitted(&cached(dir.path(), [7; 32]), &never);
    let first = images(dir.path()).remove(0);
    admitted(&cached(dir.path(), [7; 32]), &once);
    let second = images(dir.path()).into_iter().find(|path| *path != first).unwrap();
    fs::copy(&first, &second).unwrap();
    let engine = cached(dir.path(), [7; 32]);
    assert!(!works(&engine, &admitted(&engine, &once)), "it asks, as its own code does");
}

/// A cache that cannot be written to costs time, not components.
#[test]
fn without_room_for_images_components_are_let_in_all_the_same() {
    let dir = TempDir::new().unwrap();
    let engine = cached(dir.path(), [7; 32]);
    fs::remove_dir(dir.path()).unwrap();
    assert!(works(&engine, &admitted(&engine, &performing(ASK_NEVER))));
}
