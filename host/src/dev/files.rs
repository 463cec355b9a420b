//! Small files that are ours alone: locks, passwords, what is kept between starts.

use std::{
    fs::{self, File, TryLockError},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};

/// Takes the lock of a folder, held as long as the file is open. Two programs with one folder would end each other's
/// children.
pub fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("{} could not be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another program uses {}; end it, or give --data-dir another folder", folder.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} could not be locked", path.display()))
        }
    }
}

/// Writes a file that nobody else may read.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let attempt = || -> std::io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    attempt().with_context(|| format!("{} could not be written", path.display()))
}

/// As [`write_private`], and whoever reads sees the old text or the new one, never half of either.
pub fn replace_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let next = path.with_extension("next");
    write_private(&next, text)?;
    fs::rename(&next, path).with_context(|| format!("{} could not be replaced", path.display()))
}

/// Sixteen letters and digits that stand for `bytes`.
pub fn short_digest(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let start = digest.as_ref().first_chunk().expect("it has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*start))
}
