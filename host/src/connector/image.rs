//! Compiled images of components, kept on disk between starts.
//!
//! An image is machine code: who can choose its bytes owns the process. So an image is loaded only if this host wrote
//! it for exactly this component and this engine, which its HMAC says: under a key that is derived from the master
//! key, over component, engine and code. Whatever is not like that (torn, older, another key, tampered with) is as if
//! it were not there, and is compiled again.
#![expect(unsafe_code, reason = "loading machine code is unsafe; the HMAC is what makes it ours")]

use std::{
    fs, hash,
    hash::Hash as _,
    io,
    io::Write as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::{digest, hmac};
use wasmtime::{Engine, component::Component};

use super::version::hex;

/// Says what the file is, and the version of its layout: this, the HMAC, the code.
const MAGIC: &[u8; 16] = b"interlock image1";
const TAG_BYTES: usize = 32;

/// The images of one engine in one folder.
pub struct Images {
    dir: PathBuf,
    key: hmac::Key,
    /// Of everything that decides what the compiler makes: its version, its settings, the processor's features.
    engine_hash: [u8; 32],
}

impl Images {
    /// Opens the folder, which is made if need be, for nobody but this user.
    pub fn open(dir: PathBuf, key: &[u8; 32], engine: &Engine) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&dir)?;
        let mut hasher = Sha256Hasher(digest::Context::new(&digest::SHA256));
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir, key: hmac::Key::new(hmac::HMAC_SHA256, key), engine_hash: sha256(hasher.0.finish()) })
    }

    /// The image of the component with this digest, if there is one that is ours.
    pub fn load(&self, engine: &Engine, component: &[u8; 32]) -> Option<Component> {
        let path = self.path(component);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return ignored(&path, &error.to_string()),
        };
        let Some((tag, code)) = file.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(TAG_BYTES)) else {
            return ignored(&path, "not an image");
        };
        if hmac::verify(&self.key, &self.signed(component, code), tag).is_err() {
            return ignored(&path, "not written by this host, or damaged");
        }
        // SAFETY: the HMAC proves that `code` is, byte for byte, what `save` was given for this component, which is
        // what this engine's compiler (the hash is part of what is signed) made of it.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Some(component),
            Err(error) => ignored(&path, &error.to_string()),
        }
    }

    /// Keeps the image of `compiled`. Two hosts that write at once write the same; a reader sees a whole file or none.
    pub fn save(&self, component: &[u8; 32], compiled: &Component) -> Result<(), SaveError> {
        /// Tells apart what threads of this process write at the same time.
        static WRITTEN: AtomicU64 = AtomicU64::new(0);

        let code = compiled.serialize().map_err(|error| SaveError::Serialize(format!("{error:#}")))?;
        let tag = hmac::sign(&self.key, &self.signed(component, &code));
        let path = self.path(component);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{}-{number}.draft", process::id()));
        let written = write(&draft, &[MAGIC, tag.as_ref(), &code]).and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            // It may not exist; then there is nothing to take away.
            let _ = fs::remove_file(&draft);
        }
        written.map_err(SaveError::Write)
    }

    /// What the HMAC is over. The code goes in by its digest, so that nothing has to be copied.
    fn signed(&self, component: &[u8; 32], code: &[u8]) -> [u8; 96] {
        let mut signed = [0; 96];
        let (first, rest) = signed.split_at_mut(32);
        let (second, third) = rest.split_at_mut(32);
        first.copy_from_slice(component);
        second.copy_from_slice(&self.engine_hash);
        third.copy_from_slice(digest::digest(&digest::SHA256, code).as_ref());
        signed
    }

    fn path(&self, component: &[u8; 32]) -> PathBuf {
        let engine: &[u8] = self.engine_hash.first_chunk::<8>().expect("a hash has 32 bytes");
        self.dir.join(format!("{}-{}.image", hex(component), hex(engine)))
    }
}

/// Why an image was not kept. The component runs all the same; the next start compiles it again.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("the compiled component cannot be serialised: {0}")]
    Serialize(String),
    #[error("the file cannot be written")]
    Write(#[source] io::Error),
}

/// SHA-256 of a component's bytes.
pub fn digest_of(component: &[u8]) -> [u8; 32] {
    sha256(digest::digest(&digest::SHA256, component))
}

fn sha256(digest: digest::Digest) -> [u8; 32] {
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // Not synced: what a power cut tears is noticed by the HMAC and compiled again.
    parts.iter().try_for_each(|part| file.write_all(part))
}

fn ignored<T>(path: &Path, why: &str) -> Option<T> {
    tracing::warn!(image = %path.display(), why, "a compiled image is ignored; the component is compiled again");
    None
}

/// Feeds what the engine hashes of itself to SHA-256: the standard hasher's 64 bits may change with the compiler.
struct Sha256Hasher(digest::Context);

impl hash::Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = sha256(self.0.clone().finish());
        u64::from_le_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
    }
}
