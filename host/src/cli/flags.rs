//! A flag for every setting, made from the table of settings.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::settings::{SETTINGS, Setting};

/// Names the file; `interlock.toml` of the working folder where it is absent, if there is one.
const FILE: &str = "config";

/// What was said by flags.
pub struct SettingFlags {
    values: BTreeMap<&'static str, String>,
    /// The file that was named.
    pub file: Option<PathBuf>,
}

impl SettingFlags {
    /// What the flag of `setting` says.
    pub fn value(&self, setting: &Setting) -> Option<String> {
        self.values.get(setting.name).cloned()
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let said = |setting: &&'static Setting| Some((setting.name, matches.get_one::<String>(setting.name)?.clone()));
        Ok(Self { values: SETTINGS.iter().filter_map(said).collect(), file: matches.get_one::<PathBuf>(FILE).cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .env("INTERLOCK_CONFIG")
            .value_parser(clap::value_parser!(PathBuf))
            .help("settings as TOML [default: interlock.toml, where there is one]");
        SETTINGS.iter().fold(command.arg(file), |command, setting| command.arg(flag(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let arg = Arg::new(setting.name)
        .long(setting.flag())
        .value_name("VALUE")
        .help(format!("{}{default} [env: {}]", setting.help, setting.name));
    // A yes-or-no may be given as the bare flag.
    if setting.default == Some("false") { arg.num_args(0..=1).default_missing_value("true") } else { arg }
}
