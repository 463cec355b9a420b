//! What came of deliveries, written down: as many at once as have come in while the last ones were written.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

use crate::{
    app::App,
    domain::id::{MerchantId, WebhookEndpointId},
    fault::{self, Point},
    flow::{
        Refusal,
        manage_endpoints::{Disabled, disable},
    },
    store::{
        self,
        delivery_results::{self, Heard, Outcome, Overdue, Tried},
        webhook_endpoints::DisabledReason,
    },
};

/// Results written down in one statement.
const RESULTS_AT_ONCE_MAX: usize = 500;
/// The pause before results are tried to be written down again.
const PAUSE: Duration = Duration::from_millis(200);
/// What is not taken by then, and so often tried, is left to its leases: they have run out, and what the database does not
/// like of these results must not hold up others for ever.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);
const SETTLE_TRIES_MIN: u32 = 3;
/// Endpoints that are remembered to have failed. With more, some of them count as failing until a host reads their row.
const FAILING_MAX: usize = 10_000;

/// An endpoint's key: its merchant and itself.
type Key = (Uuid, Uuid);
/// An endpoint at a URL.
type Place = (Key, Arc<str>);

/// Writes down what comes of deliveries, until this host ends and none is under way any more. One does so at a time.
///
/// What the database does not take is tried again for [`SETTLE_PATIENCE`]: without that the events would be sent again.
pub async fn write_down(app: &Arc<App>) {
    let mut results = app.deliveries.to_write.lock().await;
    let mut batch = Vec::with_capacity(RESULTS_AT_ONCE_MAX);
    // Endpoints that failed at this host since their last success here.
    let mut failing = HashSet::new();
    loop {
        next(app, &mut results, &mut batch).await;
        if batch.is_empty() {
            return;
        }
        fault::point(Point::BeforeDeliveriesSettled);
        let heard = hear(&batch, &mut failing);
        let (began, mut tries) = (Instant::now(), 0);
        while let Err(error) = settle(app, &mut batch, &heard).await {
            tries += 1;
            if is_hopeless(tries, began.elapsed()) {
                tracing::error!(results = batch.len(), %error, "results of deliveries are lost: the events are sent again");
                break;
            }
            tracing::warn!(results = batch.len(), %error, "results of deliveries wait to be written down");
            tokio::time::sleep(PAUSE).await;
        }
        if batch.iter().any(|tried| tried.ordered && tried.after.is_none()) {
            // What comes after them about the same object may be sent now.
            app.wake.deliveries.notify_one();
        }
        batch.clear();
    }
}

/// Whether a batch is to be left to its leases.
fn is_hopeless(tries: u32, since: Duration) -> bool {
    tries >= SETTLE_TRIES_MIN && since >= SETTLE_PATIENCE
}

/// Waits for results; gives none when this host ends and has no delivery under way.
async fn next(app: &App, results: &mut Receiver<Tried>, batch: &mut Vec<Tried>) {
    let ended = async {
        app.stop.cancelled().await;
        app.deliveries.under_way.close();
        app.deliveries.under_way.wait().await;
    };
    tokio::select! {
        biased;
        _ = results.recv_many(batch, RESULTS_AT_ONCE_MAX) => {}
        () = ended => {
            while batch.len() < RESULTS_AT_ONCE_MAX && let Ok(tried) = results.try_recv() {
                batch.push(tried);
            }
        }
    }
}

/// One statement, and one more where an endpoint begins or ceases to fail. Endpoints are disabled before the queue is
/// touched, and without effect on what is written here: one that cannot be disabled now is so after its next failure.
async fn settle(app: &Arc<App>, batch: &mut Vec<Tried>, heard: &[Heard]) -> Result<(), store::Error> {
    let mut overdue = Overdue::new();
    if !heard.is_empty() {
        let disable_after = i64::try_from(app.config.webhook_disable_after.as_millis()).unwrap_or(i64::MAX);
        let mut conn = app.pool.acquire().await?;
        overdue = delivery_results::hear(&mut conn, heard, disable_after).await?;
    }
    if app.stop.is_cancelled() {
        // A host that is to end begins nothing of that kind. What is gone is left to its lease: who sends it next is
        // told so again.
        batch.retain(|tried| !tried.gone);
    } else {
        for condemned in condemned(batch, &overdue) {
            match condemn(app, &condemned).await {
                Ok(disabled) => follow(batch, &condemned, disabled),
                Err(refusal) => {
                    let cause = match &refusal {
                        Refusal::Internal(cause) => format!("{cause:#}"),
                        refusal => refusal.to_string(),
                    };
                    let endpoint = WebhookEndpointId::from_uuid(condemned.of.1);
                    tracing::warn!(
                        webhook_endpoint.id = %endpoint, error = cause,
                        "an endpoint could not be disabled: it is after its next failure"
                    );
                }
            }
        }
    }
    let mut conn = app.pool.acquire().await?;
    let (plan, began) = (app.deliveries.settle_plans.next(), Instant::now());
    delivery_results::settle(&mut conn, batch, plan).await?;
    app.deliveries.settle_plans.took(plan, began.elapsed());
    Ok(())
}

/// An endpoint that is to be disabled for what was answered (or not) at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condemned {
    of: Key,
    reason: DisabledReason,
    url: Arc<str>,
}

/// Those that said that they are gone, each with the URL that said so; and those that are overdue.
fn condemned(batch: &[Tried], overdue: &[(Uuid, Uuid, String)]) -> Vec<Condemned> {
    let mut all: Vec<Condemned> = Vec::new();
    for tried in batch.iter().filter(|tried| tried.gone) {
        let one = Condemned { of: key(tried), reason: DisabledReason::Gone, url: Arc::clone(&tried.url) };
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all.extend(overdue.iter().map(|(merchant, endpoint, url)| Condemned {
        of: (*merchant, *endpoint),
        reason: DisabledReason::Failing,
        url: url.as_str().into(),
    }));
    all
}

/// Disables an endpoint, unless it has got another URL since.
async fn condemn(app: &Arc<App>, condemned: &Condemned) -> Result<Disabled, Refusal> {
    let Condemned { of: (merchant, endpoint), reason, url } = condemned;
    let (merchant, endpoint) = (MerchantId::from_uuid(*merchant), WebhookEndpointId::from_uuid(*endpoint));
    disable(app, merchant, endpoint, *reason, url).await
}

/// What failed at an endpoint that is off is not tried again. What an old URL called gone is, also where that was the last
/// try: the new one has not said anything yet, and is asked once at least.
fn follow(batch: &mut [Tried], condemned: &Condemned, disabled: Disabled) {
    for tried in batch.iter_mut().filter(|tried| key(tried) == condemned.of) {
        let is_same = tried.gone && tried.url == condemned.url;
        match disabled {
            Disabled::Now if tried.outcome == Outcome::Failed => {
                (tried.outcome, tried.after) = (Outcome::GivenUp, None);
            }
            // It was off before.
            Disabled::No if condemned.reason == DisabledReason::Gone && is_same => {
                (tried.outcome, tried.after) = (Outcome::GivenUp, None);
            }
            Disabled::Moved if is_same && tried.outcome == Outcome::GivenUp => {
                (tried.outcome, tried.after) = (Outcome::Failed, Some(Duration::ZERO));
            }
            Disabled::Now | Disabled::Moved | Disabled::No => {}
        }
    }
}

fn key(tried: &Tried) -> Key {
    (tried.lease.merchant_id, tried.lease.endpoint_id)
}

/// What these results say of endpoints, in the order in which they came; nothing of one that goes on to do well. Each URL
/// for itself: an endpoint that moved meanwhile is not what it was.
fn hear(batch: &[Tried], failing: &mut HashSet<Place>) -> Vec<Heard> {
    // Ordered, so that two hosts lock the rows of several endpoints in the same order.
    let mut heard: BTreeMap<Place, Heard> = BTreeMap::new();
    for tried in batch.iter().filter(|tried| tried.counts) {
        let place = (key(tried), Arc::clone(&tried.url));
        let well = tried.outcome == Outcome::Delivered;
        if well && !tried.endpoint_failed && !failing.contains(&place) && !heard.contains_key(&place) {
            continue;
        }
        let (merchant_id, endpoint_id) = place.0;
        let url = Arc::clone(&tried.url);
        let of = heard.entry(place).or_insert(Heard { merchant_id, endpoint_id, url, well: false, failing: false });
        (of.well, of.failing) = (of.well || well, !well);
    }
    if failing.len() > FAILING_MAX {
        failing.clear();
    }
    for (place, heard) in &heard {
        if heard.failing {
            failing.insert(place.clone());
        } else {
            failing.remove(place);
        }
    }
    heard.into_values().collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::store::deliveries::Lease;

    fn tried(endpoint: u128, delivered: bool, endpoint_failed: bool) -> Tried {
        Tried {
            lease: Lease {
                merchant_id: Uuid::nil(),
                endpoint_id: Uuid::from_u128(endpoint),
                event_id: Uuid::nil(),
                fence: 1,
            },
            delivery_id: Uuid::nil(),
            url: "https://shop.example/".into(),
            event_type: "payment.succeeded".to_owned(),
            tries: 0,
            replay: false,
            ordered: false,
            endpoint_failed,
            outcome: if delivered { Outcome::Delivered } else { Outcome::Failed },
            gone: false,
            counts: true,
            after: None,
            status: None,
            error: None,
            response_head: None,
            took: Duration::ZERO,
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn said(batch: &[Tried], failing: &mut HashSet<Place>) -> Vec<(u128, bool, bool)> {
        let heard = hear(batch, failing);
        heard.iter().map(|heard| (heard.endpoint_id.as_u128(), heard.well, heard.failing)).collect()
    }

    fn sent_to(url: &str, status: u16) -> Tried {
        let after = Some(Duration::from_secs(5));
        Tried { url: url.into(), gone: status == 410, after, status: Some(status), ..tried(1, false, false) }
    }

    /// The merchant moved from A to B meanwhile. A says 410, B is busy: B is not called gone, and gets what A did not take.
    #[test]
    fn what_is_gone_is_the_url_that_said_so() {
        let (a, b) = ("https://a.example/", "https://b.example/");
        let mut batch = [sent_to(a, 410), sent_to(a, 410), sent_to(b, 503)];
        let said = condemned(&batch, &[]);
        let gone = Condemned { of: key(&batch[0]), reason: DisabledReason::Gone, url: a.into() };
        assert_eq!(said, std::slice::from_ref(&gone));
        follow(&mut batch, &gone, Disabled::Moved);
        assert!(batch.iter().all(|tried| tried.outcome == Outcome::Failed && tried.after.is_some()));
        follow(&mut batch, &gone, Disabled::No);
        assert_eq!(batch.each_ref().map(|tried| tried.after.is_some()), [false, false, true]);
        follow(&mut batch, &gone, Disabled::Now);
        assert!(batch.iter().all(|tried| tried.outcome == Outcome::GivenUp && tried.after.is_none()));
    }

    /// The schedule ended at A, and B has not been asked yet.
    #[test]
    fn a_last_try_at_an_old_url_is_not_the_last_one() {
        let last = |url, status| Tried { outcome: Outcome::GivenUp, after: None, ..sent_to(url, status) };
        let (a, b) = ("https://a.example/", "https://b.example/");
        let mut batch = [last(a, 410), last(b, 500)];
        let gone = Condemned { of: key(&batch[0]), reason: DisabledReason::Gone, url: a.into() };
        follow(&mut batch, &gone, Disabled::Moved);
        assert_eq!((batch[0].outcome, batch[0].after), (Outcome::Failed, Some(Duration::ZERO)));
        assert_eq!((batch[1].outcome, batch[1].after), (Outcome::GivenUp, None));
    }

    #[test]
    fn who_is_overdue_is_so_at_the_url_that_failed() {
        let tried = sent_to("https://b.example/", 500);
        let (merchant, endpoint) = key(&tried);
        let said = condemned(&[tried], &[(merchant, endpoint, "https://b.example/".to_owned())]);
        assert_eq!(said.len(), 1);
        assert_eq!((said[0].reason, &*said[0].url), (DisabledReason::Failing, "https://b.example/"));
    }

    #[test]
    fn what_two_urls_of_an_endpoint_did_is_told_apart() {
        let heard =
            hear(&[sent_to("https://a.example/", 500), sent_to("https://b.example/", 500)], &mut HashSet::new());
        assert_eq!(
            heard.iter().map(|heard| &*heard.url).collect::<Vec<_>>(),
            ["https://a.example/", "https://b.example/"]
        );
    }

    /// A database that is started anew is waited for; what it never takes is not.
    #[test]
    fn a_batch_that_is_never_taken_is_left_to_its_leases() {
        assert!(!is_hopeless(1, SETTLE_PATIENCE * 2), "one slow statement is not enough");
        assert!(!is_hopeless(100, SETTLE_PATIENCE / 2));
        assert!(is_hopeless(SETTLE_TRIES_MIN, SETTLE_PATIENCE));
    }

    #[test]
    fn who_does_well_is_not_written_down_each_time() {
        assert!(said(&[tried(1, true, false), tried(2, true, false)], &mut HashSet::new()).is_empty());
    }

    #[test]
    fn the_last_result_counts_and_a_success_before_it_is_not_forgotten() {
        let mut failing = HashSet::new();
        assert_eq!(said(&[tried(1, false, false)], &mut failing), [(1, false, true)]);
        assert_eq!(said(&[tried(1, true, false), tried(1, false, false)], &mut failing), [(1, true, true)]);
        assert_eq!(said(&[tried(1, false, false), tried(1, true, false)], &mut failing), [(1, true, false)]);
        assert!(said(&[tried(1, true, false)], &mut failing).is_empty());
    }

    #[test]
    fn what_this_host_could_not_try_says_nothing_of_the_endpoint() {
        let put_off = Tried { counts: false, ..tried(1, false, false) };
        assert!(said(&[put_off], &mut HashSet::new()).is_empty());
    }

    /// The row said so when the delivery was begun: it was another host at which it failed.
    #[test]
    fn a_success_is_told_where_the_endpoint_had_failed_elsewhere() {
        assert_eq!(said(&[tried(1, true, true)], &mut HashSet::new()), [(1, true, false)]);
    }
}
