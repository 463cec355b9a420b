//! `interlock connector …`: for those who write connectors and those who run them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{build, layers_without_flags, print};
use crate::{
    client::{Body, Client},
    config::Config,
    connector::{Engine, EngineConfig, Version},
    dev,
};

/// What can be done with connectors.
#[derive(Subcommand)]
pub enum ConnectorCommand {
    /// Builds a Rust crate into a component, and checks it
    Build {
        /// The folder of the crate
        crate_dir: PathBuf,
        /// Where NAME.wasm goes [default: `connectors` in the crate's target folder]
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
    /// Says whether a host would let a component in, and if not, every reason
    Check { component: PathBuf },
    /// Installs a component in a running host
    Push {
        component: PathBuf,
        /// Makes it the version that new payments use
        #[arg(long)]
        activate: bool,
        #[command(flatten)]
        host: Host,
    },
    /// Makes an installed version the one that new payments use
    Activate {
        name: String,
        version: String,
        #[command(flatten)]
        host: Host,
    },
    /// Lists what is installed
    List {
        #[command(flatten)]
        host: Host,
    },
}

/// Which host, and how to sign in.
#[derive(Args)]
pub struct Host {
    /// The operators' listener [default: that of `INTERLOCK_OPERATOR_ADDR`]
    #[arg(long = "operator", value_name = "URL", env = "INTERLOCK_OPERATOR_URL")]
    operator: Option<String>,
    /// The operator's token [default: `INTERLOCK_OPERATOR_TOKEN`, or that of the `interlock dev` of this folder]
    #[arg(long, value_name = "TOKEN", hide_env_values = true)]
    operator_token: Option<String>,
    /// PEM file of the authority that signed the host's certificate
    #[arg(long, value_name = "FILE", env = "INTERLOCK_OPERATOR_CA")]
    operator_ca: Option<PathBuf>,
}

/// Does what was asked.
pub async fn run(command: ConnectorCommand, as_json: bool) -> anyhow::Result<()> {
    match command {
        ConnectorCommand::Build { crate_dir, out } => {
            let built = tokio::task::spawn_blocking(move || build_and_check(&crate_dir, out)).await??;
            show(&built, as_json, |built| format!("{}  {}", text(built, "component"), line(built)));
        }
        ConnectorCommand::Check { component } => {
            let checked = tokio::task::spawn_blocking(move || check(&read(&component)?)).await??;
            show(&describe(&checked), as_json, |checked| format!("{}\na host lets it in", line(checked)));
        }
        ConnectorCommand::Push { component, activate, host } => {
            let client = host.client()?;
            let installed = client
                .call(Method::POST, "/admin/connectors", Body::Wasm(read(&component)?))
                .await
                .with_context(|| format!("{} was not installed", component.display()))?;
            let installed = if activate {
                activate_version(&client, text(&installed, "name"), text(&installed, "version")).await?
            } else {
                installed
            };
            show(&installed, as_json, lines);
        }
        ConnectorCommand::Activate { name, version, host } => {
            let activated = activate_version(&host.client()?, &name, &version).await?;
            show(&activated, as_json, lines);
        }
        ConnectorCommand::List { host } => {
            let listed = host
                .client()?
                .call(Method::GET, "/admin/connectors", Body::Nothing)
                .await
                .context("the connectors were not listed")?;
            show(&listed, as_json, lines);
        }
    }
    Ok(())
}

impl Host {
    fn client(&self) -> anyhow::Result<Client> {
        let (address, token) = Config::operator(&layers_without_flags()?)?;
        let token = match &self.operator_token {
            Some(token) => crate::config::Hidden::new(token.clone()),
            None => match token.or_else(|| dev::operator_token(Path::new(dev::DATA_DIR))) {
                Some(token) => token,
                None => bail!("no operator's token; set INTERLOCK_OPERATOR_TOKEN to that of the host"),
            },
        };
        let url = self.operator.clone().unwrap_or_else(|| dev::reachable(&format!("http://{address}")));
        Client::new(&url, token, self.operator_ca.as_deref())
    }
}

async fn activate_version(client: &Client, name: &str, version: &str) -> anyhow::Result<Value> {
    // Both are names of a path: anything but their own letters would lead elsewhere.
    let is_plain = |part: &str| part.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_.+".contains(sign));
    if !is_plain(name) || !is_plain(version) {
        bail!("a name has letters, digits and `-`, a version is one such as 1.2.3");
    }
    let path = format!("/admin/connectors/{name}/versions/{}/activate", version.replace('+', "%2B"));
    client
        .call(Method::POST, &path, Body::Json(json!({})))
        .await
        .with_context(|| format!("{name} {version} was not activated"))
}

fn build_and_check(crate_dir: &Path, out: Option<PathBuf>) -> anyhow::Result<Value> {
    let module = build::core_module(crate_dir)?;
    let bytes = read(&module.path)?;
    let component = crate::connector::wrap(&bytes)
        .with_context(|| format!("{} is no connector; does it call `export_connector!`?", module.path.display()))?;
    let version = check(&component)?;
    let folder = out.unwrap_or_else(|| module.target_folder.join("connectors"));
    let path = folder.join(format!("{}.wasm", version.name()));
    fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    // Whole or not at all: a host may be starting from this folder.
    let next = path.with_extension("wasm.next");
    fs::write(&next, &component)
        .and_then(|()| fs::rename(&next, &path))
        .with_context(|| format!("{} could not be written", path.display()))?;
    let mut built = describe(&version);
    if let Some(object) = built.as_object_mut() {
        object.insert("component".into(), json!(path.display().to_string()));
        object.insert("bytes".into(), json!(component.len()));
    }
    Ok(built)
}

/// The very check that a host makes. Nothing is compiled for anybody else, so the key of the images does not matter.
fn check(component: &[u8]) -> anyhow::Result<std::sync::Arc<Version>> {
    let engine = Engine::new(EngineConfig::new([0; 32])).context("the engine for connectors could not be built")?;
    Ok(engine.admit(component)?)
}

fn describe(version: &Version) -> Value {
    json!({
        "name": version.name(),
        "version": version.version(),
        "digest": version.digest_hex(),
        "descriptor": version.descriptor(),
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} could not be read", path.display()))
}

fn show(answer: &Value, as_json: bool, text: impl FnOnce(&Value) -> String) {
    print(&if as_json { answer.to_string() } else { text(answer) });
}

/// A line for each of a list, for each version of a connector, or for the one that it is.
fn lines(answer: &Value) -> String {
    let many = ["data", "versions"].iter().find_map(|name| answer.get(name)?.as_array());
    let lines: Vec<String> = many.map_or_else(|| vec![line(answer)], |rows| rows.iter().map(line).collect());
    if lines.is_empty() { "no connector is installed".to_owned() } else { lines.join("\n") }
}

/// Name, version, state and digest of one connector, as far as they are known.
fn line(connector: &Value) -> String {
    let parts = ["name", "version", "state", "digest"].map(|name| text(connector, name));
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("  ")
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_answer_has_its_lines() {
        let one = json!({ "name": "mock", "version": "0.1.0", "state": "active", "digest": "d1" });
        assert_eq!(lines(&one), "mock  0.1.0  active  d1");
        assert_eq!(lines(&json!({ "data": [one, one] })).lines().count(), 2);
        assert_eq!(lines(&json!({ "name": "mock", "versions": [one] })), "mock  0.1.0  active  d1");
        assert_eq!(lines(&json!({ "data": [] })), "no connector is installed");
    }
}
