//! The end of a run: all is calm, what is open comes to its end, and every client asks once more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use interlock::domain::id::{OperationId, PaymentId};
use interlock_tests::harness::receiver::Reply;
use reqwest::Method;
use serde_json::json;

use crate::{
    client::{Client, Request, Shop},
    facts::Ledger,
    plan::Plan,
    say,
    world::World,
};

/// How long gateways and customers are waited for, once nothing else is open: longer than hosts let customers take.
const REMIND_MAX: Duration = Duration::from_secs(20);
/// How often they are reminded.
const REMIND_EVERY: Duration = Duration::from_secs(3);
/// How often it is looked whether everything is delivered.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Keys that are asked for once more at most.
const REPLAYS_MAX: usize = 1_500;
/// Clients that do so at once.
const REPLAYERS: usize = 8;
/// What nobody drives and no schedule will end by itself.
const UNSETTLED: &str = "select count(*) from work where task not in ('review', 'poll', 'act')";
const SYNC: &str = "/v1/payments/{id}/sync";
/// Operations with their payment and what it says about money; not where a person looks at it anyway.
const CLAIMS: &str = "
    select concat_ws(' ', o.operation_id, p.payment_id, p.amount_captured + p.amount_surplus, p.amount_refunded, p.status)
      from operations as o
      join payments as p using (merchant_id, payment_id)
     where o.kind <> 'sync' and p.status <> 'manual_review'
       and not exists (select 1 from reviews as r
                        where r.merchant_id = p.merchant_id and r.payment_id = p.payment_id and r.closed_at is null)";
/// Payments whose gateway has accepted them, or whose customer was to act.
const WAITING: &str = "select count(*) from work where task in ('poll', 'act')";

/// What the merchant's endpoints have still to get: what is queued, and what nobody has queued yet.
const UNDELIVERED: &str = "
    select (select count(*) from delivery_queue) + (select count(*) from outbox as o
             where not exists (select 1 from outbox_cursors as c
                                where c.reader = 'endpoints' and (c.xid, c.id) >= (o.xid, o.id)))";
/// How long a delivery that failed at the worst moment may wait for its next try, and some more.
const DELIVERED_MAX: Duration = Duration::from_secs(45);

/// Waits until nothing is open that ends by itself; says how many operations are.
pub async fn settle(plan: &Plan, world: &World, shop: &Arc<Shop>) -> anyhow::Result<i64> {
    world.receiver.answer(Reply::Status(200));
    let mut client = Client::new(Arc::clone(shop), plan, u32::MAX);
    let until = shop.log.now() + plan.settle_max;
    let mut quiet_since = None;
    loop {
        let unheard = remind(world, &mut client).await?;
        let now = shop.log.now();
        let left = world.database.count(UNSETTLED).await?;
        if left > 0 {
            quiet_since = None;
        } else if unheard == 0 && world.database.count(WAITING).await? == 0 {
            return Ok(0);
        }
        // Everybody was reminded, and whoever waits yet waits for what nobody will tell him.
        let is_over = left == 0 && now > *quiet_since.get_or_insert(now) + REMIND_MAX;
        if is_over || now > until {
            return Ok(left);
        }
        tokio::time::sleep(REMIND_EVERY).await;
    }
}

/// Waits until the merchant's endpoints have got everything; says how much they have not.
pub async fn hear_out(world: &World, shop: &Shop) -> anyhow::Result<i64> {
    let until = shop.log.now() + DELIVERED_MAX;
    loop {
        let left = world.database.count(UNDELIVERED).await?;
        if left == 0 || shop.log.now() > until {
            return Ok(left);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Gateways end what is pending and tell again what nobody has heard: as real ones do, for days. Merchants ask about
/// what is still waiting. Says about how many payments the gateways and we do not agree.
async fn remind(world: &World, client: &mut Client) -> anyhow::Result<usize> {
    for gateway in &world.gateways {
        gateway.settle_all().await;
    }
    let unheard = if world.listens() { tell_again(world).await? } else { 0 };
    if world.has(SYNC) {
        for payment in waiting(world).await? {
            client.post(&format!("/v1/payments/{payment}/sync"), json!({})).await;
        }
    }
    Ok(unheard)
}

/// What a payment says about money, and its operations.
#[derive(Default)]
struct Claim {
    /// Captured with surplus, and refunded.
    says: (i64, i64),
    status: String,
    operations: BTreeSet<String>,
}

async fn claims(world: &World) -> anyhow::Result<BTreeMap<String, Claim>> {
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    for row in world.database.texts(CLAIMS).await? {
        let [operation, payment, captured, refunded, status] = row.split(' ').collect::<Vec<_>>()[..] else {
            anyhow::bail!("five words were asked for: {row}")
        };
        let claim = claims.entry(payment.to_owned()).or_default();
        claim.says = (captured.parse()?, refunded.parse()?);
        status.clone_into(&mut claim.status);
        claim.operations.insert(OperationId::from_uuid(operation.parse()?).to_string());
    }
    Ok(claims)
}

/// Each gateway tells everything about payments of which it knows something else than we do. How many there are.
async fn tell_again(world: &World) -> anyhow::Result<usize> {
    let claims = claims(world).await?;
    let mut ledgers = Vec::new();
    for gateway in &world.gateways {
        let mut ledger = Ledger::default();
        ledger.add(0, &gateway.ledger().await)?;
        ledgers.push(ledger);
    }
    let mut charged: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
    for charge in ledgers.iter().flat_map(|ledger| &ledger.charges) {
        let (captured, refunded, held) = charged.entry(&charge.reference).or_default();
        *captured += charge.captured;
        *refunded += charge.refunded;
        *held += charge.held;
    }
    let mut unheard = 0;
    for claim in claims.values() {
        let own = claim.operations.iter().filter_map(|operation| charged.get(operation.as_str()));
        let (captured, refunded, held) = own.fold((0, 0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1, sum.2 + own.2));
        let may_hold = matches!(claim.status.as_str(), "authorized" | "partially_captured");
        if claim.says == (captured, refunded) && (held == 0 || may_hold) {
            continue;
        }
        unheard += 1;
        for reference in &claim.operations {
            for gateway in &world.gateways {
                gateway.tell_again(reference).await;
            }
        }
    }
    Ok(unheard)
}

/// Payments that wait for their gateway or their customer, by their public ids.
async fn waiting(world: &World) -> anyhow::Result<Vec<String>> {
    let ids = world.database.texts("select distinct payment_id::text from work where task in ('poll', 'act')").await?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).map(|id| PaymentId::from_uuid(id).to_string()).collect())
}

/// Requests of the run, each sent once more under its key: what they are told now is what the key will say for days.
pub async fn replay(shop: &Arc<Shop>) {
    let mut seen = BTreeSet::new();
    let calls: Vec<_> = shop
        .log
        .calls()
        .into_iter()
        .filter(|call| call.key.is_some() && seen.insert((call.path.clone(), call.key.clone())))
        .collect();
    let step = calls.len().div_ceil(REPLAYS_MAX).max(1);
    say(&format!("asking again under {} of {} keys", calls.len().div_ceil(step), calls.len()));
    let chosen: Arc<Vec<_>> = Arc::new(calls.into_iter().step_by(step).collect());
    let replayers = (0..REPLAYERS).map(|number| {
        let (shop, chosen) = (Arc::clone(shop), Arc::clone(&chosen));
        tokio::spawn(async move {
            for call in chosen.iter().skip(number).step_by(REPLAYERS) {
                let (path, key, body) = (&*call.path, call.key.as_deref(), call.body.as_ref());
                shop.send(Request { journey: call.journey, method: Method::POST, path, key, body }).await;
            }
        })
    });
    futures_util::future::join_all(replayers).await;
}
