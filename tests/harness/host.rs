//! A host as a process: `interlock serve`, which a test may kill, stop, freeze and start again.

use std::{path::PathBuf, process::ExitStatus};

use interlock::{
    connector::{Engine, EngineConfig},
    vault::{MasterKey, Vault},
};
use rustix::process::Signal;

use super::process::{Process, target};

/// What operators of a test sign in with.
pub const OPERATOR_TOKEN: &str = "operator-token-of-the-tests-c0ffee";
/// 32 bytes; the same for all tests, because compiled images are sealed under it and shared between them.
pub const MASTER_KEY: &str = "dGVzdHMgc2hhcmUgdGhpcyBrZXksIG5vYm9keSBlbHM=";

/// An engine that shares the hosts' compiled images: what it has admitted, they need not compile any more. A JavaScript
/// or Python engine takes half a minute, longer than a client waits.
#[must_use]
pub fn engine() -> Engine {
    let master = MasterKey::from_base64(MASTER_KEY).expect("hosts take it");
    let key = Vault::new(master, Vec::new()).image_key();
    let config = EngineConfig { cache_dir: Some(image_cache()), ..EngineConfig::new(*key) };
    Engine::new(config).expect("hosts have one too")
}

/// Where hosts of tests keep compiled images.
#[must_use]
pub fn image_cache() -> PathBuf {
    target("test-cache")
}

/// One host. Its environment stays the same over restarts, its addresses do not.
pub struct Host {
    environment: Vec<(String, String)>,
    process: Process,
    /// Where merchants call.
    pub public: String,
    /// Where operators call.
    pub operator: String,
}

impl Host {
    /// Starts one and waits until it is ready. Later entries of the environment win.
    pub async fn start(environment: Vec<(String, String)>, log: PathBuf) -> Self {
        let process = launch(&environment, &[], log).await;
        Self { public: process.url("public"), operator: process.url("operator"), environment, process }
    }

    /// `kill -9`: nothing is flushed, nothing is closed.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.ended().await;
    }

    /// SIGTERM: drains. Returns how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.ended().await
    }

    /// Waits until it ends by itself, as at a fault point.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// SIGSTOP: it stands still from now on, and its leases run out.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// SIGCONT: it goes on and believes that no time has passed.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Starts it again with the same settings and, for this start alone, `extra`. It must have ended.
    pub async fn start_again(&mut self, extra: &[(&str, &str)]) {
        self.process = launch(&self.environment, extra, self.process.log.clone()).await;
        self.public = self.process.url("public");
        self.operator = self.process.url("operator");
    }

    /// Changes a setting for the starts to come.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a setting back for the starts to come.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// The settings of its starts, as a further process of the same world would have them.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Everything it has logged, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.process.log).expect("its log is a file")
    }

    /// The end of its log, for a person.
    pub fn log_tail(&self) -> String {
        super::process::tail(&self.process.log)
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }
}

async fn launch(environment: &[(String, String)], extra: &[(&str, &str)], log: PathBuf) -> Process {
    let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Process::start("interlock", &["serve".to_owned()], environment.iter().cloned().chain(extra), log).await
}
