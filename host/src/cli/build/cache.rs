//! Components that took long to build, kept by all that went into them.
//!
//! A JavaScript or Python engine takes half a minute to be made a component. The same sources, contract and tools make
//! the same connector, so one that was built is taken again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context as _;
use aws_lc_rs::digest::{Context as Hash, SHA256};

use crate::connector::hex;

/// How many components are kept, and how many compiled images of them: some branches' worth. One has 12 to 40 MB.
const KEPT_MAX: usize = 16;
const EXTENSION: &str = "wasm";

/// All that goes into a component, as one name.
pub struct Key(Hash);

impl Key {
    /// Begins with the way in which it is built.
    pub fn of(way: &str) -> Self {
        let mut key = Self(Hash::new(&SHA256));
        key.add("way", way.as_bytes());
        key
    }

    /// Adds an input. Names and lengths go in too, so that no two lists of inputs have the same key.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        for part in [name.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    /// Its name, in hexadecimal.
    pub fn name(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

/// The component of that key from `folder`, or what `build` writes to the path that it is given.
pub fn get_or_build(
    folder: &Path,
    key: Key,
    build: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    let kept = folder.join(key.name()).with_extension(EXTENSION);
    if let Ok(component) = fs::read(&kept) {
        return Ok(component);
    }
    let unfinished = folder.join(format!("unfinished-{}", std::process::id()));
    build(&unfinished)?;
    let component =
        fs::read(&unfinished).with_context(|| format!("the tool did not write {}", unfinished.display()))?;
    // Whole or not at all: another build may be looking.
    fs::rename(&unfinished, &kept).with_context(|| format!("{} could not be written", kept.display()))?;
    // What cannot be tidied up takes room, and nothing else.
    let _ = forget_old(folder, EXTENSION);
    Ok(component)
}

/// Removes all but the newest files of that extension.
pub fn forget_old(folder: &Path, extension: &str) -> io::Result<()> {
    let mut kept: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            kept.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    kept.sort();
    let surplus = kept.len().saturating_sub(KEPT_MAX);
    kept.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(inputs: &[(&str, &str)]) -> Key {
        let mut key = Key::of("test");
        for (name, text) in inputs {
            key.add(name, text.as_bytes());
        }
        key
    }

    #[test]
    fn no_two_lists_of_inputs_have_the_same_key() {
        let lists: [&[(&str, &str)]; 4] = [&[], &[("a", "bc")], &[("ab", "c")], &[("a", "b"), ("", "c")]];
        let names: std::collections::BTreeSet<_> = lists.iter().map(|inputs| key(inputs).name()).collect();
        assert_eq!(names.len(), lists.len());
    }

    #[test]
    fn what_was_built_is_not_built_again() {
        let folder = tempfile::tempdir().unwrap();
        let write = |out: &Path| Ok(fs::write(out, "component")?);
        assert_eq!(get_or_build(folder.path(), key(&[]), write).unwrap(), b"component");
        let again = get_or_build(folder.path(), key(&[]), |_| panic!("it is there")).unwrap();
        assert_eq!(again, b"component");
        let other = get_or_build(folder.path(), key(&[("a", "b")]), |out| Ok(fs::write(out, "other")?)).unwrap();
        assert_eq!(other, b"other");
    }

    #[test]
    fn a_build_that_fails_leaves_nothing_to_be_taken() {
        let folder = tempfile::tempdir().unwrap();
        let fails = get_or_build(folder.path(), key(&[]), |out| {
            fs::write(out, "half")?;
            anyhow::bail!("no more room")
        });
        assert_eq!(fails.unwrap_err().to_string(), "no more room");
        assert_eq!(get_or_build(folder.path(), key(&[]), |out| Ok(fs::write(out, "whole")?)).unwrap(), b"whole");
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..KEPT_MAX + 3 {
            get_or_build(folder.path(), key(&[("n", &n.to_string())]), |out| Ok(fs::write(out, "x")?)).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT_MAX);
    }
}
