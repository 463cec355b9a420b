//! A connector in Rust: has cargo build its crate, finds what came out, and makes it a component.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::Built;

/// What connectors are compiled for: no WASI, so that there is nothing to be refused for.
const TARGET: &str = "wasm32-unknown-unknown";
/// Small, with names in its traces; defined in the workspace's manifest. A crate of somebody else's workspace has no such
/// profile, and gets that of a release.
const PROFILE: &str = "connector";
const PROFILE_SETTING: &str = "profile.connector.inherits=\"release\"";

/// A core module, not yet a component.
struct CoreModule {
    path: PathBuf,
    /// Cargo's target folder.
    target_folder: PathBuf,
}

/// Builds the crate in `crate_dir`.
pub fn component(crate_dir: &Path) -> anyhow::Result<Built> {
    let module = core_module(crate_dir)?;
    let bytes = std::fs::read(&module.path).with_context(|| format!("{} could not be read", module.path.display()))?;
    let component = crate::connector::wrap(&bytes)
        .with_context(|| format!("{} is no connector; does it call `export_connector!`?", module.path.display()))?;
    Ok(Built { component, target_folder: module.target_folder })
}

/// Has cargo build, which shows its progress by itself.
fn core_module(crate_dir: &Path) -> anyhow::Result<CoreModule> {
    let manifest = crate_dir.join("Cargo.toml");
    let manifest = manifest
        .canonicalize()
        .with_context(|| format!("{} is not there; name the folder of a crate", manifest.display()))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .args(["build", "--lib", "--profile", PROFILE, "--config", PROFILE_SETTING, "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&manifest)
        // Cargo reads its own settings (flags for this target) from the folder it runs in and those above it.
        .current_dir(crate_dir)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started; is Rust installed?")?;
    ensure!(
        output.status.success(),
        "{} was not built; if `core` or `std` was not found, `rustup target add {TARGET}` (or `make setup`) installs it",
        crate_dir.display()
    );
    let Some(path) = module_of(&String::from_utf8_lossy(&output.stdout), &manifest) else {
        bail!("{} makes no module; its Cargo.toml needs [lib] with crate-type = [\"cdylib\"]", crate_dir.display());
    };
    // target / wasm32-unknown-unknown / connector / name.wasm
    let target_folder = path.ancestors().nth(3).map(Path::to_owned).unwrap_or_default();
    Ok(CoreModule { path, target_folder })
}

/// The module among cargo's messages, one JSON document per line: the library of that very manifest.
fn module_of(messages: &str, manifest: &Path) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_ours = message.get("reason")? == "compiler-artifact"
            && message.get("manifest_path")?.as_str().map(Path::new)? == manifest;
        let files = message.get("filenames")?.as_array()?;
        files
            .iter()
            .filter_map(Value::as_str)
            .map(PathBuf::from)
            .find(|file| is_ours && file.extension().is_some_and(|extension| extension == "wasm"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_crate_and_not_of_what_it_uses() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/a/dep/Cargo.toml","filenames":["/t/w/connector/dep.wasm"]}"#,
            "\n",
            r#"{"reason":"build-script-executed"}"#,
            "\nno JSON\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/t/w/connector/liba.rlib","/t/w/connector/a.wasm"]}"#,
        );
        let found = module_of(messages, Path::new("/a/Cargo.toml"));
        assert_eq!(found.as_deref(), Some(Path::new("/t/w/connector/a.wasm")));
        assert_eq!(module_of(messages, Path::new("/b/Cargo.toml")), None);
    }

    #[test]
    fn a_folder_without_a_crate_is_named() {
        let error = core_module(Path::new("/nowhere")).err().expect("there is none").to_string();
        assert_eq!(error, "/nowhere/Cargo.toml is not there; name the folder of a crate");
    }
}
