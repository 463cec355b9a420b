//! Connectors come without a restart: judged, kept in Postgres, loaded by every host. What becomes of them then is told in
//! [`super::connectors`].

use std::{path::Path, sync::Arc};

use super::{Fault, RETRY_AFTER_UNAVAILABLE_S, Refusal, connectors};
use crate::{
    app::App,
    connector::{Engine, Refused, Version, digest_of, hex, signature},
    domain::connector_life::State,
    fault::{self, Point},
    store::{
        self,
        audit_log::{Actor, Audit},
        connectors::NewVersion,
    },
};
use anyhow::Context as _;

/// A component that somebody wants to have installed.
pub struct Candidate {
    pub component: Vec<u8>,
    /// The document that vouches for it, as it stands in its `.sig` file.
    pub signature: Option<Vec<u8>>,
}

/// Judges a component and keeps it, staged, with its report. The very same component again is no error. Heavy on the CPU
/// where it is not compiled yet; one insert. Whom the operator's policy does not trust is not even looked at.
pub async fn install(app: &Arc<App>, candidate: Candidate, actor: &Actor) -> Result<Arc<Version>, Refusal> {
    let Candidate { component, signature } = candidate;
    let signed_by = signature::check(&digest_of(&component), signature.as_deref(), &app.config.connector_keys)
        .map_err(|reason| Refusal::ConnectorRefused(reasons(&reason.into())))?;
    let component = Arc::new(component);
    let judged = Arc::clone(&component);
    let version = admit(app, move |engine| engine.admit(&judged)).await?;
    let new = NewVersion {
        name: version.name(),
        version: version.version(),
        digest: version.digest(),
        descriptor: super::prepare::json(version.descriptor()),
        component: &component,
        report: super::prepare::json(&version.report()),
        signature: signed_by.as_ref().map(super::prepare::json),
        now: app.clock.now(),
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    fault::point(Point::BeforeConnectorKept);
    let first = store::connectors::insert(&mut conn, &new, &Audit::new(app.ids.v7(), actor)).await?;
    fault::point(Point::AfterConnectorKept);
    tracing::info!(
        connector.name = version.name(),
        connector.version = version.version(),
        connector.digest = version.digest_hex(),
        connector.signed_by = signed_by.as_ref().map(|by| by.public_key.as_str()),
        first,
        "a connector's version is installed"
    );
    Ok(take_in(app, version))
}

/// Where blocking is allowed: compiling takes seconds, and reading an image some milliseconds.
async fn admit(
    app: &Arc<App>,
    judge: impl FnOnce(&Engine) -> Result<Arc<Version>, Refused> + Send + 'static,
) -> Result<Arc<Version>, Refusal> {
    let owned = Arc::clone(app);
    let admitted = tokio::task::spawn_blocking(move || judge(&owned.engine)).await;
    match admitted {
        Ok(Ok(version)) => Ok(version),
        // About this host, and not about the component: the same may be let in later.
        Ok(Err(refused)) if refused.is_not_judged() => {
            tracing::error!(why = %refused, "a component could not be judged");
            Err(Refusal::Unavailable {
                what: "judging components".to_owned(),
                retry_after_s: RETRY_AFTER_UNAVAILABLE_S,
            })
        }
        Ok(Err(refused)) => Err(Refusal::ConnectorRefused(reasons(&refused))),
        Err(panic) => Err(Refusal::Internal(anyhow::Error::new(panic).context("judging a component ended abnormally"))),
    }
}

fn reasons(refused: &Refused) -> Vec<Fault> {
    refused
        .reasons
        .iter()
        .map(|reason| Fault::new(reason.code.name(), format!("{}. {}", reason.detail, reason.hint)))
        .collect()
}

/// Takes a version in: from this host's cache of images, else fetched and compiled. Returns whether it is here now.
pub async fn load(app: &Arc<App>, name: &str, digest: [u8; 32]) -> Result<bool, Refusal> {
    let owned = Arc::clone(app);
    let cached = tokio::task::spawn_blocking(move || owned.engine.cached(&digest)).await;
    if let Some(version) = cached.context("reading an image ended abnormally")? {
        take_in(app, version);
        return Ok(true);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let component = store::connectors::component(&mut conn, &digest).await?;
    drop(conn);
    let admitted = match component {
        Some(component) => admit(app, move |engine| engine.load(&component)).await,
        None => Err(Refusal::Internal(anyhow::anyhow!("the database lacks the component"))),
    };
    let admitted = admitted.and_then(|version| {
        let is_it = *version.digest() == digest;
        let damaged = || Refusal::Internal(anyhow::anyhow!("the database has another component under this digest"));
        is_it.then_some(version).ok_or_else(damaged)
    });
    match admitted {
        Ok(version) => {
            take_in(app, version);
            Ok(true)
        }
        Err(refusal) => {
            let pause_s = app.unloadable.failed(digest, app.clock.boot()).as_secs();
            let digest = hex(&digest);
            tracing::error!(connector.name = name, connector.digest = digest, %refusal, pause_s,
                "this host cannot load a version of a connector; it is tried again after a pause");
            Ok(false)
        }
    }
}

fn take_in(app: &App, version: Arc<Version>) -> Arc<Version> {
    app.unloadable.loaded(version.digest());
    app.registry.insert(version)
}

/// Installs and activates the components of a folder whose digest is not installed yet, in the order of their names, and
/// activates those that a start before this one has only installed. A component that is refused stops the start: an
/// operator who put it there wants to know. What operators have made of an installed one stays: it does not come back
/// because its file is still there.
pub async fn install_folder(app: &Arc<App>, folder: &Path) -> anyhow::Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("the folder of connectors, {}, cannot be read", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    files.sort();
    for file in files {
        let component = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let key = digest_of(&component);
        match state_of(app, &key).await? {
            None => {}
            // Whoever installed it died before it was activated.
            Some((State::Staged, false)) => {}
            Some(_) => continue,
        }
        let candidate = Candidate { component, signature: signature_beside(&file)? };
        let version = install(app, candidate, &Actor::ConnectorsFolder).await.map_err(|refusal| match refusal {
            Refusal::ConnectorRefused(reasons) => {
                let reasons: Vec<_> =
                    reasons.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
                anyhow::anyhow!("{} was refused: {}", file.display(), reasons.join("; "))
            }
            refusal => anyhow::Error::new(refusal),
        })?;
        connectors::activate_digest(app, version.name(), version.digest(), &Actor::ConnectorsFolder).await?;
    }
    Ok(())
}

/// The content of `NAME.wasm.sig`, where there is such a file beside `NAME.wasm`.
pub fn signature_beside(component: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut path = component.as_os_str().to_owned();
    path.push(".sig");
    match std::fs::read(&path) {
        Ok(document) => Ok(Some(document)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", Path::new(&path).display())),
    }
}

async fn state_of(app: &App, digest: &[u8; 32]) -> Result<Option<(State, bool)>, store::Error> {
    let mut conn = app.pool.acquire().await?;
    store::connectors::state_of(&mut conn, digest).await
}
