//! The tools of other languages: where they are, what is missing, and what they say when they fail.

use std::{
    env, fmt,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// How much of a tool's output an error repeats, in bytes: its end, where the reason stands.
const SAID_MAX_BYTES: usize = 8 << 10;

/// Everything that is missing for a build, and how it is installed.
#[derive(Debug)]
pub struct Missing {
    language: &'static str,
    /// What, and how.
    things: Vec<(String, String)>,
}

impl Missing {
    /// Nothing, so far, of what `language` needs.
    pub fn nothing(language: &'static str) -> Self {
        Self { language, things: Vec::new() }
    }

    /// Notes that something is missing.
    pub fn add(&mut self, what: impl Into<String>, how: impl Into<String>) {
        self.things.push((what.into(), how.into()));
    }

    /// Whether all is there.
    pub fn is_nothing(&self) -> bool {
        self.things.is_empty()
    }
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a connector in {} cannot be built here:", self.language)?;
        for (at, (what, how)) in self.things.iter().enumerate() {
            let comma = if at == 0 { "" } else { ";" };
            write!(f, "{comma} {what} is missing ({how})")?;
        }
        Ok(())
    }
}

/// The program of that name in one of `folders`, or where the shell would find it.
pub fn find(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let shells: Vec<_> = env::split_paths(&path).collect();
    folders.into_iter().chain(shells).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The first line that `program --version` prints; none where it does not run.
pub fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(|line| line.trim().to_owned())
}

/// Runs a tool to its end, with `input` to read. Where it fails, the error has what it said.
pub fn run(command: &mut Command, input: &str, what: &str) -> anyhow::Result<()> {
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} could not be started"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // One that does not read to the end says by itself what is wrong.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("{program} was lost"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(said.get(said.len().saturating_sub(SAID_MAX_BYTES)..).unwrap_or_default());
    bail!("{what} ({}):\n{}", output.status, said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let mut missing = Missing::nothing("Latin");
        assert!(missing.is_nothing());
        missing.add("a grammar", "borrow one");
        missing.add("a stylus", "cut a reed");
        assert!(!missing.is_nothing());
        assert_eq!(
            missing.to_string(),
            "a connector in Latin cannot be built here: a grammar is missing (borrow one); a stylus is missing (cut a \
             reed)"
        );
    }

    #[test]
    fn a_tool_that_fails_is_quoted() {
        let error = run(Command::new("sh").args(["-c", "cat >&2; exit 3"]), "because", "it broke").unwrap_err();
        assert_eq!(error.to_string(), "it broke (exit status: 3):\nbecause");
        assert!(run(&mut Command::new("true"), "", "it broke").is_ok());
    }
}
