//! What operators see of runs.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusBuilder;

use super::{
    admitted, answered, cancel, context, engine,
    fixture::{ASK_ONCE, TRAP, performing},
};
use crate::connector::Step;

#[test]
fn runs_traps_and_divergences_are_counted_by_connector_version_and_operation() {
    let engine = engine();
    let (asks, traps) = (admitted(&engine, &performing(ASK_ONCE)), admitted(&engine, &performing(TRAP)));
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let step = engine.perform_here(&asks, &context(), &cancel(), Arc::default());
        let Ok(Step::Send(mut request)) = step else { panic!("{step:?}") };
        let transcript = Arc::new(vec![answered(request.clone(), 200, "")]);
        engine.perform_here(&asks, &context(), &cancel(), transcript).unwrap();
        request.resendable = true;
        engine.perform_here(&asks, &context(), &cancel(), Arc::new(vec![answered(request, 200, "")])).unwrap_err();
        engine.perform_here(&traps, &context(), &cancel(), Arc::default()).unwrap_err();
    });
    let text = metrics.render();
    let by = r#"connector="fixture",version="1.2.3",operation="cancel""#;
    for expected in [
        format!(r#"interlock_connector_runs_total{{{by},result="send"}} 1"#),
        format!(r#"interlock_connector_runs_total{{{by},result="done"}} 1"#),
        format!("interlock_connector_divergences_total{{{by}}} 1"),
        format!(r#"interlock_connector_traps_total{{{by},kind="unreachable"}} 1"#),
        format!("interlock_connector_run_seconds_count{{{by}}}"),
        format!("interlock_connector_run_fuel_count{{{by}}}"),
        format!("interlock_connector_run_memory_bytes_count{{{by}}}"),
    ] {
        assert!(text.contains(&expected), "{expected} is not in\n{text}");
    }
}
