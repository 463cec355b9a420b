//! `interlock connector sign`: keys, and signatures beside components.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::connector::{digest_of, hex, signature::SigningKey};

/// What is to be signed, and with which key.
#[derive(Args)]
pub struct SignArguments {
    /// The component; with --new-key it may be left out
    #[arg(required_unless_present = "new_key")]
    component: Option<PathBuf>,
    /// An ed25519 private key: PKCS#8 in PEM, not encrypted
    #[arg(long, value_name = "KEY.pem", required_unless_present = "new_key", conflicts_with = "new_key")]
    key: Option<PathBuf>,
    /// Makes a key, writes it to this file, and uses it
    #[arg(long, value_name = "KEY.pem")]
    new_key: Option<PathBuf>,
}

const PEM_LINE_CHARS: usize = 64;

/// Signs, and says with which key. The private key is in its file and nowhere else.
pub fn sign(arguments: &SignArguments) -> anyhow::Result<Value> {
    let key = match (&arguments.key, &arguments.new_key) {
        (Some(path), _) => read_key(path)?,
        (None, Some(path)) => make_key(path)?,
        (None, None) => bail!("name a key with --key, or make one with --new-key"),
    };
    let mut signed = json!({ "public_key": key.public_key() });
    let Some(component) = &arguments.component else { return Ok(signed) };
    let bytes = fs::read(component).with_context(|| format!("{} could not be read", component.display()))?;
    let digest = digest_of(&bytes);
    let mut path = component.as_os_str().to_owned();
    path.push(".sig");
    fs::write(&path, key.sign(&digest) + "\n")
        .with_context(|| format!("{} could not be written", Path::new(&path).display()))?;
    if let Some(object) = signed.as_object_mut() {
        object.insert("digest".into(), json!(hex(&digest)));
        object.insert("signature".into(), json!(Path::new(&path).display().to_string()));
    }
    Ok(signed)
}

/// The answer for people: what was written, and what operators are to trust.
pub fn lines(signed: &Value) -> String {
    let text = |name: &str| signed.get(name).and_then(Value::as_str);
    let mut lines = Vec::new();
    if let (Some(path), Some(digest)) = (text("signature"), text("digest")) {
        lines.push(format!("{path}  {digest}"));
    }
    lines.push(format!("INTERLOCK_CONNECTOR_KEYS={}", text("public_key").unwrap_or_default()));
    lines.join("\n")
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let advice = "`openssl genpkey -algorithm ed25519` and `interlock connector sign --new-key` make such keys";
    let der = PrivatePkcs8KeyDer::from_pem_file(path)
        .with_context(|| format!("{} is no private key in PEM; {advice}", path.display()))?;
    SigningKey::from_pkcs8(der.secret_pkcs8_der())
        .with_context(|| format!("{} cannot be used; {advice}", path.display()))
}

/// Makes a key and keeps it for this user alone. A file that is there already stays: it may hold the only copy of a key.
fn make_key(path: &Path) -> anyhow::Result<SigningKey> {
    let key = SigningKey::generate()?;
    let pem = pem(&key.to_pkcs8()?);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| {
            format!("{} could not be written; a key is never written over another file", path.display())
        })?;
    Ok(key)
}

fn pem(der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE_CHARS));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::connector::signature::{check, public_key};

    fn arguments(component: Option<&Path>, key: Option<&Path>, new_key: Option<&Path>) -> SignArguments {
        let owned = |path: Option<&Path>| path.map(Path::to_owned);
        SignArguments { component: owned(component), key: owned(key), new_key: owned(new_key) }
    }

    /// Made once, used again: the same key, and a signature that the host takes.
    #[test]
    fn what_is_signed_with_a_made_key_is_taken_by_who_trusts_it() {
        let dir = TempDir::new().unwrap();
        let (component, key) = (dir.path().join("a.wasm"), dir.path().join("key.pem"));
        fs::write(&component, b"bytes").unwrap();
        let made = sign(&arguments(None, None, Some(&key))).unwrap();
        let signed = sign(&arguments(Some(&component), Some(&key), None)).unwrap();
        assert_eq!(made["public_key"], signed["public_key"]);
        let document = fs::read(dir.path().join("a.wasm.sig")).unwrap();
        let trusted = crate::connector::TrustedKey {
            name: None,
            public_key: public_key(made["public_key"].as_str().unwrap()).unwrap(),
        };
        assert!(check(&digest_of(b"bytes"), Some(&document), &[trusted]).unwrap().unwrap().trusted);
        assert!(lines(&signed).ends_with(made["public_key"].as_str().unwrap()));
    }

    /// PKCS#8 as `openssl genpkey -algorithm ed25519` writes it; the key of RFC 8410's example.
    #[test]
    fn a_key_of_another_tool_is_read() {
        let dir = TempDir::new().unwrap();
        let key = dir.path().join("key.pem");
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        fs::write(&key, pem).unwrap();
        assert_eq!(read_key(&key).unwrap().public_key(), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
        assert_eq!(self::pem(&read_key(&key).unwrap().to_pkcs8().unwrap()).as_str(), pem);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_its_owners_alone_and_never_written_over_another() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = TempDir::new().unwrap();
        let key = dir.path().join("key.pem");
        sign(&arguments(None, None, Some(&key))).unwrap();
        let before = fs::read(&key).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(sign(&arguments(None, None, Some(&key))).unwrap_err().to_string().contains("never written over"));
        assert_eq!(fs::read(&key).unwrap(), before);
        fs::write(dir.path().join("none.pem"), "no key").unwrap();
        assert!(read_key(&dir.path().join("none.pem")).is_err());
    }
}
