//! The merchant who looks after his endpoints while clients are at work: switches one off and on again and asks for what it
//! missed, gives one a new secret, deletes one, and takes one down for good.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::Shop,
    dice::Dice,
    monkey::FROZEN_MAX,
    plan::{Acts, Plan},
    world::{Endpoint, Fate, Gone, WEBHOOK_TIMEOUT, World},
};

/// How long what was under way may still arrive, on a machine that has much to do. Where hosts are frozen, one may wake up
/// with it in hand, and go on.
const UNDER_WAY_MAX: Duration = WEBHOOK_TIMEOUT.saturating_add(Duration::from_secs(3));
/// How long an endpoint is off beyond that: for so long it is seen that nothing comes.
const SILENT_FOR: Duration = Duration::from_secs(3);
/// How long it is on before it is switched off again.
const ON_FOR_MS: (u64, u64) = (6_000, 12_000);
/// When the first of each happens: a short run must not miss it.
const FIRST_MS: (u64, u64) = (500, 2_000);
/// How long one request may take, and how long the owner insists: longer than hosts and database are ever away.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it takes until hosts have heard from an endpoint that it is gone: when clients are done, its last events are
/// tried again, and the host that heard it may have been killed.
const GONE_BY_MAX: Duration = Duration::from_secs(30);
/// `Conflict`: somebody is at it, as after an answer that was lost.
const BUSY: u16 = 409;
const NOT_FOUND: u16 = 404;

/// Who does it.
#[derive(Clone)]
pub struct Owner {
    http: reqwest::Client,
    shop: Arc<Shop>,
    /// Clients are done, and so is he, as soon as everything is in order.
    done: Arc<AtomicBool>,
    gone: Arc<Gone>,
    seed: u64,
    /// How long what was under way may still arrive in this run.
    under_way_max: Duration,
}

impl Owner {
    pub fn of(plan: &Plan, world: &World, shop: &Arc<Shop>, done: &Arc<AtomicBool>) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?,
            shop: Arc::clone(shop),
            done: Arc::clone(done),
            gone: Arc::clone(&world.gone),
            seed: plan.seed,
            under_way_max: if plan.acts == Acts::None { UNDER_WAY_MAX } else { UNDER_WAY_MAX + FROZEN_MAX },
        })
    }

    /// Looks after all of them at once; they come back with what became of them.
    pub async fn keep(self, endpoints: Vec<Endpoint>) -> anyhow::Result<Vec<Endpoint>> {
        futures_util::future::try_join_all(endpoints.into_iter().map(|endpoint| self.keep_one(endpoint))).await
    }

    async fn keep_one(&self, mut endpoint: Endpoint) -> anyhow::Result<Endpoint> {
        let mut dice = Dice::of(self.seed, endpoint.path, 0);
        if endpoint.fate != Fate::Stays {
            self.rest(dice.millis(FIRST_MS.0, FIRST_MS.1)).await;
        }
        match endpoint.fate {
            Fate::Stays => {}
            Fate::IsSwitched => self.switch(&mut endpoint, &mut dice).await?,
            Fate::IsRotated => self.rotate(&mut endpoint).await?,
            Fate::IsDeleted => {
                self.insist(Method::DELETE, &path(&endpoint, ""), None).await?;
                endpoint.silent.push(self.shop.log.now() + self.under_way_max..Duration::MAX);
            }
            Fate::IsGone => self.take_down(&mut endpoint).await?,
        }
        Ok(endpoint)
    }

    /// Off and on, again and again; it ends as one that is on and has asked for everything.
    async fn switch(&self, endpoint: &mut Endpoint, dice: &mut Dice) -> anyhow::Result<()> {
        for round in 0.. {
            self.insist(Method::PATCH, &path(endpoint, ""), Some(&json!({ "enabled": false }))).await?;
            let silent_from = self.shop.log.now() + self.under_way_max;
            if round == 0 {
                // Also where clients are faster: once it is to be seen that nothing comes.
                tokio::time::sleep(self.under_way_max + SILENT_FOR).await;
            } else {
                self.rest(self.under_way_max + SILENT_FOR).await;
            }
            endpoint.silent.push(silent_from..self.shop.log.now());
            self.insist(Method::PATCH, &path(endpoint, ""), Some(&json!({ "enabled": true }))).await?;
            let asked = format!("{}#missed-{round}", path(endpoint, "/redeliver"));
            self.insist(Method::POST, &asked, Some(&json!({}))).await?;
            self.rest(dice.millis(ON_FOR_MS.0, ON_FOR_MS.1)).await;
            if self.done.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    async fn rotate(&self, endpoint: &mut Endpoint) -> anyhow::Result<()> {
        let made = self.insist(Method::POST, &path(endpoint, "/rotate_secret"), Some(&json!({}))).await?;
        let Some(secret) = made["secret"].as_str() else { bail!("a new secret is shown: {made}") };
        endpoint.second_secret = Some((secret.to_owned(), self.shop.log.now() + self.under_way_max));
        Ok(())
    }

    /// From now on the receiver says that it is gone, until it is seen that hosts have understood.
    async fn take_down(&self, endpoint: &mut Endpoint) -> anyhow::Result<()> {
        self.gone.is.store(true, Ordering::Relaxed);
        let mut done_at = None;
        loop {
            let now = self.insist(Method::GET, &path(endpoint, ""), None).await?;
            if now["disabled_reason"] == "gone" {
                endpoint.silent.push(self.shop.log.now() + self.under_way_max..Duration::MAX);
                return Ok(());
            }
            let now = self.shop.log.now();
            if self.done.load(Ordering::Relaxed) {
                let was_told = self.gone.was_told.load(Ordering::Relaxed);
                if !was_told || now > *done_at.get_or_insert(now) + GONE_BY_MAX {
                    // Where somebody was told, the checker will ask why.
                    return Ok(());
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Sleeps, unless clients are done.
    async fn rest(&self, how_long: Duration) {
        let until = self.shop.log.now() + how_long;
        while self.shop.log.now() < until && !self.done.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks one host after the other until one of them has done it. Idempotent all the same: a POST has a key, which is
    /// the path, with what follows a `#` in it.
    async fn insist(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let until = self.shop.log.now() + PATIENCE;
        let mut last = String::from("no answer");
        for url in self.shop.urls.iter().cycle() {
            if self.shop.log.now() > until {
                break;
            }
            let target = path.split('#').next().unwrap_or(path);
            let mut request = self.http.request(method.clone(), format!("{url}{target}"));
            request = request.bearer_auth(&self.shop.merchant.api_key);
            if method == Method::POST {
                request = request.header("idempotency-key", path);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            match whole(request).await {
                Ok((200..300, answer)) => return Ok(answer),
                // Of a deletion whose answer was lost.
                Ok((NOT_FOUND, _)) if method == Method::DELETE => return Ok(Value::Null),
                Ok((status, answer)) if status >= 500 || status == BUSY => last = format!("{status} {answer}"),
                Ok((status, answer)) => bail!("{method} {path}: {status} {answer}"),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("{method} {path} was not done in {} s: {last}", PATIENCE.as_secs())
    }
}

async fn whole(request: reqwest::RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok((status, serde_json::from_slice(&response.bytes().await?).unwrap_or_default()))
}

fn path(endpoint: &Endpoint, below: &str) -> String {
    format!("/v1/webhook_endpoints/{}{below}", endpoint.id)
}
