//! One host from its start to its end: listeners, connectors, workers, and a drain that loses nothing.

use std::{
    future::Future,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::Router;
use axum_server::{
    Handle, Server,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::{
    app::App,
    config::{Config, TlsFiles},
    flow::{connectors, feed, install_connector},
    http, worker,
};

/// Within this a request's head must have arrived, and after this an idle connection is closed.
const HEAD_TIME_MAX: Duration = Duration::from_mins(1);
/// Bytes that are buffered of a request's head; hyper answers 431 beyond.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Beyond the time in which requests may end: what tasks and workers still need to write down.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where a host that is ready can be reached: what the start-up line prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub public: String,
    pub operator: String,
}

/// Serves until `shutdown` is done, then drains: no new work is taken, what is in flight ends within the lease or is
/// left for another host to resume. Calls `ready` once, when requests are answered.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Ready),
) -> anyhow::Result<()> {
    for doubt in config.doubts() {
        tracing::warn!("{doubt}");
    }
    // What can be wrong with this machine is told before anything is asked of the database.
    let public = bind(config.public_addr, "public")?;
    let operator = bind(config.operator_addr, "operator")?;
    let tls = config.tls.as_ref().map(tls_config).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let addresses = Ready {
        public: format!("{scheme}://{}", public.local_addr()?),
        operator: format!("{scheme}://{}", operator.local_addr()?),
    };

    let app = App::start(config).await?;
    load_connectors(&app).await?;
    feed::begin(&app).await.context("the cursors of sinks could not be made")?;
    worker::start(&app);
    let routers = http::routers(&app);
    let handles = [Handle::new(), Handle::new()];
    let [public_handle, operator_handle] = handles.clone();
    let mut listeners = std::pin::pin!(async {
        tokio::try_join!(
            listen(public, routers.public, tls.clone(), public_handle),
            listen(operator, routers.operator, tls.clone(), operator_handle),
        )
    });
    ready(&addresses);
    tracing::info!(public = addresses.public, operator = addresses.operator, "ready");

    tokio::select! {
        ended = &mut listeners => {
            ended.context("a listener broke down")?;
            anyhow::bail!("the listeners ended without being asked to");
        }
        () = shutdown => {}
    }
    let (grace, asked_at) = (app.config.lease, Instant::now());
    tracing::info!(grace_s = grace.as_secs(), "draining: no new work is taken");
    app.stop.cancel();
    for handle in &handles {
        handle.graceful_shutdown(Some(grace));
    }
    listeners.await.context("a listener broke down while draining")?;
    finish(&app, grace.saturating_sub(asked_at.elapsed()) + LAST_WORDS).await;
    Ok(())
}

/// What the cluster has, and then what this host's folder has beyond that.
async fn load_connectors(app: &Arc<App>) -> anyhow::Result<()> {
    connectors::follow_whole(app).await.context("the installed connectors could not be loaded")?;
    match app.config.connectors_dir.clone() {
        Some(folder) => install_connector::install_folder(app, &folder).await,
        None => Ok(()),
    }
}

/// Waits for tasks whose requests are gone, and for workers. What is not done by then stands in the database with its
/// lease, and another host resumes it.
async fn finish(app: &App, time_max: Duration) {
    app.tasks.close();
    if tokio::time::timeout(time_max, app.tasks.wait()).await.is_err() {
        tracing::warn!(tasks = app.tasks.len(), "left unfinished; another host goes on when their leases run out");
    }
    if let Err(refusal) = connectors::flush(app).await {
        tracing::warn!(%refusal, "what was counted of connectors in the last second is lost");
    }
    app.pool.close();
    tracing::info!("drained");
}

fn bind(address: std::net::SocketAddr, name: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("the {name} listener cannot have {address}; is another process there?"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn listen(
    listener: TcpListener,
    router: Router,
    tls: Option<RustlsConfig>,
    handle: Handle<std::net::SocketAddr>,
) -> std::io::Result<()> {
    let server = axum_server::from_tcp(listener)?.handle(handle);
    match tls {
        None => bounded(server.acceptor(NoDelayAcceptor::new())).serve(router.into_make_service()).await,
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
            bounded(server.acceptor(acceptor)).serve(router.into_make_service()).await
        }
    }
}

fn bounded<A>(server: Server<std::net::SocketAddr, A>) -> Server<std::net::SocketAddr, A> {
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_MAX_BYTES);
    server
}

/// Read once, at the start; a new certificate is taken in by a restart, which a drain makes harmless.
fn tls_config(files: &TlsFiles) -> anyhow::Result<RustlsConfig> {
    let unreadable = |what: &str, path: &Path| format!("the {what} in {} cannot be read as PEM", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .with_context(|| unreadable("certificate chain", &files.cert))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| unreadable("private key", &files.key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and private key do not go together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
