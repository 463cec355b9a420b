//! What an ordinary HTTP client makes of the same posts: the floor under deliveries.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;

/// As the host's own time-out.
const POST_MAX: Duration = Duration::from_secs(15);

/// Posts that are due at once.
pub struct Posts {
    pub url: String,
    pub body: String,
    pub count: usize,
    /// Connections, and so posts under way at a time.
    pub in_flight: usize,
}

/// Posts all of them with a `reqwest::Client` on a runtime with a thread for each processor, as the host has one, and
/// headers of the length that the host's have. Returns how many are done in a second.
pub fn post_all(posts: &Posts) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let client = reqwest::Client::builder().no_proxy().timeout(POST_MAX).build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    runtime.block_on(async {
        let mut posting = JoinSet::new();
        for _ in 0..posts.in_flight {
            let (client, next) = (client.clone(), Arc::clone(&next));
            let (url, body, count) = (posts.url.clone(), posts.body.clone(), posts.count);
            posting.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let request = client
                        .post(&url)
                        .header("content-type", "application/json")
                        .header("webhook-id", "evt_00000000000000000000000000")
                        .header("webhook-timestamp", "1700000000")
                        .header("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=");
                    let status = request.body(body.clone()).send().await?.status();
                    ensure!(status.is_success(), "the receiver answered {status}");
                }
                Ok(())
            });
        }
        while let Some(ended) = posting.join_next().await {
            ended.context("a poster does not panic")??;
        }
        anyhow::Ok(())
    })?;
    Ok(crate::stats::float_of(posts.count) / began.elapsed().as_secs_f64())
}
