//! Connectors come and go without a restart: judged, kept in Postgres, loaded by every host, made active.
//!
//! Postgres has the truth; a host's registry follows it ([`follow`], within a second or two). Activating approves the
//! version's declared origins and placements.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};

use sqlx::Connection as _;

use super::{Fault, Refusal};
use crate::{
    app::App,
    connector::{Refused, Version, hex},
    store::{
        self,
        audit_log::{Actor, Audit},
        connectors::{Activation, NewVersion},
    },
};

/// Judges a component and keeps it, staged. The very same component again is no error. Heavy on the CPU where it is not
/// compiled yet; one insert.
pub async fn install(app: &Arc<App>, component: Vec<u8>, actor: &Actor) -> Result<Arc<Version>, Refusal> {
    let component = Arc::new(component);
    let version = admit(app, Arc::clone(&component)).await?;
    let new = NewVersion {
        name: version.name(),
        version: version.version(),
        digest: version.digest(),
        descriptor: super::prepare::json(version.descriptor()),
        component: &component,
        now: app.clock.now(),
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let first = store::connectors::insert(&mut conn, &new, &Audit::new(app.ids.v7(), actor)).await?;
    tracing::info!(
        connector.name = version.name(),
        connector.version = version.version(),
        connector.digest = version.digest_hex(),
        first,
        "a connector's version is installed"
    );
    Ok(take_in(app, version))
}

async fn admit(app: &Arc<App>, component: Arc<Vec<u8>>) -> Result<Arc<Version>, Refusal> {
    let owned = Arc::clone(app);
    let admitted = tokio::task::spawn_blocking(move || owned.engine.admit(&component)).await;
    match admitted {
        Ok(Ok(version)) => Ok(version),
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

/// Lets new operations begin with the version; where several components bear that version, with the newest of them.
pub async fn activate(app: &Arc<App>, name: &str, version: &str, actor: &Actor) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let versions = store::connectors::list(&mut conn).await?;
    let found = versions.into_iter().find(|row| row.name == name && row.version == version);
    let digest = found.ok_or(Refusal::NotFound)?.digest;
    drop(conn);
    activate_digest(app, name, &digest, actor).await
}

/// Lets new operations begin with the version that was active before. 404 where there was none.
pub async fn rollback(app: &Arc<App>, name: &str, actor: &Actor) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    let previous = store::connectors::previous(&mut tx, name).await?.ok_or(Refusal::NotFound)?;
    let (audit, now) = (Audit::new(app.ids.v7(), actor), app.clock.now());
    store::connectors::activate(&mut tx, name, &previous, Activation::RolledBack, &audit, now).await?;
    tx.commit().await.map_err(store::Error::from)?;
    follow(app).await?;
    tracing::info!(connector.name = name, "a connector was rolled back to the version before");
    Ok(())
}

async fn activate_digest(app: &Arc<App>, name: &str, digest: &[u8], actor: &Actor) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    let (audit, now) = (Audit::new(app.ids.v7(), actor), app.clock.now());
    store::connectors::activate(&mut tx, name, digest, Activation::Chosen, &audit, now).await?;
    tx.commit().await.map_err(store::Error::from)?;
    follow(app).await?;
    tracing::info!(connector.name = name, "a connector's version was activated");
    Ok(())
}

/// Makes this host's registry what Postgres says: loads what is missing, activates what is active. One read where
/// nothing changed. A version that this host cannot load is logged and left alone for a while, and the others are loaded
/// all the same.
pub async fn follow(app: &Arc<App>) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let rows = store::connectors::digests(&mut conn).await?;
    // Compiling takes seconds: payments need the connection meanwhile.
    drop(conn);
    for (name, digest, active) in rows {
        let Ok(key) = <[u8; 32]>::try_from(digest.as_slice()) else { continue };
        if app.registry.by_digest(&key).is_none() && !load(app, &name, key).await? {
            continue;
        }
        if active
            && app.registry.active(&name).is_none_or(|version| *version.digest() != key)
            && app.registry.activate(&name, &key).is_ok()
        {
            tracing::info!(connector.name = name, "this host follows: another version takes new operations");
        }
    }
    Ok(())
}

/// Fetches and compiles a version. Returns whether it is here now.
async fn load(app: &Arc<App>, name: &str, digest: [u8; 32]) -> Result<bool, Refusal> {
    if app.unloadable.is_left_alone(&digest, app.clock.boot()) {
        return Ok(false);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let component = store::connectors::component(&mut conn, &digest).await?;
    drop(conn);
    let admitted = match component {
        Some(component) => admit(app, Arc::new(component)).await,
        None => Err(Refusal::Internal(anyhow::anyhow!("the database lacks the component"))),
    };
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

/// Installs and activates the components of a folder whose digest is not installed yet, in the order of their names. A
/// component that is refused stops the start: an operator who put it there wants to know. One that was retired does not
/// come back because its file is still there.
pub async fn install_folder(app: &Arc<App>, folder: &Path) -> anyhow::Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("the folder of connectors, {}, cannot be read", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    files.sort();
    for file in files {
        let component = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let key: [u8; 32] = digest(&SHA256, &component).as_ref().try_into().context("a SHA-256 has 32 bytes")?;
        if app.registry.by_digest(&key).is_some() || is_withdrawn(app, &key).await? {
            continue;
        }
        let version = install(app, component, &Actor::ConnectorsFolder).await.map_err(|refusal| match refusal {
            Refusal::ConnectorRefused(reasons) => {
                let reasons: Vec<_> =
                    reasons.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
                anyhow::anyhow!("{} was refused: {}", file.display(), reasons.join("; "))
            }
            refusal => anyhow::Error::new(refusal),
        })?;
        activate_digest(app, version.name(), version.digest(), &Actor::ConnectorsFolder).await?;
    }
    Ok(())
}

async fn is_withdrawn(app: &App, digest: &[u8; 32]) -> Result<bool, store::Error> {
    let mut conn = app.pool.acquire().await?;
    store::connectors::is_withdrawn(&mut conn, digest).await
}
