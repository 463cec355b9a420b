//! Judges a component as a host would, without one: admission, and the conformance kit.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{admit, connector::describe, progress};
use crate::{
    conformance::{self, NotConforming, Report},
    connector::{Engine, EngineConfig, Named, Version, embed},
};

/// The folder of a connector's cassettes, beside its source.
const CASSETTES: &str = "cassettes";

/// A component that could be loaded, and what came of trying it out.
pub struct Checked {
    version: Arc<Version>,
    report: Report,
}

impl Checked {
    /// For programs.
    pub fn answer(&self) -> Value {
        let mut answer = describe(&self.version);
        if let Some(object) = answer.as_object_mut() {
            object.insert("conformance".into(), json!(self.report));
            object.insert("reach".into(), json!(self.reach()));
        }
        answer
    }

    /// What the component can reach, in sentences: what an operator will read.
    fn reach(&self) -> Vec<String> {
        self.version.report().map(|report| report.reach.clone()).unwrap_or_default()
    }

    /// For people.
    pub fn text(&self) -> String {
        let verdict = match self.report.verdict() {
            Ok(()) => "a host lets it in",
            Err(_) => "a host refuses it",
        };
        format!("{}\n\n{}\n{verdict}", self.reach().join("\n"), self.report)
    }

    /// An error where the connector breaks the contract.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let named = || format!("{} {} is refused", self.version.name(), self.version.version());
        self.report.verdict().map_err(|error: NotConforming| anyhow::Error::new(error).context(named()))
    }
}

/// Checks a component, with the cassettes of `folder` or else with its own.
pub fn check(component: &[u8], folder: Option<&Path>) -> anyhow::Result<Checked> {
    let engine = engine(None)?;
    let version = admit(&engine, component)?;
    progress::step("trying it out: seconds for Rust, a minute or two for JavaScript and Python");
    let report = match folder {
        None => conformance::check(&engine, &version, component)?,
        Some(folder) => conformance::check_with(&engine, &version, component.len(), &cassettes(folder)?)?,
    };
    Ok(Checked { version, report })
}

/// Judges as a host does, by a process with limits. With `images`, what it compiles is kept there for the next time. Nothing
/// of it gets to a host, so there is no secret to sign images with: who can write to the folder can change the tools as well.
pub fn engine(images: Option<PathBuf>) -> anyhow::Result<Engine> {
    let config = EngineConfig { cache_dir: images, admission: admit::by_own_program()?, ..EngineConfig::new([0; 32]) };
    Engine::new(config).context("the engine for connectors could not be built")
}

/// The very check that a host makes first; the kit comes after it, where its findings are printed.
pub fn admit(engine: &Engine, component: &[u8]) -> anyhow::Result<Arc<Version>> {
    Ok(engine.load(component)?)
}

/// The component with the cassettes of its connector's folder in it; as it is where there are none.
pub fn with_cassettes(component: &[u8], folder: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = folder.join(CASSETTES);
    if !folder.is_dir() {
        return Ok(component.to_vec());
    }
    embed(component, &cassettes(&folder)?)
        .with_context(|| format!("the cassettes of {} could not be put into the component", folder.display()))
}

/// Every `*.json` of a folder, by its file's name.
fn cassettes(folder: &Path) -> anyhow::Result<Vec<Named>> {
    let unreadable = || format!("the folder of cassettes, {}, cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(unreadable)?;
    let files: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = files.with_context(unreadable)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).with_context(|| format!("{} could not be read", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Named { name, text })
    };
    files.into_iter().map(read).collect()
}
