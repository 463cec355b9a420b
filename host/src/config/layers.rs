//! Where a setting comes from: flags, then the environment, then `interlock.toml`, then the defaults.

use std::{collections::BTreeMap, path::Path};

use super::{
    ConfigError,
    settings::{OTHER_VARIABLES, SETTINGS, Setting, TEST_PREFIX},
};

/// The file that is read from the working folder where `--config` names no other.
pub const FILE: &str = "interlock.toml";

/// What was said about each setting, by whom.
#[derive(Clone, Default)]
pub struct Layers {
    flags: Layer,
    environment: Layer,
    file: Layer,
    /// Defaults of a command, such as those of `dev`; they go before those of the table.
    defaults: Layer,
    /// What `[sinks.NAME]` tables of the file say, and the variables that go before them.
    pub(super) sinks: SinkLayers,
}

/// By the name of the environment variable.
type Layer = BTreeMap<&'static str, Said>;

/// What was said of sinks; [`super::sinks`] reads it.
#[derive(Clone, Default)]
pub(super) struct SinkLayers {
    /// By the name of the sink and then the key of the setting.
    pub(super) tables: BTreeMap<String, BTreeMap<String, Said>>,
    /// By the name of the variable.
    pub(super) variables: BTreeMap<String, Said>,
}

/// One value and where it was said, such as `--public-addr` or `public_addr in interlock.toml`.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) place: String,
}

impl Layers {
    /// What flags said; `flag` is asked for each setting.
    #[must_use]
    pub fn with_flags(mut self, flag: impl Fn(&Setting) -> Option<String>) -> Self {
        for setting in SETTINGS {
            if let Some(text) = flag(setting) {
                self.flags.insert(setting.name, Said { text, place: format!("--{}", setting.flag()) });
            }
        }
        self
    }

    /// What `variables` of the environment say. An empty one counts as not set: that is how many tools unset one.
    ///
    /// Also names the variables that look like ours and are not: a misspelt one would be ignored in silence.
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut unknown = Vec::new();
        for (name, text) in variables {
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(SINKS_PREFIX) {
                // Which of them are settings, the file says: its tables name the sinks.
                if let Some(text) = text.to_str().filter(|text| !text.is_empty()) {
                    self.sinks.variables.insert(name.into(), Said { text: text.into(), place: name.into() });
                }
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                if name.starts_with("INTERLOCK_") && !name.starts_with(TEST_PREFIX) && !OTHER_VARIABLES.contains(&name)
                {
                    // Compared without the prefix that they all share: with it, everything looks alike.
                    let key = name.trim_start_matches("INTERLOCK_").to_lowercase();
                    unknown.push(match nearest(&key) {
                        Some(near) => format!("{name} is no setting; did you mean {}?", near.name),
                        None => format!("{name} is no setting; `interlock serve --help` lists them"),
                    });
                }
                continue;
            };
            let text = text.into_string().map_err(|_| {
                ConfigError::new(setting.name, "is not UTF-8".into(), "write it in plain characters".into())
            })?;
            if !text.is_empty() {
                self.environment.insert(setting.name, Said { text, place: setting.name.to_owned() });
            }
        }
        Ok((self, unknown))
    }

    /// What the file at `path` says.
    pub fn with_file(self, path: &Path) -> Result<Self, ConfigError> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::new(&place, format!("cannot be read ({error})"), "name a file that can, or none".into())
        })?;
        self.with_file_text(&place, &text)
    }

    /// As [`Layers::with_file`]; `place` is what errors call the file.
    pub(super) fn with_file_text(mut self, place: &str, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // The parser would show the line: it may hold a secret. Where it stands is enough.
            let line = error.span().map_or(0, |span| text.get(..span.start).unwrap_or(text).lines().count().max(1));
            let what = format!("is not TOML at line {line} ({})", error.message());
            ConfigError::new(place, what, "write lines such as public_addr = \"127.0.0.1:8080\"".into())
        })?;
        for (key, value) in table {
            if key == SINKS {
                self.sinks.tables = sink_tables(place, value)?;
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == key) else {
                let advice = match nearest(&key) {
                    Some(near) => format!("did you mean {}?", near.key()),
                    None => "`interlock serve --help` lists the settings".into(),
                };
                return Err(ConfigError::new(place, format!("has `{key}`, which is no setting"), advice));
            };
            self.file.insert(setting.name, said(&value, format!("{key} in {place}"))?);
        }
        Ok(self)
    }

    /// What holds where nobody says anything, in place of the table's default.
    #[must_use]
    pub fn with_default(mut self, setting: &Setting, text: impl Into<String>) -> Self {
        self.defaults.insert(setting.name, Said { text: text.into(), place: setting.name.to_owned() });
        self
    }

    /// Whether somebody set it: a default does not count.
    #[must_use]
    pub fn sets(&self, setting: &Setting) -> bool {
        [&self.flags, &self.environment, &self.file].iter().any(|layer| layer.contains_key(setting.name))
    }

    /// Reads `setting` with `parse`; none where neither anybody nor the table says anything.
    pub fn read<T>(
        &self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, ConfigError> {
        let said = [&self.flags, &self.environment, &self.file, &self.defaults]
            .iter()
            .find_map(|layer| layer.get(setting.name))
            .map(|said| (said.text.as_str(), said.place.as_str()))
            .or_else(|| setting.default.map(|text| (text, setting.name)));
        let Some((text, place)) = said else { return Ok(None) };
        // Space around a value comes with the line that it was copied from.
        parse(text.trim()).map(Some).map_err(|fault| {
            let named =
                if place.contains(setting.name) { place.to_owned() } else { format!("{} ({place})", setting.name) };
            let what = if setting.secret { fault.what } else { format!("is `{}`: {}", shown(text), fault.what) };
            ConfigError::new(&named, what, fault.advice)
        })
    }
}

/// What is wrong with a value, and what to write instead. Says nothing of the value itself.
#[derive(Debug)]
pub struct Fault {
    pub what: String,
    pub advice: String,
}

impl Fault {
    /// A fault.
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

/// The table of the file that holds one table for each sink.
const SINKS: &str = "sinks";
/// What variables about sinks begin with.
pub(super) const SINKS_PREFIX: &str = "INTERLOCK_SINKS_";

/// The tables of sinks as texts.
fn sink_tables(place: &str, value: toml::Value) -> Result<BTreeMap<String, BTreeMap<String, Said>>, ConfigError> {
    let refused = |what: &str| {
        let advice = "write a table such as [sinks.NAME] with kind = \"nats\" or kind = \"kafka\"";
        ConfigError::new(what, format!("in {place} is no table"), advice.into())
    };
    let toml::Value::Table(sinks) = value else { return Err(refused(SINKS)) };
    let table = |(name, value): (String, toml::Value)| {
        let toml::Value::Table(table) = value else { return Err(refused(&format!("{SINKS}.{name}"))) };
        let texts = table.into_iter().map(|(key, value)| {
            let said = said(&value, format!("{SINKS}.{name}.{key} in {place}"))?;
            Ok((key, said))
        });
        Ok((name.clone(), texts.collect::<Result<_, _>>()?))
    };
    sinks.into_iter().map(table).collect()
}

/// A value of the file.
fn said(value: &toml::Value, place: String) -> Result<Said, ConfigError> {
    match text_of(value) {
        Some(text) => Ok(Said { text, place }),
        None => Err(ConfigError::new(
            &place,
            format!("is {}", value.type_str()),
            "write a text, a number, true or false, or a list of them".into(),
        )),
    }
}

/// A value of TOML as one would write it in a variable; lists are joined by commas.
fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        // `0.5` of a list of delays; as it was meant, since no setting needs more digits than are printed
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| if item.is_array() { None } else { text_of(item) }).collect();
            Some(items?.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Names farther apart than this are not a slip of the finger (a share of 1, as strsim measures).
const LIKENESS_MIN: f64 = 0.75;

/// The setting whose key looks most like `key`, if any does.
fn nearest(key: &str) -> Option<&'static Setting> {
    nearest_of(key, SETTINGS.iter().map(|setting| (setting.key(), *setting)))
}

/// Of what goes by these names, that whose name looks most like `name`, if any does.
pub(super) fn nearest_of<T, N: AsRef<str>>(name: &str, known: impl Iterator<Item = (N, T)>) -> Option<T> {
    known
        .map(|(known, what)| (strsim::jaro_winkler(name, known.as_ref()), what))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, what)| what)
}

/// Long enough to recognise a value by, short enough for one line.
const SHOWN_MAX_CHARS: usize = 80;

pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}
