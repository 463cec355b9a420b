//! The gateway simulator as a child of `dev`.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::{child::Guarded, kept::KeptSimulator};

/// It has nothing to do before it listens.
const START_MAX: Duration = Duration::from_secs(10);

/// A running simulator. Dropped, it is stopped.
pub struct Simulator {
    child: Guarded,
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub url: String,
    log: PathBuf,
}

impl Simulator {
    /// Starts the program beside ours, at the port that it had before; at another one where that is taken now.
    pub fn start(home: &Path, kept: &KeptSimulator) -> anyhow::Result<Self> {
        let ours = std::env::current_exe().context("our own program has a path")?;
        let program = ours.with_file_name("interlock-simulator");
        if !program.is_file() {
            bail!("the gateway simulator is not at {}; `make build` puts it there", program.display());
        }
        let log = home.join("simulator.log");
        match kept.port.map(|port| Self::listen(&program, port, &log)) {
            Some(Ok(simulator)) => Ok(simulator),
            // Whatever kept it from that port, another one shows whether it was the port.
            Some(Err(_)) | None => Self::listen(&program, 0, &log),
        }
    }

    /// Why it runs no more, if it does not.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.ended()?;
        Some(format!("the gateway simulator ended ({status}); its log is {}", self.log.display()))
    }

    fn listen(program: &Path, port: u16, log: &Path) -> anyhow::Result<Self> {
        let stderr = File::create(log).with_context(|| format!("{} could not be written", log.display()))?;
        let mut command = Command::new(program);
        // It takes any key: accounts at its faces have keys of these gateways' own making.
        command.args(["--addr", &format!("127.0.0.1:{port}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = Guarded::start("the gateway simulator", &mut command)?;
        let stdout = child.take_stdout().context("its output is a pipe")?;
        let (tell, told) = mpsc::channel();
        // Reads on for as long as it prints: a program whose output nobody reads stands still at some point.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Only the first line is waited for.
                let _ = tell.send(line);
            }
        });
        let url = told.recv_timeout(START_MAX).ok().as_deref().and_then(url_of);
        let Some(url) = url else {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            bail!("the gateway simulator did not start: {}", said.trim());
        };
        Ok(Self { child, url, log: log.to_owned() })
    }
}

/// The address in `{"event":"ready","url":"http://…"}`.
fn url_of(line: &str) -> Option<String> {
    let ready: serde_json::Value = serde_json::from_str(line).ok()?;
    (ready.get("event")? == "ready").then(|| ready.get("url")?.as_str().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_address() {
        assert_eq!(url_of(r#"{"event":"ready","url":"http://127.0.0.1:4"}"#).as_deref(), Some("http://127.0.0.1:4"));
        for line in ["", "listening", r#"{"event":"other","url":"http://x"}"#, r#"{"event":"ready"}"#] {
            assert_eq!(url_of(line), None, "{line}");
        }
    }

    /// A stand-in for the program, so that this test needs nothing that is built elsewhere.
    #[test]
    fn what_does_not_start_says_what_it_said() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let error = Simulator::listen(Path::new("/bin/ls"), 0, &home.path().join("log"));
        let error = error.err().expect("ls is no simulator").to_string();
        assert!(error.starts_with("the gateway simulator did not start: ") && error.contains("--addr"), "{error}");
    }
}
