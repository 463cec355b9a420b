//! What must be true of any database and its gateway at any moment: nothing charged twice, no money lost, no gap.
//!
//! The gateway's books are read before and after our own: what the first reading shows must be known to us, and what we
//! claim must stand in the second. So the check may run while hosts work.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use interlock::domain::id::{OperationId, OrderId, PaymentId, WebhookEndpointId};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use super::client;

/// A rule, and a query that gives a text for each breach.
type Rule = (&'static str, &'static str);

const RULES: &[Rule] = &[
    (
        "the audit trail has sequence 1 to n",
        "select payment_id::text from payment_events group by merchant_id, payment_id
         having min(sequence) <> 1 or max(sequence) <> count(*)",
    ),
    (
        "each line of the audit trail begins where the one before it ended",
        "select payment_id || ' #' || sequence
           from (select *, lag(to_state) over (partition by merchant_id, payment_id order by sequence) as before
                   from payment_events) as e
          where from_state is distinct from before",
    ),
    (
        "a payment's status and counter are those of its last audit line",
        "select p.payment_id || ': ' || p.status || ' #' || p.audit_sequence || ', trail: ' || coalesce(e.to_state, 'none')
           from payments p
           left join lateral (select * from payment_events e
                               where e.merchant_id = p.merchant_id and e.payment_id = p.payment_id
                               order by sequence desc limit 1) as e on true
          where e.to_state is distinct from p.status or e.sequence is distinct from p.audit_sequence",
    ),
    (
        "the outbox has sequence 1 to n for each object",
        "select aggregateid from outbox group by merchant_id, aggregatetype, aggregateid
         having min(sequence) <> 1 or max(sequence) <> count(*)",
    ),
    (
        "a payment has an attempt under way exactly where its status says so",
        "select payment_id || ': ' || status || ', open attempt ' || coalesce(open_attempt::text, 'none')
           from payments
          where status <> 'manual_review'
            and (open_attempt is not null) <> (status in ('processing', 'pending_verification', 'requires_action'))",
    ),
    (
        "an attempt that is under way has one row of work, and others have none",
        "select p.payment_id || ': ' || p.status || ', rows of work: ' || count(w.operation_id)
           from payments p
           left join work w on w.merchant_id = p.merchant_id and w.payment_id = p.payment_id and w.kind = 'attempt'
          where p.status <> 'manual_review'
          group by p.merchant_id, p.payment_id
         having count(w.operation_id) <> case when p.open_attempt is null then 0 else 1 end",
    ),
    (
        "work is for operations that have no outcome yet",
        "select w.operation_id || ': ' || coalesce(o.status, 'no operation')
           from work w left join operations o using (merchant_id, operation_id)
          where w.kind <> 'expiry' and (o.status is null or o.status in ('done', 'not_sent'))",
    ),
    (
        "an operation that waits for its outcome has work",
        "select o.operation_id || ': ' || o.status
           from operations o left join work w using (merchant_id, operation_id)
          where o.kind <> 'sync' and o.status in ('under_way', 'unknown', 'pending') and w.operation_id is null",
    ),
    (
        "a payment is won once, by the attempt that says so",
        "select p.payment_id || ': won by ' || coalesce(p.won_attempt::text, 'none') || ', wins: ' || count(e.sequence)
           from payments p
           left join payment_events e
                  on e.merchant_id = p.merchant_id and e.payment_id = p.payment_id and e.wins
          group by p.merchant_id, p.payment_id
         having count(e.sequence) <> case when p.won_attempt is null then 0 else 1 end",
    ),
    (
        "what has succeeded was captured",
        "select payment_id::text from payments where status = 'succeeded' and (amount_captured = 0 or won_attempt is null)",
    ),
    (
        "a key has its answer once its operation is resolved",
        "select k.key || ': ' || p.status || ', ' || o.kind || ' ' || o.status
           from idempotency_keys k
           join payments p using (merchant_id, payment_id)
           join operations o on o.merchant_id = k.merchant_id and o.operation_id = k.operation_id
          where k.answer_status is null and p.status <> 'manual_review' and o.status in ('done', 'not_sent')
            and (o.kind in ('capture', 'cancel', 'refund') or p.open_attempt is null)",
    ),
    (
        "the code of a card is gone once its authorization is final",
        "select c.token_id::text
           from token_codes c
           join operations o on o.merchant_id = c.merchant_id and o.token_id = c.token_id
           join payments p on p.merchant_id = o.merchant_id and p.payment_id = o.payment_id
          where o.kind = 'authorize' and o.status = 'done' and p.open_attempt is null",
    ),
    (
        "an order reserves what its payments hold of it",
        "select o.order_id || ': ' || o.amount_reserved || ', its payments: ' || coalesce(sum(p.amount_reserved), 0)
           from orders o left join payments p using (merchant_id, order_id)
          group by o.merchant_id, o.order_id
         having o.amount_reserved <> coalesce(sum(p.amount_reserved), 0)",
    ),
    (
        "an order's status is that of its sums",
        "select order_id || ': ' || status || ', paid ' || amount_paid || ' of ' || amount || ', refunded ' || amount_refunded
           from orders
          where status <> case when amount_refunded > 0 and amount_refunded = amount_paid then 'refunded'
                               when amount_refunded > 0 then 'partially_refunded'
                               when amount_paid = amount then 'paid'
                               when amount_paid > 0 then 'partially_paid'
                               when status = 'cancelled' then 'cancelled'
                               else 'open' end",
    ),
    (
        "nothing is an orphan",
        "select 'attempt ' || a.attempt_id from attempts a left join payments p using (merchant_id, payment_id)
          where p.payment_id is null
         union all
         select 'operation ' || o.operation_id
           from operations o
           left join attempts a on a.merchant_id = o.merchant_id and a.payment_id = o.payment_id and a.number = o.attempt_number
          where a.number is null
         union all
         select 'exchange of ' || x.operation_id from exchanges x left join operations o using (merchant_id, operation_id)
          where o.operation_id is null
         union all
         select 'reply of ' || r.operation_id
           from exchange_replies r left join exchanges x using (merchant_id, operation_id, position)
          where x.operation_id is null
         union all
         select 'event of ' || e.payment_id from payment_events e left join payments p using (merchant_id, payment_id)
          where p.payment_id is null
         union all
         select 'key ' || k.key from idempotency_keys k left join payments p using (merchant_id, payment_id)
          where k.payment_id is not null and p.payment_id is null
         union all
         select 'review ' || r.review_id from reviews r left join payments p using (merchant_id, payment_id)
          where p.payment_id is null
         union all
         select 'attempts of ' || p.payment_id
           from payments p left join attempts a using (merchant_id, payment_id)
          group by p.merchant_id, p.payment_id
         having count(a.number) <> p.attempt_count",
    ),
];

/// A payment as far as money is concerned.
struct Paid {
    id: Uuid,
    status: String,
    amount: i64,
    /// Asked for by a capture whose outcome is not known.
    capturing: i64,
    captured: i64,
    /// Asked for by refunds whose outcome is not known.
    refunding: i64,
    refunded: i64,
    /// A capture or a cancel is under way or unknown.
    settling: bool,
    currency: String,
    event_sequence: i32,
}

/// Our books, read at one moment.
struct Books {
    payments: Vec<Paid>,
    /// Which payment an operation's public id belongs to.
    operations: BTreeMap<String, Uuid>,
    /// Orders, refunds and webhook endpoints by their public ids, with their counters of events.
    counters: Vec<(String, i32)>,
    /// Events per payment's, refund's or order's public id.
    events: BTreeMap<String, i64>,
    unresolved: i64,
}

/// One charge of the gateway.
struct Charge {
    reference: String,
    held: i64,
    captured: i64,
    refunded: i64,
    currency: String,
}

/// Every breach, in words. The gateway's books are not compared where it `misbehaves`.
pub async fn broken(database_url: &str, simulator_url: &str, gateway_misbehaves: bool) -> anyhow::Result<Vec<String>> {
    let before = charges(simulator_url).await?;
    let (mut broken, books) = read(database_url).await?;
    let after = charges(simulator_url).await?;
    count_events(&books, &mut broken);
    for charge in before.iter().filter(|charge| !books.operations.contains_key(&charge.reference)) {
        broken.push(format!("the gateway was sent {}, which is not written down", charge.reference));
    }
    if !gateway_misbehaves {
        compare(&books, &before, &after, &mut broken);
        if books.unresolved == 0 && before.len() == after.len() {
            compare_totals(&books, &after, &mut broken);
        }
    }
    Ok(broken)
}

async fn read(database_url: &str) -> anyhow::Result<(Vec<String>, Books)> {
    let mut connection = PgConnection::connect(database_url).await.context("the test's database is out of reach")?;
    sqlx::raw_sql("begin isolation level repeatable read read only").execute(&mut connection).await?;
    let mut broken = Vec::new();
    for (rule, query) in RULES {
        let rows = sqlx::query(*query).fetch_all(&mut connection).await.with_context(|| (*rule).to_owned())?;
        broken.extend(rows.iter().map(|row| format!("{rule}: {}", row.get::<String, _>(0))));
    }
    let payments = sqlx::query(
        "select payment_id, status, amount, amount_capturing, amount_captured, amount_refunding, amount_refunded,
                open_operation is not null, currency, event_sequence
           from payments",
    );
    let payments = payments.fetch_all(&mut connection).await?;
    let payments = payments.iter().map(|row| Paid {
        id: row.get(0),
        status: row.get(1),
        amount: row.get(2),
        capturing: row.get(3),
        captured: row.get(4),
        refunding: row.get(5),
        refunded: row.get(6),
        settling: row.get(7),
        currency: row.get(8),
        event_sequence: row.get(9),
    });
    let operations = sqlx::query("select operation_id, payment_id from operations").fetch_all(&mut connection).await?;
    let orders = sqlx::query("select order_id, event_sequence from orders").fetch_all(&mut connection).await?;
    let refunds =
        sqlx::query("select operation_id, event_sequence from operations where kind = 'refund' and purpose is null");
    let refunds = refunds.fetch_all(&mut connection).await?;
    let refunds = refunds.iter().map(|row| (OperationId::from_uuid(row.get(0)).to_string(), row.get(1)));
    let orders = orders.iter().map(|row| (OrderId::from_uuid(row.get(0)).to_string(), row.get(1)));
    let endpoints = sqlx::query("select endpoint_id, event_sequence from webhook_endpoints");
    let endpoints = endpoints.fetch_all(&mut connection).await?;
    let endpoints = endpoints.iter().map(|row| (WebhookEndpointId::from_uuid(row.get(0)).to_string(), row.get(1)));
    let events = sqlx::query("select aggregateid, count(*) from outbox group by aggregateid");
    let events = events.fetch_all(&mut connection).await?;
    let unresolved = sqlx::query_scalar(
        "select (select count(*) from work where kind <> 'expiry') + (select count(*) from payments where status = 'manual_review')",
    );
    let books = Books {
        payments: payments.collect(),
        operations: operations.iter().map(|row| (OperationId::from_uuid(row.get(0)).to_string(), row.get(1))).collect(),
        counters: orders.chain(refunds).chain(endpoints).collect(),
        events: events.iter().map(|row| (row.get(0), row.get(1))).collect(),
        unresolved: unresolved.fetch_one(&mut connection).await?,
    };
    connection.close().await?;
    Ok((broken, books))
}

async fn charges(simulator_url: &str) -> anyhow::Result<Vec<Charge>> {
    let answer = client::try_answer(client::connections().get(format!("{simulator_url}/__ledger"))).await?;
    anyhow::ensure!(answer.json["balanced"] == true, "the simulator's own books do not add up: {}", answer.text());
    let charges = answer.json["charges"].as_array().context("the ledger lists charges")?;
    let number = |charge: &Value, name: &str| charge[name].as_i64().unwrap_or_default();
    let text = |charge: &Value, name: &str| charge[name].as_str().unwrap_or_default().to_owned();
    Ok(charges
        .iter()
        .map(|charge| Charge {
            reference: text(charge, "reference"),
            held: number(charge, "held"),
            captured: number(charge, "captured"),
            refunded: number(charge, "refunded"),
            currency: text(charge, "currency"),
        })
        .collect())
}

fn count_events(books: &Books, broken: &mut Vec<String>) {
    let payments = books.payments.iter();
    let payments = payments.map(|payment| (PaymentId::from_uuid(payment.id).to_string(), payment.event_sequence));
    for (id, counted) in payments.chain(books.counters.iter().cloned()) {
        let told = books.events.get(&id).copied().unwrap_or_default();
        if told != i64::from(counted) {
            broken.push(format!("{id} counts {counted} events, and the outbox has {told}"));
        }
    }
}

/// Payment by payment: at most one charge with money, and exactly the one that the payment's status claims. The gateway
/// may have moved on between our reading and one of the two of its books, so one of them must agree.
fn compare(books: &Books, before: &[Charge], after: &[Charge], broken: &mut Vec<String>) {
    let mut references = BTreeSet::new();
    for charge in after {
        if !references.insert(&charge.reference) {
            broken.push(format!("{} was charged more than once", charge.reference));
        }
    }
    let (before, after) = (with_money(books, before), with_money(books, after));
    for payment in &books.payments {
        let id = PaymentId::from_uuid(payment.id);
        let own = |charges: &BTreeMap<Uuid, Vec<&Charge>>| charges.get(&payment.id).map(|own| Moved::of(own));
        let (before, after) = (own(&before).unwrap_or_default(), own(&after).unwrap_or_default());
        if after.charges > 1 {
            broken.push(format!("{id} has {} charges with money", after.charges));
        }
        if !payment.agrees(&before) && !payment.agrees(&after) {
            broken.push(format!(
                "{id} is {} with {} captured and {} refunded, and the gateway holds {}, took {} and gave back {}",
                payment.status, payment.captured, payment.refunded, after.held, after.captured, after.refunded
            ));
        }
    }
}

fn with_money<'a>(books: &Books, charges: &'a [Charge]) -> BTreeMap<Uuid, Vec<&'a Charge>> {
    let mut by_payment: BTreeMap<Uuid, Vec<&Charge>> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.held + charge.captured > 0) {
        if let Some(payment) = books.operations.get(&charge.reference) {
            by_payment.entry(*payment).or_default().push(charge);
        }
    }
    by_payment
}

/// What the gateway moved for one payment, in minor units.
#[derive(Default)]
struct Moved {
    charges: usize,
    held: i64,
    captured: i64,
    refunded: i64,
    currencies: BTreeSet<String>,
}

impl Moved {
    fn of(charges: &[&Charge]) -> Self {
        Self {
            charges: charges.len(),
            held: charges.iter().map(|charge| charge.held).sum(),
            captured: charges.iter().map(|charge| charge.captured).sum(),
            refunded: charges.iter().map(|charge| charge.refunded).sum(),
            currencies: charges.iter().map(|charge| charge.currency.clone()).collect(),
        }
    }
}

impl Paid {
    /// Whether the gateway's books can be those of this payment. What is asked for and not known may be done or not.
    fn agrees(&self, gateway: &Moved) -> bool {
        let captured = (self.captured..=self.captured + self.capturing).contains(&gateway.captured);
        let refunded = (self.refunded..=self.refunded + self.refunding).contains(&gateway.refunded);
        let known = gateway.currencies.iter().all(|currency| *currency == self.currency) && captured && refunded;
        match self.status.as_str() {
            "succeeded" | "partially_refunded" | "refunded" => known && gateway.held == 0,
            "authorized" | "partially_captured" if self.settling => {
                known && gateway.held + gateway.captured <= self.amount
            }
            "authorized" | "partially_captured" => known && gateway.held == self.amount - gateway.captured,
            "failed" | "cancelled" | "expired" => gateway.held == 0 && gateway.captured == 0,
            // A charge of ours may be on its way; what is there must not be more than was asked for.
            _ => gateway.held + gateway.captured <= self.amount,
        }
    }
}

fn compare_totals(books: &Books, charges: &[Charge], broken: &mut Vec<String>) {
    let mut totals: BTreeMap<&str, [i64; 4]> = BTreeMap::new();
    for payment in &books.payments {
        let [captured, refunded, _, _] = totals.entry(&payment.currency).or_default();
        *captured += payment.captured;
        *refunded += payment.refunded;
    }
    for charge in charges {
        let [_, _, captured, refunded] = totals.entry(&charge.currency).or_default();
        *captured += charge.captured;
        *refunded += charge.refunded;
    }
    for (currency, [ours, ours_back, theirs, theirs_back]) in totals {
        if (ours, ours_back) != (theirs, theirs_back) {
            broken.push(format!(
                "in {currency} we count {ours} taken and {ours_back} given back, the gateway {theirs} and {theirs_back}"
            ));
        }
    }
}
