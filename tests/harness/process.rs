//! A program of ours as a child: started, its ready line read, its log kept, signals sent.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// How long a program may take until it is ready: the first host of a run compiles the components.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long a program may take to end.
const END_MAX: Duration = Duration::from_mins(1);
/// How often it is looked whether a program that was stopped stands still.
const STANDS_STILL_POLL: Duration = Duration::from_millis(1);
/// Lines of a log that a failed test shows.
const LOG_LINES: usize = 80;

/// A running program. Dropped, it is killed.
pub struct Process {
    child: Child,
    /// What its ready line said.
    pub ready: Value,
    pub log: PathBuf,
}

impl Process {
    /// Starts `program` of this build and waits for its ready line; panics with its log where that does not come.
    pub async fn start<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        program: &str,
        arguments: &[String],
        environment: impl IntoIterator<Item = (K, V)>,
        log: PathBuf,
    ) -> Self {
        let file = File::options().create(true).append(true).open(&log).expect("the log's folder is there");
        let mut command = Command::new(programs().join(program));
        // What the person who runs the tests has set for a host of their own is not for ours.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("INTERLOCK_") || name.starts_with("PG") || name == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} could not be started: {error}; run `make test`"));
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let Ok(line) = tokio::time::timeout(READY_MAX, lines.next_line()).await else {
            panic!("{program} was not ready after {} s\n{}", READY_MAX.as_secs(), tail(&log))
        };
        let Ok(Some(line)) = line else { panic!("{program} ended before it was ready\n{}", tail(&log)) };
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{program} printed `{line}`, which is no ready line: {error}"));
        // Whatever else it prints is nobody's; a full pipe must not stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, ready, log }
    }

    /// A URL of its ready line.
    pub fn url(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no `{name}` in the ready line {}", self.ready)).to_owned()
    }

    /// Sends `signal`; nothing where it has ended already.
    pub fn signal(&self, signal: Signal) {
        // Not reaped yet, so the number is still its own.
        let _ = self.pid().map(|pid| kill_process(pid, signal));
    }

    /// Stops it, and returns when all of its threads stand still: where there is much to do, they run on for a while after
    /// the signal was sent.
    ///
    /// # Panics
    /// Where it does not stand still within some seconds.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let Some(pid) = self.pid() else { return };
        let told = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let since = Instant::now();
        while let Ok(None) = waitid(WaitId::Pid(pid), told) {
            assert!(since.elapsed() < END_MAX, "it does not stand still\n{}", tail(&self.log));
            thread::sleep(STANDS_STILL_POLL);
        }
    }

    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(END_MAX, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it did not end within {} s\n{}", END_MAX.as_secs(), tail(&self.log)))
            .expect("a child can be waited for")
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

/// The last lines of a log, for a person.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n");
    format!("--- end of {} ---\n{shown}\n---", log.display())
}

/// The folder in which this build's programs are: that of the test itself, or one above it.
pub fn programs() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a file");
    own.ancestors().skip(1).find(|folder| folder.join("interlock").is_file()).map_or_else(
        || panic!("the program `interlock` is not built beside {}; run `make test`", own.display()),
        Path::to_owned,
    )
}

/// `target/NAME`, beside the folder of the programs.
pub fn target(name: &str) -> PathBuf {
    programs().parent().expect("target/debug has a parent").join(name)
}

/// A folder with these connectors alone: a host admits and compiles everything that it finds there, and most worlds need
/// one. Links, so that a connector that was built again is the one that is found.
pub fn connectors(names: &[&str]) -> PathBuf {
    let folder = target("connectors-of").join(names.join("-"));
    fs::create_dir_all(&folder).expect("the folder of the build can be written to");
    for file in names.iter().map(|name| format!("{name}.wasm")) {
        match symlink(Path::new("../../connectors").join(&file), folder.join(&file)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => panic!("{file} could not be linked: {error}"),
            Ok(()) | Err(_) => {}
        }
    }
    folder
}
