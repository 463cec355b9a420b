//! A broker that speaks TLS alone, with a certificate of its own authority, and wants to see ours.

use std::path::PathBuf;

use async_nats::ConnectOptions;
use interlock_tests::harness::{NatsServer, eventually};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::sinks::{Arrived, STREAM, complete, config, world};

/// An authority, a certificate for 127.0.0.1 and one for us, as PEM files.
struct Papers {
    folder: TempDir,
}

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("it is ours");
        let root_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        write("ca.pem", params.self_signed(&root_key).expect("a certificate").pem());
        let issuer = Issuer::new(params, root_key);
        for (name, subject) in [("server", "127.0.0.1"), ("ours", "interlock.example")] {
            let key = KeyPair::generate().expect("a key");
            let leaf = CertificateParams::new(vec![subject.to_owned()]).expect("a name");
            write(&format!("{name}.pem"), leaf.signed_by(&key, &issuer).expect("a certificate").pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// With the authority and a certificate in its settings a sink works; one that knows neither publishes nothing, and says
/// why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_shows_its_certificate_and_checks_the_brokers() {
    let papers = Papers::new();
    let (ca, cert, key) = (papers.text("ca.pem"), papers.text("server.pem"), papers.text("server.key"));
    let nats = NatsServer::start(&["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key]).await;
    let (cert, key) = (papers.text("ours.pem"), papers.text("ours.key"));
    let more = format!("tls_ca = \"{ca}\"\ntls_cert = \"{cert}\"\ntls_key = \"{key}\"");
    let file = config(&[nats.table("bus", &more), nats.table("blind", "tls = true")]);
    let world = world(&file).start().await;
    world.on(0).paid("k", 1_000).await;
    let options = || {
        ConnectOptions::new()
            .add_root_certificates(papers.path("ca.pem"))
            .add_client_certificate(papers.path("ours.pem"), papers.path("ours.key"))
    };
    let stored = async || nats.stored_for(options(), STREAM).await.into_iter().map(Arrived::from).collect();
    complete(&world, "NATS over TLS", stored).await;
    eventually("the log says that the other one is not believed", async || {
        let log = world.host(0).log();
        let said = log.lines().find(|line| line.contains("are not published for now") && line.contains("\"blind\""));
        if said.is_some_and(|line| line.contains("certificate")) { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await;
}
