//! The command line: `serve`, `dev`, `migrate`, `connector …`.
//!
//! An error is one line that says what failed and what to do; [`failure`] has the exit codes.

mod admit;
mod build;
mod check;
mod connector;
mod failure;
mod flags;
mod life;
mod log;
mod new;
mod progress;
mod record;
mod show;
mod sign;
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
    config::{self, Config, ConfigError, Layers},
    connector::child,
    dev, serve,
    telemetry::{self, LogFormat},
};

/// A payment switch that cannot charge twice.
#[derive(Parser)]
#[command(name = "interlock", version, arg_required_else_help = true, after_help = failure::HELP)]
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
    #[command(subcommand, after_help = failure::HELP)]
    Connector(ConnectorCommand),
    /// Judges the component on standard input, within limits: what a host has a process of its own do
    #[command(name = child::COMMAND, hide = true)]
    Admit { job: String },
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            let as_json = std::env::args_os().any(|argument| argument == "--json");
            return ExitCode::from(failure::report_usage(&error, as_json));
        }
    };
    let as_json = command_line.json;
    progress::begin(as_json);
    if let Command::Admit { job } = &command_line.command {
        // Before there are threads, and a runtime that wants more of them.
        return admit::run(job);
    }
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the runtime could not be started")
        .and_then(|runtime| {
            let ended = runtime.block_on(run(command_line));
            // A host that is to end does not wait for a component that it compiles.
            runtime.shutdown_background();
            ended
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            failure::report(&error, as_json);
            ExitCode::from(failure::Kind::of(&error).code())
        }
    }
}

async fn run(command_line: CommandLine) -> anyhow::Result<()> {
    match command_line.command {
        Command::Serve { settings } => {
            let (layers, unknown) = layers(&settings)?;
            let config = Config::read(&layers)?.judging(admit::by_own_program()?);
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
        Command::Admit { .. } => unreachable!("`main` has done it"),
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
}
