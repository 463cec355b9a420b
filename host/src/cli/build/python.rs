//! A connector in Python: its modules and an interpreter, made one component.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::super::progress;
use super::{
    Built, WORLD, Workshop,
    cache::{self, Key},
    tool::{self, Missing},
};

const TOOL: &str = "componentize-py";
/// The folder of the environment that has the tool, if not the connector's `.venv` or the active one.
const TOOLS_VARIABLE: &str = "INTERLOCK_PYTHON_TOOLS";
/// Folders that hold no sources: what tools leave behind. Hidden ones are none either.
const NO_SOURCES: [&str; 2] = ["__pycache__", "target"];
/// How deep sources may lie in folders. A link that leads back to where it stands ends here.
const DEPTH_MAX: usize = 16;

/// What we read of a pyproject.toml.
#[derive(Default, Deserialize)]
struct Project {
    #[serde(default)]
    tool: ToolTables,
}

#[derive(Default, Deserialize)]
struct ToolTables {
    #[serde(default)]
    interlock: Settings,
}

/// The table `tool.interlock`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The module with the contract's exports.
    module: String,
    /// Where modules are found, from the connector's folder.
    path: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { module: "component".to_owned(), path: vec![".".into(), "sdk".into()] }
    }
}

/// The tool, found.
struct Tools {
    program: PathBuf,
    version: String,
    /// The virtual environment that it is installed in, whose packages a connector may import.
    environment: Option<PathBuf>,
}

/// Builds the connector in `folder`, which is absolute.
pub fn component(folder: &Path) -> anyhow::Result<Built> {
    let settings = settings(folder)?;
    if settings.module == WORLD {
        bail!("pyproject.toml names the module `{WORLD}`, which is the contract's own name; call it another");
    }
    let tools = Tools::find(folder)?;
    let workshop = Workshop::open(folder)?;
    let component = tools.build(&settings, folder, &workshop)?;
    Ok(Built { component, target_folder: workshop.target_folder.clone() })
}

fn settings(folder: &Path) -> anyhow::Result<Settings> {
    let path = folder.join("pyproject.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))?;
    let project: Project = toml::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))?;
    Ok(project.tool.interlock)
}

impl Tools {
    fn find(folder: &Path) -> anyhow::Result<Self> {
        let environments = [Some(folder.join(".venv")), variable("VIRTUAL_ENV"), variable(TOOLS_VARIABLE)];
        let found = tool::find(TOOL, environments.into_iter().flatten().map(|environment| environment.join("bin")));
        if let Some(program) = found
            && let Some(version) = tool::version(&program)
        {
            let environment = program.ancestors().nth(2).filter(|folder| folder.join("pyvenv.cfg").is_file());
            return Ok(Self { version, environment: environment.map(Path::to_owned), program });
        }
        let mut missing = Missing::nothing("Python");
        // Without a list of its own, the folder gets the newest.
        let what =
            if folder.join("requirements.txt").is_file() { "--require-hashes -r requirements.txt" } else { TOOL };
        let how = format!(
            "in {}: python3 -m venv .venv && .venv/bin/pip install {what}; python3 with venv is in the system's \
             packages: python3, python3-venv",
            folder.display()
        );
        missing.add(TOOL, how);
        Err(missing.into())
    }

    fn build(&self, settings: &Settings, folder: &Path, workshop: &Workshop) -> anyhow::Result<Vec<u8>> {
        let paths: Vec<_> = settings.path.iter().map(|path| folder.join(path)).collect();
        let make = |out: &Path| {
            progress::step("making a component of it and a Python interpreter: half a minute, once for each change");
            let mut command = Command::new(&self.program);
            command.arg("--wit-path").arg(workshop.wit()).args(["--world", WORLD, "--quiet"]);
            command.args(["componentize", &settings.module, "--stub-wasi", "--output"]).arg(out);
            for path in &paths {
                command.arg("--python-path").arg(path);
            }
            if let Some(environment) = &self.environment {
                command.env("VIRTUAL_ENV", environment);
            }
            command.current_dir(&workshop.work);
            let failed = "no component came of it; does the module have the contract's exports?";
            tool::run(&mut command, "", failed)
        };
        let Some(environment) = &self.environment else {
            // Which packages it would find is not known, so neither is whether an earlier component is the same.
            let out = workshop.work.join("component");
            make(&out)?;
            return fs::read(&out).with_context(|| format!("{} could not be read", out.display()));
        };
        let mut key = Key::of("python");
        key.add("tool", self.version.as_bytes());
        key.add("module", settings.module.as_bytes());
        key.add("wit", workshop.contract.as_bytes());
        for package in packages(environment)? {
            key.add("package", package.as_bytes());
        }
        for path in &paths {
            key.add("path", b"");
            let added = add_sources(&mut key, path, Path::new(""), DEPTH_MAX);
            added.with_context(|| format!("the modules in {} could not be read", path.display()))?;
        }
        cache::get_or_build(&workshop.kept, key, make)
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from)
}

/// What is installed in a virtual environment, with versions: the names of pip's own notes.
fn packages(environment: &Path) -> anyhow::Result<Vec<String>> {
    let mut packages = Vec::new();
    let library = environment.join("lib");
    for python in names(&library).with_context(|| format!("{} could not be read", library.display()))? {
        // A folder of another kind has none.
        packages.extend(names(&library.join(python).join("site-packages")).unwrap_or_default());
    }
    packages.retain(|name| name.ends_with(".dist-info"));
    Ok(packages)
}

/// Adds the modules in `folder`, and in the folders in it, by their names below the first.
fn add_sources(key: &mut Key, folder: &Path, below: &Path, depth: usize) -> io::Result<()> {
    for name in names(folder)? {
        let (path, below) = (folder.join(&name), below.join(&name));
        if path.is_dir() {
            if depth > 0 && !name.starts_with('.') && !NO_SOURCES.contains(&name.as_str()) {
                add_sources(key, &path, &below, depth - 1)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "py") {
            key.add(&below.to_string_lossy(), &fs::read(&path)?);
        }
    }
    Ok(())
}

/// What is in a folder, in an order that is always the same.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names: io::Result<Vec<_>> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    let mut names = names?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(text: &str) -> anyhow::Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pyproject.toml"), text).unwrap();
        settings(folder.path())
    }

    #[test]
    fn settings_have_defaults_and_typos_are_named() {
        let defaults = settings_of("[project]\nname = \"acme\"\n").unwrap();
        assert_eq!((defaults.module.as_str(), defaults.path.len()), ("component", 2));
        let other = settings_of("[tool.interlock]\nmodule = \"acme\"\n[tool.mypy]\nstrict = true\n").unwrap();
        assert_eq!((other.module.as_str(), other.path.len()), ("acme", 2));
        let error = settings_of("[tool.interlock]\nmodul = \"acme\"\n").err().expect("a typo");
        assert!(format!("{error:#}").contains("unknown field `modul`"), "{error:#}");
    }

    #[test]
    fn a_module_cannot_have_the_contracts_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pyproject.toml"), "[tool.interlock]\nmodule = \"connector\"").unwrap();
        let error = component(folder.path()).err().expect("it cannot be built").to_string();
        assert!(error.contains("names the module `connector`"), "{error}");
    }

    #[test]
    fn a_change_of_any_module_is_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("package/__pycache__");
        fs::create_dir_all(&inner).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("package/back")).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        let key = || {
            let mut key = Key::of("test");
            add_sources(&mut key, folder.path(), Path::new(""), DEPTH_MAX).unwrap();
            key.name()
        };
        assert!(seen.insert(key()));
        fs::write(folder.path().join("package/a.py"), "x = 1").unwrap();
        assert!(seen.insert(key()));
        fs::write(folder.path().join("package/a.py"), "x = 2").unwrap();
        assert!(seen.insert(key()));
        fs::write(inner.join("a.py"), "left behind").unwrap();
        fs::write(folder.path().join("notes.txt"), "no module").unwrap();
        assert!(!seen.insert(key()));
    }
}
