//! Real clusters, started and ended in every way.

use std::os::unix::fs::PermissionsExt as _;

use sqlx::{Connection as _, PgConnection};

use super::*;

fn folder(mode: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("it is ours");
    folder
}

fn start(folder: &Path) -> PrivatePostgres {
    PrivatePostgres::start(folder, Durability::None, &|_| ()).unwrap_or_else(|error| panic!("{error:#}"))
}

async fn run(url: &str, statement: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await
}

/// Made, stopped, started again: what was written is there, the password is the same, and a wrong one does not do.
#[tokio::test]
async fn what_is_in_it_stays_between_starts() {
    let folder = folder(0o755);
    let postgres = start(&folder.path().join("postgres"));
    run(&postgres.url(), "create table kept (it int); insert into kept values (1)").await.expect("it takes statements");
    let url = postgres.url();
    let wrong = url.replacen(&postgres.password, "wrong", 1);
    assert!(run(&wrong, "select 1").await.is_err(), "the password counts");
    postgres.stop();
    assert!(run(&url, "select 1").await.is_err(), "it is stopped");

    let postgres = start(&folder.path().join("postgres"));
    assert_eq!(postgres.url(), url);
    run(&url, "drop table kept").await.expect("it was kept");
    postgres.remove().expect("it can be removed");
}

/// The program that started it was killed: its guard may not have come to it yet, and its server still runs. The next
/// start takes over.
#[tokio::test]
async fn a_server_left_behind_is_taken_over() {
    let folder = folder(0o755);
    let home = folder.path().join("postgres");
    start(&home).stop();
    let programs = Programs::find(None).expect("Postgres is installed");
    let place = Place::of(home.canonicalize().expect("it is there"), &programs, &|_| ()).expect("it is there");
    let orphan = place.serve(&programs, Durability::None).expect("it starts");
    child::wait_until(START_MAX, || place.data.join("postmaster.pid").exists());

    let postgres = start(&home);
    run(&postgres.url(), "select 1").await.expect("it takes statements");
    drop(orphan);
    postgres.remove().expect("it can be removed");
}

/// After a crash of the machine the file names a process that is now another program.
#[tokio::test]
async fn a_stale_process_id_is_no_hindrance() {
    let folder = folder(0o755);
    let home = folder.path().join("postgres");
    start(&home).stop();
    let stale = format!("{}\n{}\n", std::process::id(), home.join("data").display());
    fs::write(home.join("data/postmaster.pid"), stale).expect("it can be written");
    let postgres = start(&home);
    run(&postgres.url(), "select 1").await.expect("it takes statements");
    postgres.remove().expect("it can be removed");
}

/// A clone below `/root`, or below somebody's closed home: the socket's path is too long there as well.
#[tokio::test]
async fn a_folder_that_is_closed_and_deep_will_do() {
    let folder = folder(0o700);
    let home = folder.path().join("a".repeat(100)).join("postgres");
    let postgres = start(&home);
    run(&postgres.url(), "select 1").await.expect("it takes statements");
    let data = postgres.place.data.clone();
    postgres.remove().expect("it can be removed");
    assert!(!data.exists() && !home.exists());
}

#[test]
fn two_do_not_share_a_folder() {
    let folder = folder(0o755);
    let _lock = lock(folder.path()).expect("nobody has it");
    let error = PrivatePostgres::start(folder.path(), Durability::None, &|_| ()).err().expect("it must be refused");
    assert!(error.to_string().contains("another program uses"), "{error}");
}

/// Where another user's folder waits at the name that we would use, nothing is put into it.
#[test]
fn a_folder_that_others_may_enter_is_not_used() {
    let folder = folder(0o755);
    let open = folder.path().join("open");
    fs::create_dir(&open).expect("it is ours");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("it is ours");
    assert!(private_folder(&open, None).is_err());
}

/// What is left of a start that was killed while it made the cluster.
#[tokio::test]
async fn half_a_cluster_is_made_anew() {
    let folder = folder(0o755);
    let home = folder.path().join("postgres");
    fs::create_dir_all(home.join("data.partial/base")).expect("it is ours");
    write_private(&home.join("password"), "of nothing").expect("it is ours");
    let postgres = start(&home);
    run(&postgres.url(), "select 1").await.expect("it takes statements");
    postgres.remove().expect("it can be removed");
}
