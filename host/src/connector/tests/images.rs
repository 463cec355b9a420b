//! Compiled images: only this host's own are loaded.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use super::{
    admitted, cancel, config, context,
    fixture::{ASK_NEVER, ASK_ONCE, performing},
};
use crate::connector::{Engine, EngineConfig, Step, Version, digest_of, hex, types::Outcome};

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
    // A file that is written anew is another file.
    let written = fs::metadata(path).unwrap().ino();
    let engine = cached(&folder, [7; 32]);
    let version = admitted(&engine, &component);
    assert!(works(&engine, &version));
    assert_eq!(fs::metadata(path).unwrap().ino(), written, "it was not compiled again");
}

/// What nobody has loaded for long goes, and so does what was never finished; what is loaded stays.
#[test]
#[expect(clippy::disallowed_methods, reason = "times of files are this machine's")]
fn what_nobody_wants_any_more_is_swept() {
    let dir = TempDir::new().unwrap();
    let (wanted, unwanted) = (performing(ASK_NEVER), performing(ASK_ONCE));
    for component in [&wanted, &unwanted] {
        admitted(&cached(dir.path(), [7; 32]), component);
    }
    let ago = |days: u64| SystemTime::now() - Duration::from_hours(24 * days);
    let age = |path: &Path, written: u64, read: u64| {
        let times = fs::FileTimes::new().set_modified(ago(written)).set_accessed(ago(read));
        fs::File::options().append(true).open(path).unwrap().set_times(times).unwrap();
    };
    fs::write(dir.path().join("begun.1-1.draft"), "half of it").unwrap();
    fs::write(dir.path().join("notes.txt"), "a person's").unwrap();
    let kinds = || -> Vec<String> {
        let kind = |path: &std::path::PathBuf| path.extension().unwrap().to_string_lossy().into_owned();
        let mut kinds: Vec<_> = images(dir.path()).iter().map(kind).collect();
        kinds.sort();
        kinds
    };
    cached(dir.path(), [7; 32]);
    assert_eq!(kinds(), ["draft", "image", "image", "txt"], "all of them are new");
    for path in images(dir.path()) {
        let is_wanted = path.to_string_lossy().contains(&hex(&digest_of(&wanted)));
        age(&path, 61, if is_wanted { 59 } else { 61 });
    }
    let engine = cached(dir.path(), [7; 32]);
    assert_eq!(kinds(), ["image", "txt"]);
    assert!(works(&engine, &admitted(&engine, &wanted)));
}

/// Whatever else stands in the file is not loaded, and replaced by an image that is ours.
#[test]
fn an_image_that_is_not_ours_is_compiled_again() {
    let dir = TempDir::new().unwrap();
    let component = performing(ASK_NEVER);
    admitted(&cached(dir.path(), [7; 32]), &component);
    let path = images(dir.path()).remove(0);
    let good = fs::read(&path).unwrap();
    let mut verdict = good.clone();
    // In the descriptor: `fixture` by another name.
    let at = good.windows(7).position(|part| part == b"fixture").unwrap();
    verdict[at] = b'F';
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
        ("changed verdict", verdict),
        ("changed code", flipped),
        ("changed tag", tag),
        ("code without a tag", good[48..].to_vec()),
    ] {
        fs::write(&path, bad).unwrap();
        let engine = cached(dir.path(), [7; 32]);
        assert!(engine.cached(&digest_of(&component)).is_none(), "{what}");
        let version = admitted(&engine, &component);
        assert!(works(&engine, &version), "{what}");
        let again = cached(dir.path(), [7; 32]);
        let kept = again.cached(version.digest());
        assert!(kept.is_some_and(|version| works(&again, &version)), "{what}: replaced");
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

/// What was judged once is taken from its image without a look at the component, report and all.
#[test]
fn an_image_is_enough_to_load_a_version() {
    let dir = TempDir::new().unwrap();
    let component = performing(ASK_NEVER);
    let judged = admitted(&cached(dir.path(), [7; 32]), &component);
    let engine = cached(dir.path(), [7; 32]);
    let version = engine.cached(&digest_of(&component)).expect("it was kept");
    assert!(works(&engine, &version));
    assert_eq!(version.descriptor(), judged.descriptor());
    assert_eq!(version.report(), judged.report());
    assert!(engine.cached(&[0; 32]).is_none() && cached(dir.path(), [8; 32]).cached(judged.digest()).is_none());
}
