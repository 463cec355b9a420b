//! How long `serve` takes to its ready line, with compiled connectors in its cache.

use serde_json::json;

use crate::{
    plan::Plan,
    report::{Report, Section},
    stats::{Sample, number},
    world::World,
};

const START_AIM_MS: f64 = 300.0;

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut took = Sample::default();
    for _ in 0..plan.starts {
        world.restart_host(&world.places.host())?;
        took.push(world.host.took.as_secs_f64() * 1_000.0);
    }
    let median = took.median();
    report.section(Section {
        title: "Start of a host",
        about: "From the start of the process to its ready line: schema checked, connectors loaded from the cache."
            .to_owned(),
        columns: vec!["starts", "ms"],
        rows: vec![vec![plan.starts.to_string(), took.show()]],
        data: json!({ "ms": took.to_json() }),
    });
    report.aim("start to ready, warm cache", "below 300 ms", format!("{} ms", number(median)), median < START_AIM_MS);
    Ok(())
}
