//! The three programs of docs/receiving-webhooks.md as processes: taken from the document as they stand there.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use interlock_tests::harness::{eventually, target};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// What a program is written in: the name of its block in the document.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    Rust,
    Python,
    JavaScript,
}

impl Language {
    fn fence(self) -> &'static str {
        match self {
            Self::Rust => "```rust\n",
            Self::Python => "```python\n",
            Self::JavaScript => "```js\n",
        }
    }
}

/// The program in this language as the document has it.
pub fn in_document(language: Language) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/receiving-webhooks.md");
    let text = fs::read_to_string(path).expect("the document is there");
    let mut blocks = text.split(language.fence()).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("there is no program in {language:?}"));
    assert!(blocks.next().is_none(), "there are two programs in {language:?}");
    block.split_once("```").expect("a block ends").0.to_owned()
}

/// A running program. It ends with the test.
pub struct Program {
    /// Where it wants its events.
    pub url: String,
    lines: Arc<Mutex<Vec<String>>>,
    _child: Child,
    _folder: TempDir,
}

impl Program {
    /// Starts it with the secret of its endpoint.
    pub async fn start(language: Language, secret: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a program");
        let mut child = command(language, folder.path())
            .env("WEBHOOK_SECRET", secret)
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{language:?}: {error}; `.ci/setup test` installs what it needs"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (said, mut errors) = (Arc::clone(&lines), BufReader::new(child.stderr.take().unwrap()).lines());
        tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                said.lock().unwrap().push(line);
            }
        });
        let mut program = Self { url: String::new(), lines, _child: child, _folder: folder };
        program.url = program.says("listening on ").await;
        program
    }

    /// What it has said so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until it says something that begins so; the rest of that line.
    pub async fn says(&self, beginning: &str) -> String {
        eventually(&format!("the receiver says `{beginning}…`"), async || {
            let lines = self.lines();
            let found = lines.iter().find_map(|line| line.strip_prefix(beginning));
            found.map(str::to_owned).ok_or_else(|| lines.join("\n"))
        })
        .await
    }

    /// Waits until it says something that ends so; the line.
    pub async fn says_one(&self, ending: &str) -> String {
        eventually(&format!("the receiver says `…{ending}`"), async || {
            let lines = self.lines();
            lines.iter().find(|line| line.ends_with(ending)).cloned().ok_or_else(|| lines.join("\n"))
        })
        .await
    }

    /// What it said that begins so.
    pub fn said(&self, beginning: &str) -> Vec<String> {
        self.lines().iter().filter_map(|line| line.strip_prefix(beginning)).map(str::to_owned).collect()
    }
}

/// How the program is run: its file in `folder`, its libraries where `.ci/setup test` put them.
fn command(language: Language, folder: &Path) -> Command {
    let libraries = target("receivers");
    let write = |name: &str| -> PathBuf {
        let file = folder.join(name);
        fs::write(&file, in_document(language)).expect("the folder is ours");
        file
    };
    match language {
        // The same text, compiled: a test compares them.
        Language::Rust => Command::new(env!("CARGO_BIN_EXE_example-receiver")),
        Language::Python => {
            let mut command = Command::new(libraries.join("python/bin/python"));
            command.arg(write("receiver.py"));
            command
        }
        Language::JavaScript => {
            symlink(libraries.join("javascript/node_modules"), folder.join("node_modules"))
                .expect("the folder is ours");
            let mut command = Command::new("node");
            command.arg(write("receiver.mjs"));
            command
        }
    }
}
