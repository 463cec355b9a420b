//! Compiled images of components, kept on disk between starts, each with what admission found out about its component.
//!
//! An image is machine code: who can choose its bytes owns the process. So an image is loaded only if this host wrote
//! it for exactly this component and this engine, which its HMAC says: under a key that is derived from the master
//! key, over component, engine, verdict and code. Whatever is not like that (torn, older, another key, tampered with)
//! is as if it were not there, and is compiled again. What is like that was judged, and need not be judged again: a host
//! with a warm cache starts without looking at a component's bytes.
#![expect(
    unsafe_code,
    reason = "loading machine code is unsafe; the HMAC, or the pipe it came by, is what makes it ours"
)]

use std::{
    fs, hash,
    hash::Hash as _,
    io,
    io::Write as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Serialize};
use wasmtime::{Engine, component::Component};

use super::{report::Report, types::Descriptor, version::hex};

/// Says what the file is, and the version of its layout: this, the HMAC, the length of the verdict, the verdict as JSON,
/// the code.
const MAGIC: &[u8; 16] = b"interlock image2";
const TAG_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;
/// How long after its writing began a file that was never finished is left alone.
const DRAFT_KEPT_FOR: Duration = Duration::from_hours(1);
/// How long an image is kept that nobody loads.
const IMAGE_KEPT_FOR: Duration = Duration::from_hours(24 * 60);
/// Counts the changes of what admission asks of a component. An image that was judged by older rules is judged again.
const RULES_VERSION: u32 = 1;

/// What admission found out about a component.
#[derive(Clone, Serialize, Deserialize)]
pub struct Verdict {
    pub descriptor: Descriptor,
    pub report: Report,
}

/// The images of one engine in one folder.
pub struct Images {
    dir: PathBuf,
    key: hmac::Key,
    /// Of everything that decides what the compiler makes: its version, its settings, the processor's features. And of
    /// the rules that a component was judged by.
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
        sweep(&dir);
        let mut hasher = Sha256Hasher(digest::Context::new(&digest::SHA256));
        engine.precompile_compatibility_hash().hash(&mut hasher);
        RULES_VERSION.hash(&mut hasher);
        Ok(Self { dir, key: hmac::Key::new(hmac::HMAC_SHA256, key), engine_hash: sha256(hasher.0.finish()) })
    }

    /// The image of the component with this digest, if there is one that is ours.
    pub fn load(&self, engine: &Engine, component: &[u8; 32]) -> Option<(Component, Verdict)> {
        let path = self.path(component);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return ignored(&path, &error.to_string()),
        };
        let Some((tag, verdict, code)) = parts(&file) else {
            return ignored(&path, "not an image");
        };
        if hmac::verify(&self.key, &self.signed(component, verdict, code), tag).is_err() {
            return ignored(&path, "not written by this host, or damaged");
        }
        let verdict = match serde_json::from_slice(verdict) {
            Ok(verdict) => verdict,
            Err(error) => return ignored(&path, &error.to_string()),
        };
        // SAFETY: the HMAC proves that `code` is, byte for byte, what `save` was given for this component, which is
        // what this engine's compiler (the hash is part of what is signed) made of it.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Some((component, verdict)),
            Err(error) => ignored(&path, &error.to_string()),
        }
    }

    /// Keeps the image of a component. Two hosts that write at once write the same; a reader sees a whole file or none.
    pub fn save(&self, component: &[u8; 32], verdict: &Verdict, code: &[u8]) -> io::Result<()> {
        /// Tells apart what threads of this process write at the same time.
        static WRITTEN: AtomicU64 = AtomicU64::new(0);

        let verdict = serde_json::to_vec(verdict)?;
        let length = u32::try_from(verdict.len()).map_err(io::Error::other)?.to_be_bytes();
        let tag = hmac::sign(&self.key, &self.signed(component, &verdict, code));
        let path = self.path(component);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{}-{number}.draft", process::id()));
        let written = write(&draft, &[MAGIC, tag.as_ref(), &length, &verdict, code]);
        let written = written.and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            // It may not exist; then there is nothing to take away.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// What the HMAC is over. Verdict and code go in by their digests, so that nothing has to be copied.
    fn signed(&self, component: &[u8; 32], verdict: &[u8], code: &[u8]) -> Vec<u8> {
        [*component, self.engine_hash, digest_of(verdict), digest_of(code)].concat()
    }

    fn path(&self, component: &[u8; 32]) -> PathBuf {
        let engine: &[u8] = self.engine_hash.first_chunk::<8>().expect("a hash has 32 bytes");
        self.dir.join(format!("{}-{}.image", hex(component), hex(engine)))
    }
}

/// Takes away what nobody comes back to: what hosts that died have left half written, and images that no host has loaded for
/// long, of engines or versions that were replaced. Where the file system does not keep when a file was read, it counts when
/// it was written, and what is still wanted is compiled again.
fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let times = [metadata.modified(), metadata.accessed()];
        let age = times.into_iter().flatten().filter_map(|time| time.elapsed().ok()).min();
        let kind = entry.path().extension().map(|extension| extension.to_string_lossy().into_owned());
        let kept_for = match kind.as_deref() {
            Some("draft") => DRAFT_KEPT_FOR,
            Some("image") => IMAGE_KEPT_FOR,
            _ => continue,
        };
        if age.is_some_and(|age| age > kept_for) {
            // Another host may have done it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The component that `code` is the image of. Only for what the process that judges components for this one has sent
/// ([`super::child`]).
pub fn from_own_child(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` came by a pipe from a process that runs this very program, was started by us, has the same settings
    // of the engine, and gives out nothing but what its compiler has made. Limits keep that process from taking the
    // machine's time and memory; they are no wall against a compiler that is made to write other code than it should,
    // which would be as bad in this process.
    unsafe { Component::deserialize(engine, code) }
}

/// The HMAC, the verdict and the code of a file.
fn parts(file: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (tag, rest) = file.strip_prefix(MAGIC)?.split_at_checked(TAG_BYTES)?;
    let (length, rest) = rest.split_at_checked(LENGTH_BYTES)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (verdict, code) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((tag, verdict, code))
}

/// SHA-256 of a component's bytes, or of any others.
#[must_use]
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
