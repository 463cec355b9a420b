//! The floor: what pgbench reaches with the host's own two statements, and nothing around them.
//!
//! [`capture`] listens to two real payments and takes the statements' parameters from Postgres' own log; [`script`]
//! makes them a script, in which ids and keys differ from payment to payment and everything else is as it was. So the
//! floor follows the host's SQL wherever that goes.

mod capture;
mod script;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use interlock::{
    clock::Clock,
    store::{begin::CREATE_AND_BEGIN, finish::FINISH},
};

use self::script::Definition;
use crate::{stats::float, world::World};

/// The merchant whose payments these are: nobody, so that they do not stand among the host's.
const MERCHANT: &str = "00000000-0000-7000-8000-000000000000";
/// What the host asks of its own connections: the same plans at the same price.
const OPTIONS: &str =
    "-c plan_cache_mode=force_generic_plan -c jit=off -c statement_timeout=10000 -c lock_timeout=5000";
/// Each connection plans both statements once; so many of them are done within a second.
const PLANNED_PER_SECOND: usize = 96;
/// An id is the time in milliseconds, this often, and what counts on from there.
const IDS_PER_MS: i64 = 1_000_000;

/// A script that is ready to be run.
pub struct Floor {
    statements: [String; 2],
    definitions: Vec<Definition>,
    folder: PathBuf,
}

impl Floor {
    /// Listens to two payments and writes the script.
    pub fn prepare(world: &mut World) -> anyhow::Result<Self> {
        let payments = capture::two_payments(world)?;
        let types = [world.postgres.parameter_types(CREATE_AND_BEGIN)?, world.postgres.parameter_types(FINISH)?];
        let (statements, definitions) = script::write([CREATE_AND_BEGIN, FINISH], &payments, &types, MERCHANT)?;
        Ok(Self { statements, definitions, folder: world.places.home.clone() })
    }

    /// Payments a second at this concurrency, with `think_ms` between the two statements.
    pub fn rate(
        &self,
        world: &World,
        in_flight: usize,
        think_ms: u64,
        warm: Duration,
        window: Duration,
    ) -> anyhow::Result<f64> {
        let file = self.folder.join("floor.sql");
        let [begin, finish] = &self.statements;
        let think = if think_ms == 0 { String::new() } else { format!("\\sleep {think_ms} ms\n") };
        // Ids grow with time, as the host's do; what differs between connections keeps them apart.
        let ids = "\\set n :n + 1\n\\set id :base + :n * 1000 + :client_id\n";
        fs::write(&file, format!("{ids}{begin};\n{think}{finish};\n"))?;
        let planning = in_flight.div_ceil(PLANNED_PER_SECOND);
        let warm_s = usize::try_from(warm.as_secs())? + planning;
        let whole_s = warm_s + usize::try_from(window.as_secs())?;

        let mut command = world.postgres.program("pgbench")?;
        command.env("PGOPTIONS", OPTIONS).args(["-n", "-M", "prepared", "-P", "1"]);
        command.args(["-c", &in_flight.to_string(), "-j", &in_flight.min(2).to_string(), "-T", &whole_s.to_string()]);
        command.arg("-f").arg(&file);
        let base = Clock::real().now().timestamp_millis() * IDS_PER_MS;
        command.args(["-D", "n=0", "-D", &format!("base={base}"), "-D", "nothing=0"]);
        for definition in &self.definitions {
            command.args(["-D", &format!("{}={}", definition.name, definition.value)]);
        }
        let output = command.output().context("pgbench could not be run")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed ({}):\n{}", output.status, said.trim());
        let rates: Vec<f64> = said.lines().filter_map(rate_of).skip(warm_s).collect();
        ensure!(!rates.is_empty(), "pgbench did not report its progress:\n{}", said.trim());
        Ok(rates.iter().sum::<f64>() / crate::stats::float_of(rates.len()))
    }

    /// Fails where the floor did less than the host does: a statement that finds nothing to do is quick.
    pub fn must_have_paid(world: &mut World) -> anyhow::Result<u64> {
        let of =
            |condition: &str| format!("select count(*) from payments where merchant_id = '{MERCHANT}' and {condition}");
        let unfinished = world.postgres.count(&of("status <> 'succeeded'"))?;
        let finished = world.postgres.count(&of("status = 'succeeded'"))?;
        ensure!(unfinished == 0 && finished > 0, "the floor left {unfinished} of its payments unfinished");
        Ok(u64::try_from(finished)?)
    }
}

/// The rate in `progress: 2.0 s, 812.4 tps, lat 1.230 ms …`.
fn rate_of(line: &str) -> Option<f64> {
    let rest = line.strip_prefix("progress: ")?;
    rest.split(", ").nth(1)?.strip_suffix(" tps")?.parse().ok()
}

/// What the floor comes to in the end, for the report.
pub fn about(payments: u64) -> String {
    format!(
        "The floor is pgbench with the host's own two statements and the parameters of a real payment, {} payments of \
         which every one succeeded.",
        crate::stats::number(float(payments))
    )
}

#[cfg(test)]
mod tests {
    use super::rate_of;

    #[test]
    fn progress_is_read() {
        assert_eq!(rate_of("progress: 2.0 s, 812.4 tps, lat 1.230 ms stddev 0.1, 0 failed"), Some(812.4));
        assert_eq!(rate_of("pgbench (15.13)"), None);
    }
}
