//! Where the programs of Postgres are on this machine, and as whom they may run.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// The schema is tested from this version on: what Debian 12 has.
pub const VERSION_MIN: u32 = 15;

/// The programs of one installation of Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    folder: PathBuf,
    /// The major version: a cluster made by one cannot be used by another.
    pub version: u32,
    user: Option<User>,
}

/// The account that Postgres runs under where we are root: it refuses to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// The account that packages of Postgres make.
const USER: &str = "postgres";

impl Programs {
    /// Finds the programs: those of `version`, where a cluster was made by it, or else the newest.
    pub fn find(version: Option<u32>) -> anyhow::Result<Self> {
        let found: Vec<(u32, PathBuf)> = candidates()
            .into_iter()
            .filter(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
            .filter_map(|folder| Some((version_of(&folder)?, folder)))
            .collect();
        let chosen = match version {
            Some(wanted) => found.iter().find(|(version, _)| *version == wanted),
            // Of several with the newest version the first: the last of equal ones is what this finds.
            None => {
                found.iter().rev().max_by_key(|(version, _)| *version).filter(|(version, _)| *version >= VERSION_MIN)
            }
        };
        let Some((version, folder)) = chosen.cloned() else {
            let versions: Vec<String> = found.iter().map(|(version, _)| version.to_string()).collect();
            let found = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
            match version {
                Some(wanted) => bail!(
                    "the data was made by Postgres {wanted}, and found is {found}; install that version, or remove \
                     the data to begin anew"
                ),
                None => bail!(
                    "Postgres {VERSION_MIN} or newer is needed, and found is {found}; run `make setup`, or \
                     `apt-get install postgresql`, or set DATABASE_URL to a database of your own"
                ),
            }
        };
        Ok(Self { folder, version, user: user()? })
    }

    /// Whom the programs run as; none where that is ourselves.
    pub fn user(&self) -> Option<User> {
        self.user
    }

    /// One of the programs, to be run as its user, with nothing in its environment that would lead it astray.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.plain(&self.folder.join(program));
        for (name, _) in std::env::vars_os() {
            // PGDATA, PGPORT, PGOPTIONS … speak of another cluster.
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        // Messages are read by us and shown to people who search for them.
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Whether the programs' user can reach `folder`: a clone below `/root` is closed to everybody else.
    pub fn can_reach(&self, folder: &Path) -> bool {
        self.user.is_none()
            || self
                .plain(Path::new("test"))
                .arg("-x")
                .arg(folder)
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }

    fn plain(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The user may not be allowed to be where we are.
        command.current_dir("/");
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Folders in which installations keep their programs, most of which do not exist.
fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && output.status.success()
    {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    // Debian; Red Hat; Homebrew.
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql")] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(
            entries
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
                .map(|entry| entry.path().join("bin")),
        );
    }
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders
}

/// The major version of the programs in `folder`.
fn version_of(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// 15 of `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`, 18 of `postgres (PostgreSQL) 18beta1`.
fn major(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL) ")?.1;
    let end = number.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

/// Whom Postgres is to run as: nobody else than us, or the packages' user where we are root.
fn user() -> anyhow::Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |flag: &str| -> anyhow::Result<u32> {
        let output = Command::new("id").args([flag, USER]).output().context("`id` could not be run")?;
        String::from_utf8_lossy(&output.stdout).trim().parse().with_context(|| {
            format!(
                "Postgres does not run as root, and there is no user `{USER}` to run it; `useradd --system {USER}` \
                 makes one, or start this as another user"
            )
        })
    };
    Ok(Some(User { uid: id("-u")?, gid: id("-g")? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_form() {
        assert_eq!(major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(major("something else 9"), None);
    }

    #[test]
    fn a_version_that_is_not_here_is_named() {
        let error = Programs::find(Some(7)).expect_err("nobody has Postgres 7").to_string();
        assert!(error.starts_with("the data was made by Postgres 7, and found is "), "{error}");
    }
}
