//! The command line: `serve`, `dev`, `migrate`, `connector …`.
//!
//! An error is one line that says what failed and what to do. Exit codes: 0 done, 1 failed, 2 wrong usage or a setting
//! that cannot be used, 3 refused by the host or by a connector's check.

mod build;
mod connector;
mod flags;
mod signals;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde_json::json;

use self::{connector::ConnectorCommand, flags::SettingFlags};
use crate::{
    app,
    client::CallError,
    config::{self, Config, ConfigError, Layers},
    connector::Refused,
    dev, serve,
    telemetry::{self, LogFormat},
};

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const REFUSED: u8 = 3;

/// A payment switch that cannot charge twice.
#[derive(Parser)]
#[command(name = "interlock", version, arg_required_else_help = true)]
struct CommandLine {
    /// Answers of `connector …` and `migrate`, and all errors, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a host, from configuration alone
    Serve {
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Runs everything that one needs to try Interlock: Postgres, a gateway simulator, a host with a merchant
    Dev {
        /// Where everything is kept between starts
        #[arg(long, value_name = "FOLDER", default_value = dev::DATA_DIR)]
        data_dir: PathBuf,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Brings the database's schema up to date, as `serve` does at its start
    Migrate {
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Builds, checks, installs and lists connectors
    #[command(subcommand)]
    Connector(ConnectorCommand),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let as_json = command_line.json;
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the runtime could not be started")
        .and_then(|runtime| runtime.block_on(run(command_line)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, as_json);
            ExitCode::from(code_of(&error))
        }
    }
}

async fn run(command_line: CommandLine) -> anyhow::Result<()> {
    match command_line.command {
        Command::Serve { settings } => {
            let (layers, unknown) = layers(&settings)?;
            let config = Config::read(&layers)?;
            telemetry::logs(LogFormat::Json)?;
            log_unknown(&unknown);
            serve::serve(config, signals::shutdown()?.cancelled_owned(), |ready| {
                let line = json!({ "event": "ready", "public": ready.public, "operator": ready.operator });
                print(&line.to_string());
            })
            .await?;
        }
        Command::Dev { data_dir, settings } => {
            let (layers, unknown) = layers(&settings)?;
            telemetry::logs(LogFormat::Terminal)?;
            log_unknown(&unknown);
            Box::pin(dev::run(&data_dir, layers, signals::shutdown()?)).await?;
        }
        Command::Migrate { settings } => {
            let (layers, _) = layers(&settings)?;
            app::migrate(Config::database_url(&layers)?.expose()).await?;
            print(&if command_line.json { json!({ "migrated": true }).to_string() } else { "up to date".to_owned() });
        }
        Command::Connector(command) => connector::run(command, command_line.json).await?,
    }
    Ok(())
}

/// What flags, environment and file say, and which variables look like ours and are not.
fn layers(flags: &SettingFlags) -> Result<(Layers, Vec<String>), ConfigError> {
    let (layers, unknown) = Layers::default().with_environment(std::env::vars_os())?;
    let layers = layers.with_flags(|setting| flags.value(setting));
    Ok((with_file(layers, flags.file.as_deref())?, unknown))
}

/// As [`layers`], for commands that have no flags for settings.
fn layers_without_flags() -> Result<Layers, ConfigError> {
    let (layers, _) = Layers::default().with_environment(std::env::vars_os())?;
    let named = std::env::var_os("INTERLOCK_CONFIG").map(PathBuf::from);
    with_file(layers, named.as_deref())
}

fn with_file(layers: Layers, named: Option<&Path>) -> Result<Layers, ConfigError> {
    let usual = Path::new(config::layers::FILE);
    match named.or_else(|| usual.exists().then_some(usual)) {
        Some(path) => layers.with_file(path),
        None => Ok(layers),
    }
}

/// Variables that look like ours and are not. What is doubtful about the settings themselves, `serve` says.
fn log_unknown(variables: &[String]) {
    for variable in variables {
        tracing::warn!("{variable}");
    }
}

/// One line on standard output. Where nobody reads it, nobody misses it.
fn print(line: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn report(error: &anyhow::Error, as_json: bool) {
    // `{:#}` is the whole chain: what was attempted, and what came in its way.
    let text = format!("{error:#}");
    let line = if as_json { json!({ "error": text }).to_string() } else { format!("interlock: {text}") };
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn code_of(error: &anyhow::Error) -> u8 {
    let is_refusal = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Refused>() || matches!(cause.downcast_ref(), Some(CallError::Refused { .. }))
    };
    if error.chain().any(<dyn std::error::Error>::is::<ConfigError>) {
        WRONG_USAGE
    } else if error.chain().any(is_refusal) {
        REFUSED
    } else {
        FAILED
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::settings;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_flag_sets_what_its_variable_sets() {
        let arguments =
            ["interlock", "serve", "--lease-ms", "7000", "--allow-private-networks", "--public-addr=[::1]:0"];
        let Command::Serve { settings: flags } = CommandLine::parse_from(arguments).command else {
            panic!("it is `serve`");
        };
        assert_eq!(flags.value(&settings::LEASE).as_deref(), Some("7000"));
        assert_eq!(flags.value(&settings::ALLOW_PRIVATE_NETWORKS).as_deref(), Some("true"));
        assert_eq!(flags.value(&settings::PUBLIC_ADDR).as_deref(), Some("[::1]:0"));
        assert_eq!(flags.value(&settings::OPERATOR_ADDR), None);
    }

    #[test]
    fn the_exit_code_says_what_kind_of_failure_it_was() {
        let config = ConfigError::new("INTERLOCK_LEASE_MS", "is not set".into(), "set it".into());
        assert_eq!(code_of(&anyhow::Error::new(config).context("at the start")), WRONG_USAGE);
        let refused = CallError::Refused { status: http::StatusCode::NOT_FOUND, problem: serde_json::Value::Null };
        assert_eq!(code_of(&anyhow::Error::new(refused).context("activating")), REFUSED);
        assert_eq!(code_of(&anyhow::anyhow!("anything else")), FAILED);
    }
}
