//! What ends this process in order: Ctrl-C, `SIGTERM`, the terminal's end.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a process that was interrupted twice, by the custom of shells: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Cancelled by the first signal. A second one ends the process on the spot: children see to themselves, and work in
/// flight is another host's, as after any crash.
pub fn shutdown() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).context("signals cannot be listened to")?;
        let token = token.clone();
        #[expect(clippy::disallowed_methods, reason = "it ends nothing but the process, and waits for nobody")]
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if token.is_cancelled() {
                    std::process::exit(INTERRUPTED);
                }
                token.cancel();
            }
        });
    }
    Ok(token)
}
