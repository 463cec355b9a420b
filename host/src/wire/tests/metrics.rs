//! What operators see of exchanges, and what must not be in it.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::fixtures::charge;
use super::gateway::{Gateway, OK_REPLY, TIMEOUT, send, wire};

/// Merchants choose origins, by settings: as labels they would grow without end.
#[test]
fn exchanges_are_counted_by_connector_and_not_by_origin() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // One thread, so that the recorder of this thread sees all of it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let gateway = Gateway::replying(OK_REPLY).await;
            let wire = wire();
            send(&wire, &charge(&gateway.base()), &gateway.base(), TIMEOUT).await;
            // Refused: its origin is not permitted.
            send(&wire, &charge("http://127.0.0.1:1"), &gateway.base(), TIMEOUT).await;
            gateway.address
        })
    });
    let text = handle.render();
    for expected in [
        r#"interlock_wire_exchanges_total{connector="fixture",result="replied",reason=""} 1"#,
        r#"interlock_wire_exchanges_total{connector="fixture",result="refused",reason="origin"} 1"#,
        r#"interlock_wire_exchange_seconds_count{connector="fixture",result="replied"} 1"#,
        r#"interlock_wire_connections_total{connector="fixture"} 1"#,
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert!(!text.contains(&address.port().to_string()), "{text}");
}
