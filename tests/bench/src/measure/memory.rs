//! Memory of a host that has nothing to do, and what payments that wait for their gateway add to it.

use serde_json::json;

use crate::{
    load::{self, Keys},
    procfs::{self, REST},
    report::{Report, Section},
    stats::{float, number},
    world::World,
};

/// Payments that wait at once.
const IN_FLIGHT: usize = 1_000;
/// What the gateways take: long enough that all wait before the first is answered.
const DELAY_MS: u64 = 3_000;

pub fn measure(world: &mut World, report: &mut Report) -> anyhow::Result<()> {
    world.restart_host(&world.places.host())?;
    // A host connects to one gateway a few hundred times at most, so there are two of them.
    let (second, account) = world.second_gateway()?;
    std::thread::sleep(REST);
    let host = world.host.id();
    let idle = procfs::resident_kib(host)?;

    let first = world.simulator.url.clone();
    for gateway in [&first, &second.url] {
        world.gateway_takes(gateway, DELAY_MS)?;
    }
    let accounts = [None, Some(account.as_str())];
    let targets: anyhow::Result<Vec<_>> =
        accounts.into_iter().map(|account| Ok((world.payment(account)?, IN_FLIGHT / 2))).collect();
    let keys = Keys::fresh(world.fresh_prefix());
    let mut loaded = idle;
    let tally = load::burst(&targets?, &keys, || {
        loaded = loaded.max(procfs::resident_kib(host)?);
        Ok(())
    })?;
    tally.must_be_good()?;
    std::thread::sleep(REST);
    let after = procfs::resident_kib(host)?;

    let mib = |kib: u64| number(float(kib) / 1_024.0);
    report.section(Section {
        title: "Memory of a host",
        about: format!("Resident, in MiB; {IN_FLIGHT} payments at two gateways that take {DELAY_MS} ms."),
        columns: vec!["idle after its start", "1,000 in flight", "so for 1,000", "idle again"],
        rows: vec![vec![mib(idle), mib(loaded), mib(loaded.saturating_sub(idle)), mib(after)]],
        data: json!({ "idle_kib": idle, "loaded_kib": loaded, "in_flight": IN_FLIGHT, "idle_again_kib": after }),
    });
    Ok(())
}
