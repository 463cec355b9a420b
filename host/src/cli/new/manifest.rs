//! The manifest of a connector in Rust that stands alone: what ours inherits from our workspace, its own workspace says.

use std::path::Path;

const OURS: &str = include_str!("../../../../Cargo.toml");
/// Sections that are taken as they are.
const TAKEN: [&str; 5] = [
    "workspace.package",
    "workspace.lints.rust",
    "workspace.lints.clippy",
    "workspace.lints.rustdoc",
    "profile.connector",
];

/// What follows the example's own sections.
pub fn workspace(example: &str, sdk: &[(&str, &str)]) -> String {
    let sdk_manifest = sdk.iter().find(|(path, _)| Path::new(path) == Path::new("Cargo.toml"));
    let manifests = [example, sdk_manifest.map(|(_, text)| *text).unwrap_or_default()];
    let mut out = String::from("\n# From here on: what the connector and its SDK have in common.\n[workspace]\n");
    for name in TAKEN {
        out.extend(["\n[", name, "]\n", &section(name)]);
    }
    out.push_str("\n[workspace.dependencies]\ninterlock-connector = { path = \"sdk\" }\n");
    for line in section("workspace.dependencies").lines() {
        let Some((name, _)) = line.split_once(" = ") else { continue };
        let is_used = |manifest: &&str| {
            manifest.lines().any(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with(".workspace") || rest.starts_with(" = "))
            })
        };
        if name != "interlock-connector" && manifests.iter().any(is_used) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The lines of one section of our manifest, without our reasons.
fn section(name: &str) -> String {
    let header = format!("[{name}]");
    let lines = OURS.lines().skip_while(|line| *line != header).skip(1).take_while(|line| !line.starts_with('['));
    // A comment at the end belongs to what follows.
    let own: Vec<_> = lines.collect();
    let end = own.iter().rposition(|line| !line.is_empty() && !line.starts_with('#')).map_or(0, |last| last + 1);
    own.iter().take(end).flat_map(|line| [line.split_once(" # ").map_or(*line, |(said, _)| said), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_inherited_is_said() {
        let example = "[package]\nversion.workspace = true\n\n[dependencies]\nserde.workspace = true\n";
        let sdk = [("Cargo.toml", "[dependencies]\nwit-bindgen.workspace = true\n")];
        let text = workspace(example, &sdk);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        let dependencies = parsed["workspace"]["dependencies"].as_table().unwrap();
        assert_eq!(dependencies.keys().collect::<Vec<_>>(), ["interlock-connector", "serde", "wit-bindgen"]);
        assert!(parsed["workspace"]["package"]["edition"].is_str());
        assert!(parsed["workspace"]["lints"]["clippy"].is_table());
        assert_eq!(parsed["profile"]["connector"]["inherits"].as_str(), Some("release"));
        assert_eq!(text.matches('#').count(), 1, "our reasons are about our files: {text}");
    }
}
