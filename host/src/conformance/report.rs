//! What came of trying a connector out: for the operator, for the author, and for whoever decides by machine.

use std::fmt;

use interlock_connector::harness::Finding;
use serde::{Deserialize, Serialize};

/// What came of trying a connector out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many were played.
    pub cassettes: usize,
    pub runs: u64,
    /// Instructions of all runs together.
    pub fuel: u64,
    /// Instructions of the largest run whose input was of an ordinary size.
    pub fuel_max: u64,
    /// Most memory of such a run.
    pub memory_max_bytes: usize,
    pub errors: usize,
    pub warnings: usize,
    /// How many findings were left out for their number.
    pub unshown: usize,
    /// Errors first.
    pub findings: Vec<Finding>,
}

/// A connector breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it breaks the contract ({} found)", counted(*errors, "error"))]
pub struct NotConforming {
    pub errors: usize,
}

impl Report {
    /// Whether the connector keeps the contract, as far as was tried.
    pub fn verdict(&self) -> Result<(), NotConforming> {
        if self.errors == 0 { Ok(()) } else { Err(NotConforming { errors: self.errors }) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}\n")?;
        }
        if self.unshown > 0 {
            writeln!(f, "and {} more\n", self.unshown)?;
        }
        write!(
            f,
            "{}, {}; {}, {}, at most {} instructions and {} KiB of memory in one",
            counted(self.errors, "error"),
            counted(self.warnings, "warning"),
            counted(self.cassettes, "cassette"),
            counted(usize::try_from(self.runs).unwrap_or(usize::MAX), "run"),
            self.fuel_max,
            self.memory_max_bytes >> 10,
        )
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
