//! `interlock admit-component`: the process that judges one component for a host, and how this program starts it.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;

use super::failure::Kind;
use crate::{
    app::KIT,
    connector::{Admission, child},
};

/// Judges the component on standard input and writes the answer to standard output. What goes wrong with the process
/// itself stands in one line on its standard error, for the host that started it.
pub fn run(job: &str) -> ExitCode {
    match child::serve(job, KIT) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whether anybody reads it does not change how it ended.
            let _ = writeln!(std::io::stderr(), "{:#}", anyhow::Error::new(error));
            ExitCode::from(Kind::Failed.code())
        }
    }
}

/// Components are judged by further processes of this program.
pub fn by_own_program() -> anyhow::Result<Admission> {
    Admission::by_own_program().context("our own program has no path")
}
