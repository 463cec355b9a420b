//! Runs against hosts that are broken on purpose. A checker that passes one of them proves nothing.

use std::time::{Duration, Instant};

use interlock::mutation::Mutation;
use strum::VariantArray as _;

use crate::{
    journeys::Journey,
    plan::{Acts, Plan, Weather},
    play, say,
    weather::Mix,
    world::Gateway,
};

/// Payments of one of these runs.
const PAYMENTS: u32 = 120;
/// Clients stop after this.
const LOAD_MAX: Duration = Duration::from_secs(20);
/// Longer than a broken host needs to show it; it need not settle.
const SETTLE_MAX: Duration = Duration::from_secs(15);

/// What provokes a mutation.
struct Schedule {
    plan: Plan,
    only: Option<Journey>,
    /// Rules of which one must be found broken: any other breach shows no more than a broken run.
    rules: &'static [&'static str],
}

/// Plays each mutation, or those that are named; whether each was caught. As a `control` nothing is mutated, and it is
/// said whether nothing was found.
pub async fn all(seed: u64, only: &[String], control: bool) -> anyhow::Result<bool> {
    say(&format!("seed {seed}; again with `make chaos ARGS=\"mutations --seed {seed}\"`"));
    let mut missed = Vec::new();
    for mutation in Mutation::VARIANTS.iter().copied() {
        let name: &'static str = mutation.into();
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let began = Instant::now();
        let schedule = schedule(mutation, seed);
        let plan = Plan { mutation: Some(name).filter(|_| !control), ..schedule.plan };
        let breaches = play::breaches(&plan, &format!("mutation-{name}"), schedule.only).await?;
        let found = breaches.iter().find(|breach| schedule.rules.contains(&breach.rule));
        let seconds = began.elapsed().as_secs();
        match (found, control) {
            (Some(breach), false) => {
                say(&format!("{name}: caught in {seconds} s, {} breaches, such as: {breach}", breaches.len()));
            }
            (None, true) => say(&format!("{name}: its rules hold where it is not made; {seconds} s")),
            (Some(breach), true) => {
                say(&format!("{name}: FOUND WHERE IT IS NOT MADE in {seconds} s: {breach}"));
                missed.push(name);
            }
            (None, false) => {
                say(&format!("{name}: NOT CAUGHT in {seconds} s; breaches: {breaches:?}"));
                missed.push(name);
            }
        }
    }
    Ok(missed.is_empty())
}

fn schedule(mutation: Mutation, seed: u64) -> Schedule {
    let calm = Plan {
        payments: PAYMENTS,
        load_max: LOAD_MAX,
        settle_max: SETTLE_MAX,
        acts: Acts::None,
        weather: Weather::Only(Mix::Calm),
        ..Plan::quick(seed)
    };
    // A gateway that tells by itself what it did would put right what a broken host makes of its silence, before anybody
    // can see it: it answers, or not, and no more.
    let silent =
        |mix, gateway| Plan { weather: Weather::Only(mix), webhooks: "lost", gateway: Some(gateway), ..calm.clone() };
    let (plan, only, rules): (Plan, Option<Journey>, &'static [&'static str]) = match mutation {
        // Hosts sleep past their lease with a request in hand.
        Mutation::SkipLeaseCheck => (
            Plan { acts: Acts::FreezesBeforeSending, payments: PAYMENTS * 20, gateway: Some(Gateway::Once), ..calm },
            Some(Journey::PayAtOnce),
            &["nothing is sent after its lease", "what was not sent has not arrived"],
        ),
        Mutation::DropOutboxRow => (calm, None, &["every change is told"]),
        // Answers are lost, so that requests are sent again.
        Mutation::ResendWithoutKey => {
            (silent(Mix::Storm, Gateway::Usual), Some(Journey::PayAtOnce), &["an operation moves money once"])
        }
        // Answers are lost again and again.
        Mutation::FailUnknownAfterThree => {
            (silent(Mix::Storm, Gateway::Usual), Some(Journey::PayAtOnce), &["a decline is the gateway's word"])
        }
        // A request is on its way while its gateway is asked about it.
        Mutation::BelieveNeverReceived => {
            (silent(Mix::Slow, Gateway::Once), Some(Journey::PayAtOnce), &["what was not sent has not arrived"])
        }
        // Two refunds are under way at once.
        Mutation::ForgetReservation => (
            Plan { weather: Weather::Only(Mix::Sluggish), ..calm },
            Some(Journey::RaceRefunds),
            &["amounts are reserved before they are asked for"],
        ),
        Mutation::ForgetIdempotency => {
            (calm, Some(Journey::PayAtOnce), &["the same key gets the same bytes", "a payment is made by one key"])
        }
        Mutation::RenderReplays => (calm, None, &["the first final answer stands", "the same key gets the same bytes"]),
    };
    Schedule { plan, only, rules }
}
