//! A Postgres of our own in a folder of our own: for `interlock dev` and for tests.
//!
//! It listens at a socket alone, with a password that lies beside it, so that neither another Postgres of this machine
//! nor its other users are in the way. What is in it stays between starts.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

use super::{
    child::{self, Guarded},
    files::{lock, short_digest, write_private},
    postgres_programs::{Programs, User},
};
use crate::vault::random;

/// The user and the database that a new cluster has.
const NAME: &str = "interlock";
/// A part of the socket's name only: nothing listens at a port.
const PORT: u16 = 5432;
/// Room for a few hosts, their pools and a test runner's threads.
const CONNECTIONS_MAX: u32 = 300;
/// Bytes of a socket's path at most, without the byte that ends it; the shortest limit of the systems in use.
const SOCKET_PATH_MAX_BYTES: usize = 103;
/// How long a start may take; long enough to recover after a crash.
const START_MAX: Duration = Duration::from_mins(2);
/// Where clusters go whose own folder the user `postgres` cannot reach.
const REACHABLE: &str = "/var/lib/interlock-dev";
/// Lines of the log that an error shows.
const LOG_LINES: usize = 12;

/// What may be lost when the machine goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: as in production.
    Full,
    /// Everything; for tests, which begin anew anyway. Faster by as much as the disk is slow.
    None,
}

/// A running cluster. Dropped, it is stopped; killed with us, however we end.
pub struct PrivatePostgres {
    place: Place,
    password: String,
    /// Before the lock, so that it is dropped before it.
    server: Guarded,
    /// Held while the cluster runs: two programs with one folder would end each other's server.
    _lock: File,
}

/// The paths of one cluster.
struct Place {
    /// Password and lock; always the folder that was asked for.
    home: PathBuf,
    /// The cluster itself; below `home` where the server's user can reach that.
    data: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl PrivatePostgres {
    /// Starts the cluster of `folder`, which is made where it does not exist; `say` is told what takes time.
    ///
    /// Blocks for some seconds at the first start. An error says what to do.
    pub fn start(folder: &Path, durability: Durability, say: &dyn Fn(&str)) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
        let home = folder.canonicalize()?;
        let lock = lock(&home)?;
        let programs = Programs::find(made_by(&home.join("data")))?;
        let place = Place::of(home, &programs, say)?;
        // The cluster may lie elsewhere, and that one may have been made by another version.
        let programs = match made_by(&place.data) {
            Some(version) if version != programs.version => {
                Programs::find(Some(version)).with_context(|| format!("the database in {}", place.data.display()))?
            }
            Some(_) | None => programs,
        };
        place.end_orphan(say)?;
        let password = match place.password() {
            Some(password) if made_by(&place.data).is_some() => password,
            Some(_) | None => place.make(&programs, durability, say)?,
        };
        let server = place.serve(&programs, durability)?;
        let mut postgres = Self { place, password, server, _lock: lock };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    /// The URL of its database `interlock`, for us and for `psql`. Holds the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    /// As [`PrivatePostgres::url`], for another database of the cluster.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let host: String =
            url::form_urlencoded::byte_serialize(self.place.socket.as_os_str().as_encoded_bytes()).collect();
        let password = &self.password;
        format!("postgres://{NAME}:{password}@localhost:{PORT}/{database}?host={host}")
    }

    /// Where its server writes what happens to it.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.place.log
    }

    /// Why it runs no more, if it does not.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.server.ended()?;
        Some(format!(
            "Postgres ended ({status}); its log {} ends with\n{}",
            self.place.log.display(),
            self.place.log_end()
        ))
    }

    /// Stops the server; committed work is on disk.
    pub fn stop(mut self) {
        self.server.stop();
    }

    /// Stops the server and removes everything that was made.
    pub fn remove(mut self) -> anyhow::Result<()> {
        self.server.stop();
        for folder in [&self.place.data, &self.place.socket, &self.place.home] {
            if folder.exists() {
                fs::remove_dir_all(folder).with_context(|| format!("{} could not be removed", folder.display()))?;
            }
        }
        if let Some(parent) = self.place.data.parent().filter(|parent| parent.starts_with(REACHABLE)) {
            fs::remove_dir_all(parent).with_context(|| format!("{} could not be removed", parent.display()))?;
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let ours = self.server.id().to_string();
        let pid_file = self.place.data.join("postmaster.pid");
        let mut ended = None;
        let ready = child::wait_until(START_MAX, || {
            ended = self.ended();
            // The server's own word: its process id on the first line, its state on the eighth.
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = text.lines();
            let is_ready = lines.next().is_some_and(|pid| pid.trim() == ours)
                && lines.nth(6).is_some_and(|state| state.trim() == "ready");
            ended.is_some() || is_ready
        });
        match ended {
            Some(why) => bail!("{why}"),
            None if ready => Ok(()),
            None => bail!(
                "Postgres was not ready after {} s; its log {} ends with\n{}",
                START_MAX.as_secs(),
                self.place.log.display(),
                self.place.log_end()
            ),
        }
    }
}

impl Place {
    /// Decides where the cluster of `home` lies, and makes the folders around it.
    fn of(home: PathBuf, programs: &Programs, say: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let parent = if programs.can_reach(&home) { home.clone() } else { elsewhere(&home, programs)? };
        if parent != home {
            say(&format!(
                "the user `postgres` cannot reach {}: the database lies in {} instead",
                home.display(),
                parent.display()
            ));
        }
        let mut socket = parent.join("socket");
        if socket.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() > SOCKET_PATH_MAX_BYTES {
            // The system's limit is on the whole path, whatever is in it.
            socket = Path::new("/tmp").join(format!("interlock-{}", short_digest(home.as_os_str().as_encoded_bytes())));
        }
        private_folder(&socket, programs.user())?;
        Ok(Self { data: parent.join("data"), log: home.join("postgres.log"), socket, home })
    }

    fn password_file(&self) -> PathBuf {
        self.home.join("password")
    }

    fn password(&self) -> Option<String> {
        fs::read_to_string(self.password_file()).ok().filter(|password| !password.is_empty())
    }

    /// Makes a new cluster, whole or not at all: it gets its name when it is complete. Returns its password.
    fn make(&self, programs: &Programs, durability: Durability, say: &dyn Fn(&str)) -> anyhow::Result<String> {
        say(&format!("making a private Postgres {} in {}", programs.version, self.data.display()));
        // Without its password, or without its first file, nobody can use what is there.
        let partial = self.data.with_extension("partial");
        for left in [&self.data, &partial] {
            if left.exists() {
                fs::remove_dir_all(left).with_context(|| format!("{} could not be removed", left.display()))?;
            }
        }
        private_folder(&partial, programs.user())?;
        let password = format!("{:032x}", u128::from_le_bytes(random::bytes()));
        // For the program's eyes: gone as soon as it has read it.
        let for_initdb = partial.with_extension("password");
        write_private(&for_initdb, &password)?;
        if let Some(User { uid, gid }) = programs.user() {
            chown(&for_initdb, Some(uid), Some(gid))?;
        }
        let mut initdb = programs.command("initdb");
        initdb.args(["--username", NAME, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale"]);
        initdb.arg("--pwfile").arg(&for_initdb).arg("--pgdata").arg(&partial);
        if durability == Durability::None {
            initdb.arg("--no-sync");
        }
        let output = initdb.output();
        fs::remove_file(&for_initdb)?;
        succeeded("initdb", &output?)?;
        // The server in its single-user form: there is nobody to connect to yet.
        let mut single = programs.command("postgres");
        single.arg("--single").arg("-D").arg(&partial).arg("postgres").stdin(Stdio::piped());
        let output = feed(&mut single, format!("create database {NAME}\n").as_bytes())?;
        succeeded("postgres --single", &output)?;
        write_private(&self.password_file(), &password)?;
        fs::rename(&partial, &self.data)?;
        Ok(password)
    }

    fn serve(&self, programs: &Programs, durability: Durability) -> anyhow::Result<Guarded> {
        let log = File::create(&self.log).with_context(|| format!("{} could not be written", self.log.display()))?;
        let mut server = programs.command("postgres");
        server.arg("-D").arg(&self.data).arg("-k").arg(&self.socket).arg("-p").arg(PORT.to_string());
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            "unix_socket_permissions=0700".to_owned(),
            format!("max_connections={CONNECTIONS_MAX}"),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        if durability == Durability::None {
            settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
        }
        for setting in settings {
            server.arg("-c").arg(setting);
        }
        server.stdout(log.try_clone()?).stderr(log);
        Guarded::start("Postgres", &mut server)
    }

    /// Ends the server that a killed program of ours left behind. The guard does the same: it may be at it.
    fn end_orphan(&self, say: &dyn Fn(&str)) -> anyhow::Result<()> {
        let pid_file = self.data.join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&pid_file) else { return Ok(()) };
        let process: Option<u32> = text.lines().next().and_then(|line| line.trim().parse().ok());
        // A process id alone says little: after a restart of the machine it is somebody else's.
        let data = self.data.to_string_lossy();
        let is_ours = |process: u32| child::command_line(process).is_some_and(|line| line.contains(&*data));
        match process.filter(|process| is_ours(*process)) {
            Some(process) => {
                say("ending the Postgres that an earlier start left behind");
                ensure!(
                    child::end_foreign(process),
                    "Postgres (process {process}) still runs in {data} and does not end; `kill -9 {process}` ends it"
                );
            }
            // Postgres refuses to start over the file where that number is taken by whomever.
            None => fs::remove_file(&pid_file)?,
        }
        Ok(())
    }

    fn log_end(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }
}

/// The version that made the cluster in `data`; none where there is no whole cluster.
fn made_by(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The folder for a cluster whose `home` its user cannot reach; the same for the same home.
fn elsewhere(home: &Path, programs: &Programs) -> anyhow::Result<PathBuf> {
    let folder = Path::new(REACHABLE).join(short_digest(home.as_os_str().as_encoded_bytes()));
    fs::create_dir_all(REACHABLE).with_context(|| format!("{REACHABLE} could not be made"))?;
    fs::set_permissions(REACHABLE, fs::Permissions::from_mode(0o755))?;
    private_folder(&folder, programs.user())?;
    ensure!(
        programs.can_reach(&folder),
        "the user `postgres` can reach neither {} nor {}; give --data-dir a folder that it can",
        home.display(),
        folder.display()
    );
    Ok(folder)
}

/// A folder of the server's user that nobody else may enter. One that is there already must be exactly that: in `/tmp`
/// anybody may have made it.
fn private_folder(folder: &Path, user: Option<User>) -> anyhow::Result<()> {
    let owner = user.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
    match fs::create_dir(folder) {
        Ok(()) => {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            if let Some(User { uid, gid }) = user {
                chown(folder, Some(uid), Some(gid))
                    .with_context(|| format!("{} has no new owner", folder.display()))?;
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let metadata = fs::symlink_metadata(folder)?;
            ensure!(
                metadata.is_dir() && metadata.uid() == owner && metadata.mode().trailing_zeros() >= 6,
                "{} is not a folder that belongs to the user of Postgres alone; remove it",
                folder.display()
            );
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("{} could not be made", folder.display())),
    }
}

fn succeeded(program: &str, output: &Output) -> anyhow::Result<()> {
    ensure!(
        output.status.success(),
        "{program} failed ({}):\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn feed(command: &mut Command, input: &[u8]) -> anyhow::Result<Output> {
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} could not be started"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where it ended early, its own message says more than the broken pipe.
        let _ = stdin.write_all(input);
    }
    child.wait_with_output().with_context(|| format!("{program} could not be waited for"))
}

#[cfg(test)]
#[path = "postgres_tests.rs"]
mod tests;
