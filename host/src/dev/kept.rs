//! What `dev` keeps between starts beside the database: keys, and which merchant and account it made there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::files::{replace_private, short_digest};
use crate::vault::random;

/// The name of the file in a data folder.
pub const FILE: &str = "dev.json";

/// The file of a data folder. Serialisable although it holds secrets, because that is its whole purpose: the file is
/// readable by its owner alone, and its keys protect test data.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// 32 bytes in base64.
    pub master_key: String,
    pub operator_token: String,
    pub simulator: KeptSimulator,
    /// What was made in which database, by a digest of its URL: `DATABASE_URL` may name another one each time.
    worlds: BTreeMap<String, World>,
    #[serde(skip)]
    path: PathBuf,
}

/// The simulator's side of the account.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSimulator {
    /// The same at each start: its address is part of the account's identity and cannot be changed there.
    pub port: Option<u16>,
    pub api_key: String,
    pub webhook_secret: String,
}

/// What was made in one database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    pub merchant: String,
    pub api_key: String,
    pub gateway_account: String,
    /// The simulator that the account speaks to.
    pub base_url: String,
}

impl Kept {
    /// What the folder `home` keeps, or something new.
    pub fn open(home: &Path) -> anyhow::Result<Self> {
        let path = home.join(FILE);
        let mut kept = Self::read(&path)?.unwrap_or_else(Self::new);
        kept.path = path;
        // At once: what is encrypted under a key that was never written down is lost.
        kept.save()?;
        Ok(kept)
    }

    /// What the file at `path` holds; none where there is none.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .with_context(|| format!("{} cannot be read; remove its folder to begin anew", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// What was made in the database with this URL.
    pub fn world(&self, database_url: &str) -> Option<&World> {
        self.worlds.get(&short_digest(database_url.as_bytes()))
    }

    /// Keeps what was made in the database with this URL.
    pub fn keep_world(&mut self, database_url: &str, world: World) -> anyhow::Result<()> {
        self.worlds.insert(short_digest(database_url.as_bytes()), world);
        self.save()
    }

    /// Writes all of it down.
    pub fn save(&self) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("what is kept has a form in JSON")?;
        replace_private(&self.path, &text)
    }

    fn new() -> Self {
        Self {
            master_key: base64::engine::general_purpose::STANDARD.encode(random::bytes::<32>()),
            operator_token: format!("op_{}", secret()),
            simulator: KeptSimulator {
                port: None,
                api_key: format!("sim_{}", secret()),
                webhook_secret: format!("whsec_{}", secret()),
            },
            worlds: BTreeMap::new(),
            path: PathBuf::new(),
        }
    }
}

/// 128 bits as text.
fn secret() -> String {
    format!("{:032x}", u128::from_le_bytes(random::bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_the_same_at_the_next_start() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut first = Kept::open(home.path()).expect("it is made");
        first.simulator.port = Some(4_000);
        let world = World {
            merchant: "mer_1".into(),
            api_key: "sk_1".into(),
            gateway_account: "gwa_1".into(),
            base_url: "http://127.0.0.1:4000".into(),
        };
        first.keep_world("postgres://one", world).expect("it is written");

        let second = Kept::open(home.path()).expect("it is read");
        assert_eq!((&second.master_key, &second.operator_token), (&first.master_key, &first.operator_token));
        assert_eq!(second.simulator.port, Some(4_000));
        assert_eq!(second.world("postgres://one").map(|world| world.api_key.as_str()), Some("sk_1"));
        assert!(second.world("postgres://other").is_none());
    }

    #[test]
    fn nobody_else_can_read_it() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let kept = Kept::open(home.path()).expect("it is made");
        let mode = fs::metadata(home.path().join(FILE)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!fs::read_to_string(&kept.path).expect("it is text").contains("postgres://"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let home = tempfile::tempdir().expect("a temporary folder");
        fs::write(home.path().join(FILE), "{").expect("it is ours");
        let error = Kept::open(home.path()).err().expect("it is refused").to_string();
        assert!(error.contains("dev.json cannot be read; remove its folder"), "{error}");
    }
}
