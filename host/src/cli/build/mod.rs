//! Builds a connector's folder into a component, whatever language it is written in.

mod cache;
mod javascript;
mod python;
mod rust;
mod tool;

use std::{
    env, fs,
    path::{self, Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The contract that this program speaks.
const WIT: &str = include_str!("../../../../wit/connector.wit");
/// Where a folder that `interlock connector new` made has the contract that its SDK speaks.
const SDK_WIT: &str = "sdk/wit/connector.wit";
/// What builds keep between them, in the target folder: components that were slow to build …
const KEPT: &str = "connector-build";
/// … and what was slow to compile for the check.
pub const IMAGES: &str = "connector-build/images";
/// The contract's world.
const WORLD: &str = "connector";

/// What came of a build.
pub struct Built {
    pub component: Vec<u8>,
    /// Where everything goes that a build leaves behind.
    pub target_folder: PathBuf,
}

/// What a connector can be written in, known by the file that every project in that language has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Rust,
    JavaScript,
    Python,
}

const MANIFESTS: [(&str, Language); 3] =
    [("Cargo.toml", Language::Rust), ("package.json", Language::JavaScript), ("pyproject.toml", Language::Python)];

/// Builds the connector in `folder`.
pub fn component(folder: &Path) -> anyhow::Result<Built> {
    match language(folder)? {
        Language::Rust => rust::component(folder),
        Language::JavaScript => javascript::component(&absolute(folder)?),
        Language::Python => python::component(&absolute(folder)?),
    }
}

fn language(folder: &Path) -> anyhow::Result<Language> {
    let found: Vec<_> = MANIFESTS.into_iter().filter(|(manifest, _)| folder.join(manifest).is_file()).collect();
    match *found.as_slice() {
        [(_, language)] => Ok(language),
        [] => bail!(
            "{} is no connector's folder: it has no Cargo.toml (Rust), package.json (JavaScript) or pyproject.toml \
             (Python)",
            folder.display()
        ),
        [(first, _), (second, _), ..] => {
            bail!("{} has {first} and {second}; a connector is written in one language", folder.display())
        }
    }
}

fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))
}

/// Where a build works and keeps things, for languages whose tools have no such place. What is only for this build goes
/// away with it.
struct Workshop {
    /// Where everything goes that a build leaves behind: the same place that cargo would take.
    target_folder: PathBuf,
    /// Components of earlier builds.
    kept: PathBuf,
    /// This build's own folder. It has the contract in the file [`Workshop::wit`].
    work: PathBuf,
    /// The contract to build against: that of the folder's SDK, or where it has none, this program's own.
    contract: String,
}

impl Workshop {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let sdk_wit = folder.join(SDK_WIT);
        let contract = if sdk_wit.is_file() {
            fs::read_to_string(&sdk_wit).with_context(|| format!("{} could not be read", sdk_wit.display()))?
        } else {
            WIT.to_owned()
        };
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
        let target_folder = path::absolute(&target).with_context(|| format!("{} is no folder", target.display()))?;
        let kept = target_folder.join(KEPT);
        let work = kept.join(format!("work-{}", std::process::id()));
        let workshop = Self { target_folder, kept, work, contract };
        fs::create_dir_all(&workshop.work)
            .and_then(|()| fs::write(workshop.wit(), &workshop.contract))
            .with_context(|| format!("{} could not be written to", workshop.work.display()))?;
        // As below.
        let _ = cache::forget_old(&workshop.target_folder.join(IMAGES), "image");
        Ok(workshop)
    }

    fn wit(&self) -> PathBuf {
        self.work.join("connector.wit")
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What cannot be tidied up takes room, and nothing else.
        let _ = fs::remove_dir_all(&self.work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_known_by_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let error = language(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has no Cargo.toml (Rust), package.json (JavaScript) or pyproject.toml"), "{error}");
        for (manifest, expected) in MANIFESTS {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(manifest), "").unwrap();
            assert_eq!(language(folder.path()).unwrap(), expected);
        }
        fs::write(folder.path().join("package.json"), "{}").unwrap();
        fs::write(folder.path().join("pyproject.toml"), "").unwrap();
        let error = language(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("has package.json and pyproject.toml; a connector is written in one language"));
    }
}
