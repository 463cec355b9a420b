//! A real `nats-server` with `JetStream`, which a test may kill and start again.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use async_nats::{ConnectOptions, jetstream};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

/// How long it may take until it listens. Its port may be in somebody's hands for a moment.
const READY_MAX: Duration = Duration::from_secs(25);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The server. Dropped, it is killed and what it stored is removed.
pub struct NatsServer {
    child: Child,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
}

/// A message as the stream has it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub subject: String,
    pub id: String,
    pub key: String,
    pub merchant: String,
    pub body: String,
}

impl NatsServer {
    /// Starts one, with `arguments` such as `--user`.
    pub async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("interlock-nats-").tempdir().expect("a temporary folder");
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let port = free_port();
        let child = launch(folder.path(), port, &arguments).await;
        Self { child, folder, port, arguments }
    }

    /// `127.0.0.1:PORT`, the same over restarts.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The table of a sink that publishes to it, with `more` lines.
    pub fn table(&self, name: &str, more: &str) -> String {
        let address = self.address();
        format!("[sinks.{name}]\nkind = \"nats\"\nservers = [\"nats://{address}\"]\ncreate_stream = true\n{more}\n")
    }

    /// `kill -9`
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Starts it again, on what it had stored.
    pub async fn start_again(&mut self) {
        self.child = launch(self.folder.path(), self.port, &self.arguments).await;
    }

    /// Its `JetStream`, for a client that signs in as `options` say.
    pub async fn jetstream(&self, options: ConnectOptions) -> jetstream::Context {
        let client = options.connect(self.address()).await.unwrap_or_else(|error| panic!("NATS: {error}"));
        jetstream::new(client)
    }

    /// All that a stream has, in its order; nothing where there is no such stream.
    pub async fn stored(&self, stream: &str) -> Vec<Stored> {
        self.stored_for(ConnectOptions::new(), stream).await
    }

    /// The same for a client that has to sign in.
    pub async fn stored_for(&self, options: ConnectOptions, stream: &str) -> Vec<Stored> {
        let Ok(client) = options.connect(self.address()).await else { return Vec::new() };
        let Ok(mut stream) = jetstream::new(client).get_stream(stream).await else { return Vec::new() };
        let state = stream.info().await.expect("a stream tells of itself").state.clone();
        let mut stored = Vec::new();
        if state.messages == 0 {
            return stored;
        }
        for number in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(number).await.expect("nothing is deleted");
            let header = |name: &str| message.headers.get(name).map(ToString::to_string).unwrap_or_default();
            stored.push(Stored {
                subject: message.subject.to_string(),
                id: header("Nats-Msg-Id"),
                key: header("Interlock-Key"),
                merchant: header("Interlock-Merchant"),
                body: String::from_utf8_lossy(&message.payload).into_owned(),
            });
        }
        stored
    }
}

/// A port that nobody had a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
    listener.local_addr().expect("it is bound").port()
}

/// Tries until the server that answers at the port is this one.
async fn launch(folder: &Path, port: u16, arguments: &[String]) -> Child {
    let (began, name) = (Instant::now(), format!("test-{}", uuid::Uuid::now_v7()));
    loop {
        let mut child = Command::new(program())
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--server_name", &name, "--jetstream"])
            .arg("--store_dir")
            .arg(folder)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("nats-server could not be started: {error}; `.ci/setup test` installs it"));
        while child.try_wait().expect("a child can be asked").is_none() {
            if says(port, &name).await {
                return child;
            }
            assert!(began.elapsed() < READY_MAX, "nats-server does not listen at {port}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        assert!(began.elapsed() < READY_MAX, "nats-server ends at once; is its port {port} taken?");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether the server at the port is the one of this name: it introduces itself.
async fn says(port: u16, name: &str) -> bool {
    let Ok(connection) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut line = String::new();
    let read = tokio::time::timeout(Duration::from_secs(1), BufReader::new(connection).read_line(&mut line)).await;
    matches!(read, Ok(Ok(_))) && line.contains(name)
}

/// Debian puts it where only administrators look.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("nats-server"))
        .find(|file| file.is_file())
        .unwrap_or_else(|| "nats-server".into())
}
