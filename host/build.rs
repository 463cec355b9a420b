//! Rebuilds the library where a migration is added (`sqlx::migrate!` reads the folder when it compiles), and lists the
//! files that `interlock connector new` writes: the SDKs and the examples, as they lie in the folder.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The lists, and where their files are.
const LISTS: [(&str, &str); 6] = [
    ("RUST_SDK", "../connectors/sdk"),
    ("JAVASCRIPT_SDK", "../connectors/sdk-js"),
    ("PYTHON_SDK", "../connectors/sdk-python"),
    ("RUST", "../connectors/examples/rust"),
    ("JAVASCRIPT", "../connectors/examples/javascript"),
    ("PYTHON", "../connectors/examples/python"),
];

/// Folders that tools leave behind, in an example its link to the SDK, and in an SDK the contracts of before.
const LEFT_OUT: [&str; 5] = ["__pycache__", "node_modules", "released", "sdk", "target"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../migrations");
    // The examples have links to it.
    println!("cargo:rerun-if-changed=../connectors/examples/cassettes");
    let mut source = String::new();
    for (list, folder) in LISTS {
        println!("cargo:rerun-if-changed={folder}");
        let folder = fs::canonicalize(folder)?;
        let mut files = Vec::new();
        find(&folder, Path::new(""), &mut files)?;
        files.sort();
        writeln!(source, "pub static {list}: &[(&str, &str)] = &[")?;
        for file in files {
            let whole = folder.join(&file);
            let (Some(file), Some(whole)) = (file.to_str(), whole.to_str()) else {
                return Err(format!("{} is named with what is no text", whole.display()).into());
            };
            writeln!(source, "    ({file:?}, include_str!({whole:?})),")?;
        }
        writeln!(source, "];")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("templates.rs"), source)?;
    Ok(())
}

/// The files in `folder`, by their names below it. Hidden ones are somebody's settings.
fn find(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let shown = name.to_string_lossy();
        if shown.starts_with('.') || LEFT_OUT.contains(&shown.as_ref()) {
            continue;
        }
        let (path, below) = (folder.join(&name), below.join(&name));
        if path.is_dir() {
            find(&path, &below, files)?;
        } else {
            files.push(below);
        }
    }
    Ok(())
}
