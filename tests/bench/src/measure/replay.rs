//! The same request again: a stored answer, against creating.

use anyhow::ensure;
use serde_json::json;

use crate::{
    load::{self, Closed, Keys},
    plan::Plan,
    report::{Report, Section},
    stats::{Sample, number, ratio},
    world::World,
};

const IN_FLIGHT: usize = 16;
const RATIO_AIM: f64 = 5.0;

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let (mut creating, mut replaying) = (Sample::default(), Sample::default());
    let closed = Closed { in_flight: IN_FLIGHT, warm: plan.warm, window: plan.window };
    let gateway = world.simulator.url.clone();
    for _ in 0..plan.rounds {
        world.gateway_takes(&gateway, 0)?;
        let (target, prefix) = (world.payment(None)?, world.fresh_prefix());
        let keys = Keys::fresh(prefix.clone());
        let (tally, (), ()) = load::closed(&target, &keys, &closed, || Ok(()))?;
        tally.must_be_good()?;
        creating.push(tally.rate());

        let keys = Keys::again(prefix, keys.used());
        let (tally, (), ()) = load::closed(&target, &keys, &closed, || Ok(()))?;
        tally.must_be_good()?;
        ensure!(
            tally.replayed == tally.good,
            "{} of {} answers were no replays",
            tally.good - tally.replayed,
            tally.good
        );
        replaying.push(tally.rate());
    }
    let times = ratio(replaying.median(), creating.median());
    report.section(Section {
        title: "Replay of a stored answer",
        about: format!("{IN_FLIGHT} in flight, gateway 0 ms, median of {} rounds.", plan.rounds),
        columns: vec!["creating /s", "replaying /s", "times"],
        rows: vec![vec![creating.show(), replaying.show(), number(times)]],
        data: json!({ "creating_per_s": creating.to_json(), "replaying_per_s": replaying.to_json(), "times": times }),
    });
    report.aim("replay against creating", "at least 5 times", number(times), times >= RATIO_AIM);
    Ok(())
}
