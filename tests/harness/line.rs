//! The line between one host and Postgres, which a test cuts and mends: the others go on meanwhile.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinHandle,
};
use url::Url;

/// A socket of its own in front of the server's. It closes with the test.
pub struct Line {
    /// `DATABASE_URL` of the host at its end.
    pub url: String,
    whole: watch::Sender<bool>,
    listening: JoinHandle<()>,
    _folder: TempDir,
}

impl Line {
    /// A line to the database at `url`, whose server listens at a socket in a folder.
    pub fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("the database's URL is one");
        let socket = format!(".s.PGSQL.{}", url.port().expect("it names its port"));
        let server: PathBuf =
            url.query_pairs().find(|(name, _)| name == "host").expect("it names the socket's folder").1.as_ref().into();
        let folder = tempfile::Builder::new().prefix("il-").tempdir().expect("there is a place for temporary files");
        let listener = UnixListener::bind(folder.path().join(&socket)).expect("the folder is empty");
        url.query_pairs_mut().clear().append_pair("host", &folder.path().display().to_string());
        let (whole, state) = watch::channel(true);
        let listening = tokio::spawn(async move {
            while let Ok((inward, _)) = listener.accept().await {
                tokio::spawn(carry(inward, server.join(&socket), state.clone()));
            }
        });
        Self { url: url.into(), whole, listening, _folder: folder }
    }

    /// Breaks every connection and lets nobody through.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets everybody through again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Carries bytes both ways until one side is done or the line is cut; both sides are closed then.
async fn carry(mut inward: UnixStream, server: PathBuf, mut whole: watch::Receiver<bool>) {
    if !*whole.borrow_and_update() {
        return;
    }
    let Ok(mut outward) = UnixStream::connect(server).await else { return };
    tokio::select! {
        // However it ends, both sides are closed.
        _ = tokio::io::copy_bidirectional(&mut inward, &mut outward) => {}
        _ = whole.changed() => {}
    }
}
