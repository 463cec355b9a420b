//! The answer of the process that judges: a verdict or reasons as JSON, and the machine code, each with its length first.
//!
//! Read as something hostile: the process was busy with bytes of a stranger.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::super::{admission::Reason, image::Verdict};

/// Says what follows, and the version of its form. An answer without it is that of another program.
const MAGIC: &[u8; 16] = b"interlock admit1";
/// The largest report is one with many findings; this is ample.
const VERDICT_MAX_BYTES: u64 = 8 << 20;
/// Machine code of the largest component that is let in; that of a Python component of 18 MB has 36 MB.
const IMAGE_MAX_BYTES: u64 = 256 << 20;

/// What the process found.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    /// It is let in. Its machine code follows.
    Admitted(Box<Verdict>),
    /// It is not, for these reasons.
    Refused(Vec<Reason>),
}

/// Writes an answer. `image` is empty where there is none.
pub fn write(to: &mut impl Write, answer: &Answer, image: &[u8]) -> io::Result<()> {
    let answer = serde_json::to_vec(answer)?;
    to.write_all(MAGIC)?;
    to.write_all(&(answer.len() as u64).to_be_bytes())?;
    to.write_all(&(image.len() as u64).to_be_bytes())?;
    to.write_all(&answer)?;
    to.write_all(image)?;
    to.flush()
}

/// Reads an answer and its machine code.
pub fn read(from: &mut impl Read) -> io::Result<(Answer, Vec<u8>)> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(io::Error::other("it is no answer"));
    }
    let answer_bytes = length(from, VERDICT_MAX_BYTES)?;
    let image_bytes = length(from, IMAGE_MAX_BYTES)?;
    let answer = exactly(from, answer_bytes)?;
    let image = exactly(from, image_bytes)?;
    Ok((serde_json::from_slice(&answer)?, image))
}

fn length(from: &mut impl Read, max: u64) -> io::Result<u64> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length);
    if length > max {
        return Err(io::Error::other(format!("a part of it has {length} bytes, at most {max} are read")));
    }
    Ok(length)
}

/// Not allocated before it is there: the length is only what somebody says.
fn exactly(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ReasonCode;

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        let reason = Reason::new(ReasonCode::NotWasm, "this is not WebAssembly", "send a component");
        write(&mut bytes, &Answer::Refused(vec![reason]), b"image").unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let (answer, image) = read(&mut &written()[..]).unwrap();
        let Answer::Refused(reasons) = answer else { panic!("it was refused") };
        assert_eq!((reasons[0].code, image.as_slice()), (ReasonCode::NotWasm, &b"image"[..]));
    }

    /// Cut anywhere, with lengths that nobody can mean, or not ours at all: an error, and never much memory.
    #[test]
    fn what_is_no_answer_is_refused() {
        let good = written();
        for length in 0..good.len() {
            assert!(read(&mut &good[..length]).is_err(), "cut at {length}");
        }
        for at in [16, 24] {
            let mut bad = good.clone();
            bad[at..at + 8].copy_from_slice(&u64::MAX.to_be_bytes());
            assert!(read(&mut &bad[..]).is_err());
        }
        let mut other = good;
        other[0] ^= 1;
        assert!(read(&mut &other[..]).is_err());
    }
}
