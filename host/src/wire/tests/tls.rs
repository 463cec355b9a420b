//! TLS: trusted roots, the right name, and nothing sent before both are seen to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::fixtures::charge;
use super::gateway::{Caller, OK_REPLY, TIMEOUT, config, send, send_if};
use crate::wire::{NotSentReason, Sent, UnknownReason, Wire};

/// An authority of its own, and a server whose certificate says `name`.
struct Authority {
    root: CertificateDer<'static>,
    acceptor: TlsAcceptor,
}

fn authority(name: &str) -> Authority {
    let root_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&root_key).unwrap().der().clone();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    Authority { root, acceptor: TlsAcceptor::from(Arc::new(server)) }
}

/// Serves every TLS connection with `serve`; the log holds what requests came in.
async fn start<F, Served>(acceptor: TlsAcceptor, serve: F) -> (SocketAddr, Arc<Mutex<Vec<String>>>)
where
    F: Fn(Caller<TlsStream<TcpStream>>) -> Served + Send + Sync + 'static,
    Served: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, log) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let requests = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(Caller { stream, log: Arc::clone(&log) }));
            }
        }
    });
    (address, requests)
}

async fn keep(mut caller: Caller<TlsStream<TcpStream>>) {
    while caller.read_request().await {
        caller.say(OK_REPLY).await;
    }
}

fn trusting(root: &CertificateDer<'static>) -> Wire {
    let mut config = config();
    config.extra_roots = vec![root.clone()];
    Wire::new(config).unwrap()
}

#[tokio::test]
async fn a_trusted_gateway_is_spoken_to_and_its_connection_kept() {
    let authority = authority("localhost");
    let (address, requests) = start(authority.acceptor, keep).await;
    let wire = trusting(&authority.root);
    let base = format!("https://localhost:{}", address.port());
    for _ in 0..3 {
        let sent = send(&wire, &charge(&base), &base, TIMEOUT).await;
        assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    }
    assert_eq!(requests.lock().await.len(), 3);
    assert_eq!(wire.pool.idle_count(), 1);
}

/// The handshake's bytes, and those of the exchange before, are none of this request's.
#[tokio::test]
async fn a_lease_that_is_too_short_sends_nothing_on_any_connection() {
    let authority = authority("localhost");
    let (address, requests) = start(authority.acceptor, keep).await;
    let wire = trusting(&authority.root);
    let base = format!("https://localhost:{}", address.port());
    for served in 0..2 {
        let sent = send_if(&wire, &charge(&base), &base, TIMEOUT, &|_| false).await;
        assert!(matches!(sent, Sent::NotSent { reason: NotSentReason::LeaseTooShort, .. }), "{sent:?}");
        assert_eq!(requests.lock().await.len(), served);
        // Leaves a kept connection for the second round.
        let sent = send(&wire, &charge(&base), &base, TIMEOUT).await;
        assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    }
}

#[tokio::test]
async fn an_unknown_authority_or_another_name_gets_nothing() {
    for (name, trusted) in [("localhost", false), ("other.example", true)] {
        let authority = authority(name);
        let (address, requests) = start(authority.acceptor, keep).await;
        let wire = if trusted { trusting(&authority.root) } else { Wire::new(config()).unwrap() };
        let base = format!("https://localhost:{}", address.port());
        let sent = send(&wire, &charge(&base), &base, TIMEOUT).await;
        assert!(matches!(sent, Sent::NotSent { reason: NotSentReason::Tls, .. }), "{name}: {sent:?}");
        assert!(requests.lock().await.is_empty());
    }
}

#[tokio::test]
async fn plain_http_behind_https_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    let sent = send(&Wire::new(config()).unwrap(), &charge(&base), &base, TIMEOUT).await;
    assert!(matches!(sent, Sent::NotSent { reason: NotSentReason::Tls, .. }), "{sent:?}");
}

#[tokio::test]
async fn silence_under_tls_is_unknown() {
    let authority = authority("localhost");
    let (address, requests) = start(authority.acceptor, |mut caller| async move {
        caller.read_request().await;
        tokio::time::sleep(TIMEOUT).await;
    })
    .await;
    let base = format!("https://localhost:{}", address.port());
    let sent = send(&trusting(&authority.root), &charge(&base), &base, Duration::from_millis(300)).await;
    assert!(matches!(sent, Sent::Unknown { reason: UnknownReason::TimedOut, .. }), "{sent:?}");
    assert_eq!(requests.lock().await.len(), 1);
}

/// Without a length only the end of the stream ends the body, and an end without TLS's farewell may be anybody's cut.
#[tokio::test]
async fn a_body_cut_off_without_farewell_is_unknown() {
    for farewell in [true, false] {
        let authority = authority("localhost");
        let (address, _) = start(authority.acceptor, move |mut caller| async move {
            caller.read_request().await;
            caller.say("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"ok\":true}").await;
            caller.stream.flush().await.unwrap();
            if farewell {
                caller.stream.shutdown().await.unwrap();
            }
        })
        .await;
        let base = format!("https://localhost:{}", address.port());
        let sent = send(&trusting(&authority.root), &charge(&base), &base, TIMEOUT).await;
        if farewell {
            assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
        } else {
            assert!(matches!(sent, Sent::Unknown { reason: UnknownReason::Truncated, .. }), "{sent:?}");
        }
    }
}
