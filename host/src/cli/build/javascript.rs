//! A connector in JavaScript or TypeScript: bundled into one module, and made a component together with an engine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::super::progress;
use super::{
    Built, Workshop,
    cache::{self, Key},
    tool::{self, Missing},
};

/// What Node.js is to do.
const SCRIPT: &str = include_str!("../../../../connectors/sdk-js/build.js");
/// The oldest Node.js that the tools run on.
const NODE_MAJOR_MIN: u32 = 18;
/// The packages that the script imports. The last one is what makes the component.
const PACKAGES: [&str; 2] = ["esbuild", COMPONENTIZE];
const COMPONENTIZE: &str = "@bytecodealliance/componentize-js";
/// Where the packages are installed if not in the connector's folder or above it.
const TOOLS_VARIABLE: &str = "INTERLOCK_JAVASCRIPT_TOOLS";

/// What we read of a package.json.
#[derive(Deserialize)]
struct Package {
    main: Option<String>,
    version: Option<String>,
}

/// What is needed, found.
struct Tools {
    node: PathBuf,
    /// The folder that has `node_modules`.
    folder: PathBuf,
}

/// Builds the connector in `folder`, which is absolute.
pub fn component(folder: &Path) -> anyhow::Result<Built> {
    let main = package(folder)?.main.with_context(|| {
        format!("{}/package.json has no `main`; name the module with the contract's exports there", folder.display())
    })?;
    let main = folder.join(main);
    ensure!(main.is_file(), "{} is not there; package.json names it as `main`", main.display());
    let tools = Tools::find(folder)?;
    let workshop = Workshop::open(folder)?;
    let component = tools.build(&main, &workshop)?;
    Ok(Built { component, target_folder: workshop.target_folder.clone() })
}

fn package(folder: &Path) -> anyhow::Result<Package> {
    let path = folder.join("package.json");
    let text = fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no package.json", path.display()))
}

impl Tools {
    fn find(folder: &Path) -> anyhow::Result<Self> {
        let mut missing = Missing::nothing("JavaScript");
        let node = tool::find("node", []);
        match node.as_deref().and_then(tool::version) {
            Some(version) if major(&version).is_some_and(|major| major >= NODE_MAJOR_MIN) => {}
            Some(version) => missing.add(
                format!("Node.js {NODE_MAJOR_MIN} or newer"),
                format!("this one is {version}; https://nodejs.org/en/download"),
            ),
            None => missing.add(
                format!("Node.js {NODE_MAJOR_MIN} or newer"),
                "https://nodejs.org/en/download, or with the system's packages: nodejs, npm",
            ),
        }
        let places = folder.ancestors().map(Path::to_owned).chain(env::var_os(TOOLS_VARIABLE).map(PathBuf::from));
        let has = |place: &Path, name: &str| place.join("node_modules").join(name).join("package.json").is_file();
        let tools = places.into_iter().find(|place| PACKAGES.iter().all(|name| has(place, name)));
        if tools.is_none() {
            // `npm ci` installs what a lock file says, and needs one.
            let is_locked = folder.join("package-lock.json").is_file();
            let names = PACKAGES.join(" ");
            let install = if is_locked { "npm ci".to_owned() } else { format!("npm install --save-dev {names}") };
            let how = format!("in {}: {install} --ignore-scripts", folder.display());
            missing.add(format!("{} or {}", PACKAGES[0], PACKAGES[1]), how);
        }
        match (node, tools) {
            (Some(node), Some(folder)) if missing.is_nothing() => Ok(Self { node, folder }),
            _ => Err(missing.into()),
        }
    }

    fn build(&self, main: &Path, workshop: &Workshop) -> anyhow::Result<Vec<u8>> {
        let bundle = workshop.work.join("connector.js");
        self.run(&["bundle".as_ref(), main, &bundle], &format!("{} could not be bundled", main.display()))?;
        let source = fs::read(&bundle).with_context(|| format!("{} could not be read", bundle.display()))?;
        let mut key = Key::of("javascript");
        key.add("script", SCRIPT.as_bytes());
        key.add("bundle", &source);
        key.add("wit", workshop.contract.as_bytes());
        let tool = package(&self.folder.join("node_modules").join(COMPONENTIZE))?;
        key.add("tool", tool.version.unwrap_or_default().as_bytes());
        cache::get_or_build(&workshop.kept, key, |out| {
            progress::step("making a component of it and a JavaScript engine: half a minute, once for each change");
            let failed = "no component came of it; does `main` export the contract's interfaces?";
            self.run(&["component".as_ref(), &bundle, &workshop.wit(), out], failed)
        })
    }

    /// Has Node.js run the script. It comes by standard input, so that what it imports is looked for where it runs.
    fn run(&self, arguments: &[&Path], failed: &str) -> anyhow::Result<()> {
        let mut command = Command::new(&self.node);
        command.args(["--input-type=module", "-"]).args(arguments).current_dir(&self.folder);
        tool::run(&mut command, SCRIPT, failed)
    }
}

/// 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("20"), None);
    }

    #[test]
    fn a_folder_without_a_main_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = |json: &str| {
            fs::write(folder.path().join("package.json"), json).unwrap();
            component(folder.path()).err().expect("it cannot be built").to_string()
        };
        assert!(error("{}").ends_with("has no `main`; name the module with the contract's exports there"));
        assert!(error(r#"{"main":"component.js"}"#).ends_with("is not there; package.json names it as `main`"));
        assert!(error("{").ends_with("is no package.json"));
    }
}
