//! Rebuilds the library where a migration is added: `sqlx::migrate!` reads the folder when it compiles.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
