//! One run from beginning to end: a world, clients and monkey at once, settling, checking, telling.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::Context as _;

use crate::{
    check::{self, Breach},
    client::{Client, Shop},
    facts::{self, Facts},
    journeys::{self, Journey},
    monkey::{self, Diary},
    owner::Owner,
    plan::Plan,
    say, settle, story,
    world::World,
};

/// Breaches that are shown with their whole story; the others by a line each, up to the second number.
const STORIES_MAX: usize = 3;
const LINES_MAX: usize = 40;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Sound,
    Broken,
}

/// Plays one run, tells what it came to, and keeps logs and database where something is broken.
pub async fn play(plan: &Plan, name: &str, only: Option<Journey>) -> anyhow::Result<Verdict> {
    let began = Instant::now();
    let mut world = World::start(plan, name).await?;
    say(&format!(
        "{} hosts, {} gateways; started in {} ms",
        world.hosts.len(),
        world.gateways.len(),
        began.elapsed().as_millis()
    ));
    let (breaches, facts, diary) = run(plan, &mut world, only).await?;
    for (number, breach) in breaches.iter().take(LINES_MAX).enumerate() {
        say(&format!("BROKEN: {breach}"));
        if number < STORIES_MAX {
            say(&story::tell(&world, &facts, &diary, breach).await);
        }
    }
    if breaches.is_empty() {
        let folder = world.end();
        // Nothing to look for in them.
        let _ = std::fs::remove_dir_all(folder);
        say(&format!("nothing is broken; {} s", began.elapsed().as_secs()));
        return Ok(Verdict::Sound);
    }
    story::keep(&world, &facts, &diary, &breaches).await?;
    let folder = world.end();
    say(&format!(
        "{} breaches; logs, database and everything that clients saw are in {}",
        breaches.len(),
        folder.display()
    ));
    Ok(Verdict::Broken)
}

async fn run(plan: &Plan, world: &mut World, only: Option<Journey>) -> anyhow::Result<(Vec<Breach>, Facts, Diary)> {
    let (journeys, missing) = journeys::schedule(plan.seed, plan.payments, only, |route| world.has(route));
    if !missing.is_empty() {
        let names: Vec<&str> = missing.into_iter().map(Into::into).collect();
        say(&format!("left out, because hosts lack a route for them: {}", names.join(", ")));
    }
    let shop = Arc::new(Shop::new(world.urls.clone(), world.merchant.clone())?);
    let done = Arc::new(AtomicBool::new(false));
    let clients = tokio::spawn(clients(plan.clone(), Arc::clone(&shop), journeys, Arc::clone(&done)));
    let owner = Owner::of(plan, world, &shop, &done)?;
    let owner = tokio::spawn(owner.keep(world.endpoints.clone()));
    let diary = monkey::rage(plan, world, &shop.log, &done).await;
    // Where the monkey fell, clients must not run on.
    done.store(true, Ordering::Relaxed);
    let went = clients.await?;
    let diary = diary?;
    world.endpoints = owner.await??;
    let load = shop.log.now();
    let (sent, payments) = (shop.log.calls().len(), world.database.count("select count(*) from payments").await?);
    say(&format!(
        "{payments} payments by {went} journeys and {sent} requests in {} s; {} acts of chaos",
        load.as_secs(),
        diary.lines.len()
    ));
    let unsettled = settle::settle(plan, world, &shop).await?;
    settle::replay(&shop).await;
    say(&format!("settled after {} s; {unsettled} operations are left", shop.log.now().saturating_sub(load).as_secs()));
    let undelivered = settle::hear_out(world, &shop).await?;
    say(&format!("{undelivered} deliveries are left"));
    let facts = facts::gather(plan, world, &shop.log).await?;
    let mut breaches = check::all(&facts);
    breaches.extend(diary.broken.iter().map(|what| Breach::of("a host that is told to end ends well", None, what)));
    say(&facts.summary());
    Ok((breaches, facts, diary))
}

/// All journeys, so many at once; how many were made.
async fn clients(plan: Plan, shop: Arc<Shop>, journeys: Vec<Journey>, done: Arc<AtomicBool>) -> usize {
    let next = Arc::new(AtomicUsize::new(0));
    let journeys = Arc::new(journeys);
    let until = Instant::now() + plan.load_max;
    let workers = (0..plan.clients).map(|_| {
        let (plan, shop, next) = (plan.clone(), Arc::clone(&shop), Arc::clone(&next));
        let (journeys, done) = (Arc::clone(&journeys), Arc::clone(&done));
        tokio::spawn(async move {
            while Instant::now() < until && !done.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(journey) = journeys.get(number) else { break };
                let mut client = Client::new(Arc::clone(&shop), &plan, u32::try_from(number).unwrap_or(u32::MAX));
                journey.go(&mut client).await;
            }
        })
    });
    futures_util::future::join_all(workers).await;
    done.store(true, Ordering::Relaxed);
    next.load(Ordering::Relaxed).min(journeys.len())
}

/// A run of which nothing is told but what the checker found: for mutations.
pub async fn breaches(plan: &Plan, name: &str, only: Option<Journey>) -> anyhow::Result<Vec<Breach>> {
    let mut world = World::start(plan, name).await?;
    let (breaches, ..) = run(plan, &mut world, only).await.with_context(|| name.to_owned())?;
    let folder = world.end();
    let _ = std::fs::remove_dir_all(folder);
    Ok(breaches)
}
