//! What operators see of runs.

use std::{sync::Arc, time::Duration};

use super::{
    admitted, answered, cancel, context, engine,
    fixture::{ASK_ONCE, TRAP, performing},
};
use crate::{
    connector::{Step, Verb},
    domain::connector_health::Ending,
    telemetry,
};

#[test]
fn runs_traps_and_divergences_are_counted_by_connector_version_and_operation() {
    let engine = engine();
    let (asks, traps) = (admitted(&engine, &performing(ASK_ONCE)), admitted(&engine, &performing(TRAP)));
    let step = engine.perform_here(&asks, &context(), &cancel(), Arc::default());
    let Ok(Step::Send(mut request)) = step else { panic!("{step:?}") };
    let transcript = Arc::new(vec![answered(request.clone(), 200, "")]);
    engine.perform_here(&asks, &context(), &cancel(), transcript).unwrap();
    request.resendable = true;
    engine.perform_here(&asks, &context(), &cancel(), Arc::new(vec![answered(request, 200, "")])).unwrap_err();
    engine.perform_here(&traps, &context(), &cancel(), Arc::default()).unwrap_err();
    asks.ended(Verb::Cancel, Ending::Unknown);
    asks.exchanged(Verb::Cancel, Duration::from_millis(2));
    let text = telemetry::metrics().unwrap().render();
    let by = r#"connector="fixture",version="1.2.3",operation="cancel""#;
    for expected in [
        format!(r#"interlock_connector_runs_total{{{by},result="send"}} "#),
        format!(r#"interlock_connector_runs_total{{{by},result="done"}} "#),
        format!("interlock_connector_divergences_total{{{by}}} "),
        format!(r#"interlock_connector_traps_total{{{by},kind="unreachable"}} "#),
        format!(r#"interlock_connector_operations_total{{{by},ending="unknown"}} "#),
        format!("interlock_connector_guest_seconds_count{{{by}}}"),
        format!("interlock_connector_host_seconds_count{{{by}}}"),
        format!("interlock_connector_network_seconds_count{{{by}}}"),
        format!("interlock_connector_run_seconds_count{{{by}}}"),
        format!("interlock_connector_run_fuel_count{{{by}}}"),
        format!("interlock_connector_run_memory_bytes_count{{{by}}}"),
    ] {
        let counted = text.lines().find_map(|line| line.strip_prefix(expected.as_str()));
        assert!(counted.is_some_and(|count| count.trim() != "0"), "{expected} is not in\n{text}");
    }
}
