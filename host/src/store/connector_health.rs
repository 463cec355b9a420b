//! How versions of connectors are doing: what all hosts have counted, by minutes and by what they were asked. A global
//! table.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::Error;
use crate::{
    connector::Tallied,
    domain::{
        connector_health::Counts,
        connector_use::{GUEST_CLASSES, Use},
    },
};

/// What one host has counted of one version, for one of the things that it is asked, since it last told.
pub struct Counted {
    pub name: String,
    pub digest: [u8; 32],
    pub tallied: Tallied,
}

/// The fourteen numbers, in the order of the columns.
fn columns(tallied: &Tallied) -> [u64; 14] {
    let Counts { runs, traps, divergences, operations, failed, unknown, not_processed } = tallied.counts;
    let Use { guest_us, host_us, queue_us, exchanges, network_us, fuel, memory_max_bytes, guest_runs: _ } =
        tallied.used;
    [
        runs,
        traps,
        divergences,
        operations,
        failed,
        unknown,
        not_processed,
        guest_us,
        host_us,
        queue_us,
        exchanges,
        network_us,
        fuel,
        memory_max_bytes,
    ]
}

/// Sums, in the order of the columns; where there were no rows to add up there is none.
type Sums = Vec<Option<i64>>;

/// The first of them the other way round; a sum that is not there is nought.
fn counts(sums: &Sums) -> Counts {
    let at = |place: usize| at(sums, place);
    Counts {
        runs: at(0),
        traps: at(1),
        divergences: at(2),
        operations: at(3),
        failed: at(4),
        unknown: at(5),
        not_processed: at(6),
    }
}

/// And the rest.
fn used(sums: &Sums) -> Use {
    let at = |place: usize| at(sums, place);
    Use {
        guest_us: at(7),
        host_us: at(8),
        queue_us: at(9),
        exchanges: at(10),
        network_us: at(11),
        fuel: at(12),
        memory_max_bytes: at(13),
        guest_runs: std::array::from_fn(|class| at(14 + class)),
    }
}

fn at(sums: &Sums, place: usize) -> u64 {
    sums.get(place).copied().flatten().map_or(0, i64::unsigned_abs)
}

/// Adds what this host has counted to the present minute: one statement. Touches a row for each entry. The rows are taken
/// in one order, so that two hosts never wait for each other.
pub async fn add(conn: &mut PgConnection, counted: &[Counted]) -> Result<(), Error> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let names: Vec<&str> = counted.iter().map(|entry| entry.name.as_str()).collect();
    let digests: Vec<&[u8]> = counted.iter().map(|entry| entry.digest.as_slice()).collect();
    let verbs: Vec<&str> = counted.iter().map(|entry| entry.tallied.verb.name()).collect();
    // Of all entries one after the other: an array of arrays cannot be taken apart by row.
    let numbers: Vec<i64> = counted.iter().flat_map(|entry| columns(&entry.tallied)).map(number).collect();
    let classes: Vec<i64> = counted.iter().flat_map(|entry| entry.tallied.used.guest_runs).map(number).collect();
    let columns = i32::try_from(numbers.len() / counted.len().max(1)).expect("there are fourteen");
    sqlx::query(
        "-- store::connector_health::add
         with added as (
            insert into connector_health as h
                (name, digest, minute, verb, runs, traps, divergences, operations, failed, unknown, not_processed,
                 guest_us, host_us, queue_us, exchanges, network_us, fuel, memory_max_bytes, guest_runs)
            select n.name, n.digest, date_trunc('minute', clock_timestamp()), n.verb, c.n[1], c.n[2], c.n[3], c.n[4], c.n[5],
                   c.n[6], c.n[7], c.n[8], c.n[9], c.n[10], c.n[11], c.n[12], c.n[13], c.n[14],
                   ($5::bigint[])[(n.place - 1) * $7 + 1 : n.place * $7]
              from unnest($1::text[], $2::bytea[], $3::text[]) with ordinality as n (name, digest, verb, place)
             cross join lateral (select ($4::bigint[])[(n.place - 1) * $6 + 1 : n.place * $6]) as c (n)
             order by n.name, n.digest, n.verb
            on conflict (name, digest, minute, verb) do update
               set runs = h.runs + excluded.runs, traps = h.traps + excluded.traps,
                   divergences = h.divergences + excluded.divergences, operations = h.operations + excluded.operations,
                   failed = h.failed + excluded.failed, unknown = h.unknown + excluded.unknown,
                   not_processed = h.not_processed + excluded.not_processed,
                   guest_us = h.guest_us + excluded.guest_us, host_us = h.host_us + excluded.host_us,
                   queue_us = h.queue_us + excluded.queue_us, exchanges = h.exchanges + excluded.exchanges,
                   network_us = h.network_us + excluded.network_us, fuel = h.fuel + excluded.fuel,
                   memory_max_bytes = greatest(h.memory_max_bytes, excluded.memory_max_bytes),
                   guest_runs = (select array_agg(o.runs + e.runs order by o.class)
                                   from unnest(h.guest_runs) with ordinality as o (runs, class)
                                   join unnest(excluded.guest_runs) with ordinality as e (runs, class) using (class))
            returning 1)
         select 1 / (case when (select count(*) from added) = cardinality($1::text[]) then 1 else 0 end)",
    )
    .bind(names)
    .bind(digests)
    .bind(verbs)
    .bind(numbers)
    .bind(classes)
    .bind(columns)
    .bind(i32::try_from(GUEST_CLASSES).expect("there are ten"))
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// A version that takes operations or carries some on, with what is needed to judge it.
#[derive(Clone, Debug)]
pub struct Watched {
    pub name: String,
    pub digest: Vec<u8>,
    /// `canary`, `active` or `draining`
    pub state: String,
    /// Within the window for canaries, and since the connector's canary became that; nothing where it has none.
    pub beside_canary: Counts,
    /// Within the window for quarantine, and since its state began.
    pub recent: Counts,
}

/// As it is read.
#[derive(FromRow)]
struct WatchedRow {
    name: String,
    digest: Vec<u8>,
    state: String,
    earlier: Sums,
    later: Sums,
}

/// All versions that may be taken back or taken out, by connector, with what they did at operations: nobody is judged by
/// what others have sent him. A minute that began before a state did counts as one of
/// it: what was counted in it before is forgotten when a state begins ([`forget_this_minute`]).
pub async fn watched(
    conn: &mut PgConnection,
    quarantine_minutes: u32,
    canary_minutes: u32,
) -> Result<Vec<Watched>, Error> {
    let rows: Vec<WatchedRow> = sqlx::query_as(
        "-- store::connector_health::watched
         select v.name, v.digest, v.state, s.earlier, s.later
           from connector_versions as v
           left join connector_versions as c on c.name = v.name and c.state = 'canary'
          cross join lateral (
             select date_trunc('minute', greatest(c.since, clock_timestamp() - $2 * interval '1 minute')) as canary_from,
                    date_trunc('minute', greatest(v.since, clock_timestamp() - $1 * interval '1 minute')) as recent_from) as t
          cross join lateral (
             select array[
                        sum(h.runs) filter (where h.minute >= t.canary_from), sum(h.traps) filter (where h.minute >= t.canary_from),
                        sum(h.divergences) filter (where h.minute >= t.canary_from), sum(h.operations) filter (where h.minute >= t.canary_from),
                        sum(h.failed) filter (where h.minute >= t.canary_from), sum(h.unknown) filter (where h.minute >= t.canary_from),
                        sum(h.not_processed) filter (where h.minute >= t.canary_from)]::bigint[] as earlier,
                    array[
                        sum(h.runs) filter (where h.minute >= t.recent_from), sum(h.traps) filter (where h.minute >= t.recent_from),
                        sum(h.divergences) filter (where h.minute >= t.recent_from), sum(h.operations) filter (where h.minute >= t.recent_from),
                        sum(h.failed) filter (where h.minute >= t.recent_from), sum(h.unknown) filter (where h.minute >= t.recent_from),
                        sum(h.not_processed) filter (where h.minute >= t.recent_from)]::bigint[] as later
               from connector_health as h
              where h.name = v.name and h.digest = v.digest
                and h.verb <> all ('{receive,open_session,read_settlement}')
                and h.minute >= least(coalesce(t.canary_from, t.recent_from), t.recent_from)) as s
          where v.state = any ('{canary,active,draining}')
          order by v.name, v.digest",
    )
    .bind(i32::try_from(quarantine_minutes).unwrap_or(i32::MAX))
    .bind(i32::try_from(canary_minutes).unwrap_or(i32::MAX))
    .fetch_all(conn)
    .await?;
    let watched = |row: WatchedRow| Watched {
        beside_canary: counts(&row.earlier),
        recent: counts(&row.later),
        name: row.name,
        digest: row.digest,
        state: row.state,
    };
    Ok(rows.into_iter().map(watched).collect())
}

/// How a version is doing at one of the things that it is asked, for people.
#[derive(Clone, Debug)]
pub struct Health {
    pub digest: Vec<u8>,
    /// Blank: from before they were told apart.
    pub verb: String,
    /// Within the last hour, else since its present state began.
    pub is_last_hour: bool,
    pub counts: Counts,
    pub used: Use,
}

/// How the versions of a connector are doing: only where something was counted.
pub async fn of_connector(conn: &mut PgConnection, name: &str) -> Result<Vec<Health>, Error> {
    let rows: Vec<(Vec<u8>, String, bool, Sums)> = sqlx::query_as(
        "-- store::connector_health::of_connector
         select v.digest, h.verb, w.is_last_hour,
                array[
                    sum(h.runs), sum(h.traps), sum(h.divergences), sum(h.operations), sum(h.failed), sum(h.unknown),
                    sum(h.not_processed), sum(h.guest_us), sum(h.host_us), sum(h.queue_us), sum(h.exchanges),
                    sum(h.network_us), sum(h.fuel), max(h.memory_max_bytes), sum(h.guest_runs[1]), sum(h.guest_runs[2]),
                    sum(h.guest_runs[3]), sum(h.guest_runs[4]), sum(h.guest_runs[5]), sum(h.guest_runs[6]),
                    sum(h.guest_runs[7]), sum(h.guest_runs[8]), sum(h.guest_runs[9]), sum(h.guest_runs[10])]::bigint[]
           from connector_versions as v
          cross join lateral (
             values (true, clock_timestamp() - interval '1 hour'), (false, date_trunc('minute', v.since)))
             as w (is_last_hour, begins)
           join connector_health as h on h.name = v.name and h.digest = v.digest and h.minute >= w.begins
          where v.name = $1
          group by v.digest, h.verb, w.is_last_hour
          order by v.digest, h.verb",
    )
    .bind(name)
    .fetch_all(conn)
    .await?;
    let health = |(digest, verb, is_last_hour, sums): (Vec<u8>, String, bool, Sums)| Health {
        counts: counts(&sums),
        used: used(&sums),
        digest,
        verb,
        is_last_hour,
    };
    Ok(rows.into_iter().map(health).collect())
}

/// Forgets what the present minute has counted of a version whose state begins now: it is judged by what it does from now
/// on. Touches one row, or none.
pub async fn forget_this_minute(conn: &mut PgConnection, name: &str, digest: &[u8]) -> Result<(), Error> {
    sqlx::query(
        "-- store::connector_health::forget_this_minute
         delete from connector_health
          where name = $1 and digest = $2 and minute >= date_trunc('minute', clock_timestamp())",
    )
    .bind(name)
    .bind(digest)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes up to `limit` rows of minutes that began before `before`. Returns how many.
pub async fn delete_old(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::connector_health::delete_old
         delete from connector_health as h
          using (select name, digest, minute from connector_health where minute < $1 order by minute limit $2) as old
          where h.name = old.name and h.digest = old.digest and h.minute = old.minute",
    )
    .bind(before)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
