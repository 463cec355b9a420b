//! Who strikes down hosts and database while clients work: one act after the other, chosen by the seed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use sqlx::Connection as _;

use crate::{
    client::Log,
    dice::Dice,
    plan::{Acts, Plan, Weather},
    weather::{self, Mix},
    world::{HOSTS, LEASE_MS, World},
};

/// How long commits are held up at a lock, so that a host is frozen before it sends what it has written down.
const HELD_UP: Duration = Duration::from_millis(350);
/// How much longer than its lease such a host is frozen, from and to. What it sends then is dated after all that the checker
/// forgives: gateways date in whole seconds.
const FROZEN_BEYOND_MS: (u64, u64) = (3_000, 4_000);
/// The longest that a host is frozen; what it had in hand it does after that.
pub const FROZEN_MAX: Duration = Duration::from_millis(FROZEN_BEYOND_MS.1 + LEASE_MS.unsigned_abs());
/// Between two looks at whether clients are done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Something that befalls the world.
#[derive(Clone, Copy, Debug, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Act {
    /// `kill -9`.
    Kill,
    /// SIGSTOP, and SIGCONT after a while.
    Freeze,
    /// The same between commit 1 and the first byte, until after the lease.
    FreezeBeforeSending,
    /// SIGTERM.
    Drain,
    /// Postgres is stopped in its immediate mode.
    CrashDatabase,
    /// Other faults at a gateway.
    ChangeWeather,
}

const ACTS: &[(u32, Act)] = &[
    (5, Act::Kill),
    (4, Act::Freeze),
    (2, Act::FreezeBeforeSending),
    (2, Act::Drain),
    (1, Act::CrashDatabase),
    (6, Act::ChangeWeather),
];

/// What a run did to its world.
#[derive(Debug, Default)]
pub struct Diary {
    /// When, and what.
    pub lines: Vec<(Duration, String)>,
    /// Where a host did not do what it must when it is told to end.
    pub broken: Vec<String>,
}

/// Acts until clients are `done`; leaves everything running and calm.
pub async fn rage(plan: &Plan, world: &mut World, log: &Log, done: &AtomicBool) -> anyhow::Result<Diary> {
    let mut dice = Dice::of(plan.seed, "monkey", 0);
    let mut diary = Diary::default();
    let mix = match plan.weather {
        Weather::Changing => Mix::Usual,
        Weather::Only(mix) => mix,
    };
    for gateway in &world.gateways {
        weather::set(gateway, mix, plan.webhooks, world.listens()).await;
    }
    let acts: &[(u32, Act)] = match plan.acts {
        Acts::All => ACTS,
        Acts::FreezesBeforeSending => &[(1, Act::FreezeBeforeSending)],
        Acts::None => &[],
    };
    // Every kind once before chance decides: a short run must not miss one.
    let mut first: Vec<Act> = acts.iter().map(|(_, act)| *act).collect();
    while !done.load(Ordering::Relaxed) {
        rest(dice.millis(700, 2_500), done).await;
        if acts.is_empty() || done.load(Ordering::Relaxed) {
            continue;
        }
        let act = if first.is_empty() { dice.weighted(acts) } else { first.swap_remove(dice.place(first.len())) };
        let began = log.now();
        let what = act.play(world, &mut dice, &mut diary).await?;
        diary.lines.push((began, what));
    }
    for gateway in &world.gateways {
        gateway.clear_faults().await;
    }
    Ok(diary)
}

async fn rest(how_long: Duration, done: &AtomicBool) {
    let mut rested = Duration::ZERO;
    while rested < how_long && !done.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
        rested += LOOK_EVERY;
    }
}

impl Act {
    async fn play(self, world: &mut World, dice: &mut Dice, diary: &mut Diary) -> anyhow::Result<String> {
        let number = dice.place(HOSTS);
        let name: &str = self.into();
        match self {
            Self::Kill => {
                let down = dice.millis(0, 1_500);
                let host = world.hosts.get_mut(number).context("there are that many hosts")?;
                host.kill().await;
                tokio::time::sleep(down).await;
                host.start_again(&[]).await;
            }
            Self::Freeze => {
                let frozen = dice.millis(300, 6_000);
                let host = world.hosts.get(number).context("there are that many hosts")?;
                host.freeze();
                tokio::time::sleep(frozen).await;
                host.thaw();
            }
            Self::FreezeBeforeSending => {
                let frozen = dice.millis(FROZEN_BEYOND_MS.0, FROZEN_BEYOND_MS.1);
                let frozen = frozen + Duration::from_millis(LEASE_MS.unsigned_abs());
                freeze_before_sending(world, number, frozen).await?;
            }
            Self::Drain => {
                let host = world.hosts.get_mut(number).context("there are that many hosts")?;
                let status = host.terminate().await;
                if !status.success() {
                    diary.broken.push(format!("host {number} was told to end and ended with {status}"));
                }
                host.start_again(&[]).await;
            }
            Self::CrashDatabase => {
                let down = dice.millis(0, 700);
                world.database.crash(down).await?;
            }
            Self::ChangeWeather => {
                let place = dice.place(world.gateways.len());
                let gateway = world.gateways.get(place).context("there are that many gateways")?;
                let mix: &str = weather::change(gateway, dice, world.listens()).await.into();
                return Ok(format!("{name}: gateway {place} is {mix}"));
            }
        }
        Ok(format!("{name}: host {number}"))
    }
}

/// Commits of all hosts wait for a lock in Postgres; one host stops; then Postgres commits. The host wakes up when its
/// leases are over and another one has taken its operations.
async fn freeze_before_sending(world: &World, number: usize, frozen: Duration) -> anyhow::Result<()> {
    let mut lock = sqlx::PgConnection::connect(&world.database.url).await?;
    sqlx::raw_sql("begin; lock table exchanges in exclusive mode").execute(&mut lock).await?;
    tokio::time::sleep(HELD_UP).await;
    let host = world.hosts.get(number).context("there are that many hosts")?;
    host.freeze();
    sqlx::raw_sql("rollback").execute(&mut lock).await?;
    lock.close().await?;
    tokio::time::sleep(frozen).await;
    host.thaw();
    Ok(())
}
