//! `interlock connector …`: for those who write connectors and those who run them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{
    build, check,
    failure::Usage,
    layers_without_flags,
    life::{self, Target},
    log::{self, LogArguments},
    new::{self, Language},
    print, progress,
    record::{self, RecordArguments},
    show,
    sign::{self, SignArguments},
};
use crate::{
    client::{Body, Client},
    config::Config,
    connector::Version,
    dev,
    flow::install_connector::signature_beside,
};

/// What can be done with connectors.
#[derive(Subcommand)]
pub enum ConnectorCommand {
    /// Writes a folder with a connector that works, to begin one's own with
    New {
        name: String,
        #[arg(long, value_enum, default_value = "rust")]
        lang: Language,
        /// Where it goes [default: the name]
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Builds a connector in Rust, JavaScript or Python into a component, with its cassettes in it, and says whether a host
    /// could load it
    Build {
        /// The folder with its Cargo.toml, package.json or pyproject.toml
        folder: PathBuf,
        /// Where NAME.wasm goes [default: `connectors` in the target folder]
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
    /// Says whether a host would let a component in, and if not, every reason: what it is, and whether it keeps the
    /// contract
    Check {
        component: PathBuf,
        /// Plays the `*.json` of this folder instead of the cassettes that the component carries
        #[arg(long, value_name = "FOLDER")]
        cassettes: Option<PathBuf>,
    },
    /// Carries out an operation at a gateway, real or stub, and writes a cassette of it
    #[command(after_help = record::HELP)]
    Record(Box<RecordArguments>),
    /// Vouches for a component with a key of yours: writes FILE.sig beside it, which `push` sends along
    Sign(SignArguments),
    /// Installs a component in a running host, with FILE.sig where that is beside it
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
        /// Per cent of the payments; less than 100: it is a canary beside the active version
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
        share: Option<u8>,
        #[command(flatten)]
        which: WhichBuild,
        #[command(flatten)]
        host: Host,
    },
    /// Takes the canary back; without one, goes back to the version that was active before
    Rollback {
        name: String,
        #[command(flatten)]
        host: Host,
    },
    /// Replays recorded operations on an installed version, and shows what would have been different
    Shadow {
        name: String,
        version: String,
        /// How many operations, the latest first [default: 100]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
        transcripts: Option<u16>,
        #[command(flatten)]
        which: WhichBuild,
        #[command(flatten)]
        host: Host,
    },
    /// Lets a version go that nothing is under way with
    Retire {
        name: String,
        version: String,
        #[command(flatten)]
        which: WhichBuild,
        #[command(flatten)]
        host: Host,
    },
    /// Lists what is installed
    List {
        #[command(flatten)]
        host: Host,
    },
    /// Shows one connector: its versions, what they can reach, how they are doing, and what they warned of lately
    Show {
        name: String,
        #[command(flatten)]
        host: Host,
    },
    /// Prints what a connector's versions have logged, and what hosts have found out about them
    Log {
        #[command(flatten)]
        arguments: LogArguments,
        #[command(flatten)]
        host: Host,
    },
}

/// Which of several components that bear one version's number.
#[derive(Args)]
pub struct WhichBuild {
    /// SHA-256 of the component, as `list` prints it [default: the one that was installed last]
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
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
        ConnectorCommand::New { name, lang, folder } => {
            let folder = folder.unwrap_or_else(|| PathBuf::from(&name));
            new::write(&name, lang, &folder)?;
            let written = json!({ "name": name, "folder": folder.display().to_string(), "first": lang.first() });
            show(&written, as_json, next_steps);
        }
        ConnectorCommand::Build { folder, out } => {
            let built = tokio::task::spawn_blocking(move || build_and_check(&folder, out)).await??;
            show(&built, as_json, |built| format!("{}  {}", text(built, "component"), line(built)));
        }
        ConnectorCommand::Check { component, cassettes } => {
            let checked =
                tokio::task::spawn_blocking(move || check::check(&read(&component)?, cassettes.as_deref())).await??;
            show(&checked.answer(), as_json, |answer| format!("{}\n\n{}", line(answer), checked.text()));
            checked.verdict()?;
        }
        ConnectorCommand::Record(arguments) => {
            let recorded = Box::pin(record::record(*arguments)).await?;
            show(&recorded, as_json, record::lines);
        }
        ConnectorCommand::Sign(arguments) => {
            let signed = tokio::task::spawn_blocking(move || sign::sign(&arguments)).await??;
            show(&signed, as_json, sign::lines);
        }
        ConnectorCommand::Push { component, activate, host } => {
            let installed = push(&host.client()?, &component, activate).await?;
            show(&installed, as_json, lines);
        }
        ConnectorCommand::Activate { name, version, share, which, host } => {
            let activated = life::activate(&host.client()?, &Target::new(name, version, which.digest), share).await?;
            show(&activated, as_json, lines);
        }
        ConnectorCommand::Rollback { name, host } => {
            show(&life::rollback(&host.client()?, &name).await?, as_json, lines);
        }
        ConnectorCommand::Shadow { name, version, transcripts, which, host } => {
            let target = Target::new(name, version, which.digest);
            let shadow = life::shadow(&host.client()?, &target, transcripts).await?;
            show(&shadow, as_json, life::shadow_lines);
        }
        ConnectorCommand::Retire { name, version, which, host } => {
            let target = Target::new(name, version, which.digest);
            show(&life::retire(&host.client()?, &target).await?, as_json, lines);
        }
        ConnectorCommand::List { host } => {
            let listed = host
                .client()?
                .call(Method::GET, "/admin/connectors", Body::Nothing)
                .await
                .context("the connectors were not listed")?;
            show(&listed, as_json, lines);
        }
        ConnectorCommand::Show { name, host } => {
            let client = host.client()?;
            let shown = show::connector(&client, &name).await?;
            let warnings = if as_json { Value::Null } else { show::warnings(&client, &name).await? };
            show(&shown, as_json, |shown| show::lines(shown, &warnings));
        }
        ConnectorCommand::Log { arguments, host } => log::run(&host.client()?, &arguments, as_json).await?,
    }
    Ok(())
}

impl Host {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let (address, token) = Config::operator(&layers_without_flags()?)?;
        let token = match &self.operator_token {
            Some(token) => crate::config::Hidden::new(token.clone()),
            None => token.or_else(|| dev::operator_token(Path::new(dev::DATA_DIR))).ok_or_else(|| {
                Usage("no operator's token; set INTERLOCK_OPERATOR_TOKEN to that of the host".to_owned())
            })?,
        };
        let url = self.operator.clone().unwrap_or_else(|| dev::reachable(&format!("http://{address}")));
        Client::new(&url, token, self.operator_ca.as_deref())
    }
}

async fn push(client: &Client, component: &Path, activate: bool) -> anyhow::Result<Value> {
    progress::step("the host judges it: a moment for Rust, up to a minute for JavaScript and Python");
    let body = Body::Wasm { signature: signature_beside(component)?, component: read(component)? };
    let installed = client
        .call(Method::POST, "/admin/connectors", body)
        .await
        .with_context(|| format!("{} was not installed", component.display()))?;
    if activate {
        // This very component, whatever else bears its number.
        life::activate(client, &Target::of(&installed), None).await
    } else {
        Ok(installed)
    }
}

fn build_and_check(folder: &Path, out: Option<PathBuf>) -> anyhow::Result<Value> {
    progress::step(&format!("building {}", folder.display()));
    let build::Built { component, target_folder } = build::component(folder)?;
    let component = check::with_cassettes(&component, folder)?;
    progress::step("compiling it as a host does");
    let version = check::admit(&check::engine(Some(target_folder.join(build::IMAGES)))?, &component)?;
    let folder = out.unwrap_or_else(|| target_folder.join("connectors"));
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

/// What the author of a new connector does next.
fn next_steps(written: &Value) -> String {
    let folder = text(written, "folder");
    let first = written.get("first").and_then(Value::as_str).map(|first| format!("\n  (cd {folder} && {first})"));
    let first = first.unwrap_or_default();
    format!(
        "{folder} is a connector that works. Its README.md says what is where. To build and check it:{first}\n  interlock connector build {folder}"
    )
}

pub(super) fn describe(version: &Version) -> Value {
    json!({
        "name": version.name(),
        "version": version.version(),
        "digest": version.digest_hex(),
        "contract": version.report().map(|report| &report.contract),
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

/// Name, version, state (of a canary with its share), digest and contract of one connector, as far as they are known.
fn line(connector: &Value) -> String {
    let state = match connector.get("share").and_then(Value::as_u64) {
        Some(share) => format!("{} {share} %", text(connector, "state")),
        None => text(connector, "state").to_owned(),
    };
    let contract = ["/contract", "/report/contract"].iter().find_map(|place| connector.pointer(place)?.as_str());
    let contract = contract.map_or_else(String::new, |version| format!("contract {version}"));
    let parts = [text(connector, "name"), text(connector, "version"), &state, text(connector, "digest"), &contract];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
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
        let canary = json!({ "name": "mock", "version": "0.2.0", "state": "canary", "share": 5, "digest": "d2" });
        assert_eq!(lines(&canary), "mock  0.2.0  canary 5 %  d2");
        let built = json!({ "name": "mock", "version": "0.2.0", "digest": "d3", "contract": "0.2.0" });
        assert_eq!(lines(&built), "mock  0.2.0  d3  contract 0.2.0");
        let pushed = json!({ "name": "mock", "version": "0.1.0", "digest": "d1", "report": { "contract": "0.1.0" } });
        assert_eq!(lines(&pushed), "mock  0.1.0  d1  contract 0.1.0");
        assert_eq!(lines(&json!({ "data": [] })), "no connector is installed");
    }
}
