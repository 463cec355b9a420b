//! `interlock connector new`: writes a folder with a connector that works, for its author to change.
//!
//! It is the example of that language under another name, with the SDK's sources and the contract beside it, so that
//! nothing has to be fetched from us.

mod manifest;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::cli::failure::Usage;

/// The files of the SDKs and examples, by `build.rs`.
mod files {
    include!(concat!(env!("OUT_DIR"), "/templates.rs"));
}

/// What a connector can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Rust,
    /// Or TypeScript
    #[value(alias = "js")]
    Javascript,
    #[value(alias = "py")]
    Python,
}

/// Where the SDK is put in a connector's folder.
const SDK: &str = "sdk";
/// What the example is called, without its language. Its own name is only ever written out so.
const EXAMPLE: &str = "tiny";
/// A connector's name at most: that of the descriptor, in bytes.
const NAME_MAX_BYTES: usize = 63;

impl Language {
    /// The example's files, the SDK's, and what is not to be committed.
    fn parts(self) -> [&'static [(&'static str, &'static str)]; 3] {
        match self {
            Self::Rust => [files::RUST, files::RUST_SDK, &[(".gitignore", "/target\n")]],
            Self::Javascript => {
                [files::JAVASCRIPT, files::JAVASCRIPT_SDK, &[(".gitignore", "/node_modules\n/target\n")]]
            }
            Self::Python => {
                [files::PYTHON, files::PYTHON_SDK, &[(".gitignore", "/.venv\n/target\n__pycache__/\n.mypy_cache/\n")]]
            }
        }
    }

    /// As it stands in the example's name.
    fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Javascript => "javascript",
            Self::Python => "python",
        }
    }

    /// What has to be done before the first build.
    pub fn first(self) -> Option<&'static str> {
        match self {
            Self::Rust => None,
            Self::Javascript => Some("npm ci --ignore-scripts"),
            Self::Python => Some("python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt"),
        }
    }
}

/// Writes the connector `name` into `folder`, which must be empty or not there yet.
pub fn write(name: &str, language: Language, folder: &Path) -> anyhow::Result<()> {
    let is_name = name.len() <= NAME_MAX_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_name {
        let how = "take lower-case letters, digits and hyphens, beginning with a letter";
        return Err(Usage(format!("{name:?} cannot be a connector's name; {how}")).into());
    }
    // Where it is not there, or is no folder, making it says so.
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(Usage(format!("{} is not empty; name another folder with --folder", folder.display())).into());
    }
    for (path, text) in contents(name, language) {
        let path = folder.join(path);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("{} could not be written", path.display()))?;
    }
    Ok(())
}

/// Every file of the connector `name`.
fn contents(name: &str, language: Language) -> Vec<(PathBuf, String)> {
    let [example, sdk, ignored] = language.parts();
    let mut contents = Vec::new();
    for (path, text) in example {
        let mut text = renamed(text, name, language);
        if language == Language::Rust && *path == "Cargo.toml" {
            text.push_str(&manifest::workspace(&text, sdk));
        }
        contents.push((PathBuf::from(path), text));
    }
    contents.extend(
        sdk.iter()
            .filter(|(path, _)| is_used(path))
            .map(|(path, text)| (Path::new(SDK).join(path), (*text).to_owned())),
    );
    contents.extend(ignored.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())));
    contents
}

/// The SDK's own tests stay with us: they stand on what is in our folder alone.
fn is_used(path: &str) -> bool {
    !path.starts_with("tests/")
}

/// The example's text, as if it had always had that name.
fn renamed(text: &str, name: &str, language: Language) -> String {
    let example = format!("{EXAMPLE}-{}", language.word());
    let underscored = |name: &str| name.replace('-', "_");
    text.replace(&example, name)
        .replace(&underscored(&example), &underscored(name))
        .replace(&display(&example), &display(name))
}

/// `tiny-rust` for people: `Tiny Rust`.
fn display(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANGUAGES: [Language; 3] = [Language::Rust, Language::Javascript, Language::Python];

    #[test]
    fn nothing_of_the_example_is_left_but_its_code() {
        for language in LANGUAGES {
            let contents = contents("acme-pay", language);
            let own = contents.iter().filter(|(path, _)| !path.starts_with(SDK) && !path.starts_with("cassettes"));
            for (path, text) in own {
                assert!(!text.to_lowercase().contains(EXAMPLE), "{language:?}: {}", path.display());
            }
            let all = contents.iter().map(|(_, text)| text.as_str()).collect::<String>();
            assert!(all.contains("\"acme-pay\"") && all.contains("\"Acme Pay\""), "{language:?}");
        }
    }

    #[test]
    fn contract_and_cassettes_come_along() {
        for language in LANGUAGES {
            let contents = contents("acme", language);
            let has = |path: &str| contents.iter().any(|(found, _)| found == Path::new(path));
            assert!(has("sdk/wit/connector.wit") && has("README.md") && has(".gitignore"), "{language:?}");
            assert!(has("cassettes/authorize-captured.json"), "{language:?}");
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("work"), "of days").unwrap();
        let error = write("acme", Language::Python, folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("is not empty; name another folder with --folder"), "{error}");
        let error = write("Acme", Language::Python, Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("\"Acme\" cannot be a connector's name"), "{error}");
    }
}
