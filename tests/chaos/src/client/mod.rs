//! A merchant's program as it should be: it tries again under the same key until it has an answer, at whatever host is
//! there. It writes down everything it does and sees.

mod log;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use interlock_tests::harness::{self, Browser};
use reqwest::Method;
use serde_json::{Value, json};

pub use log::{Answer, Call, Log};

use crate::{
    dice::Dice,
    plan::Plan,
    world::{Gateway, Merchant},
};

/// How long a program waits for an answer before it tries again.
const ANSWER_MAX: Duration = Duration::from_secs(4);
/// How long it goes on trying: longer than the database is ever away.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it insists where another operation of the payment is under way: that one may be unknown for long.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits for an outcome that is not known yet, before it goes on with other things.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(6);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What all clients of a run share.
pub struct Shop {
    pub urls: Vec<String>,
    pub merchant: Merchant,
    pub log: Log,
    http: reqwest::Client,
    /// Hosts take turns, as behind a load balancer that does not know who is alive.
    next_host: AtomicUsize,
}

impl Shop {
    pub fn new(urls: Vec<String>, merchant: Merchant) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_MAX)
            .build()?;
        Ok(Self { urls, merchant, log: Log::new(), http, next_host: AtomicUsize::new(0) })
    }

    /// One request to the next host, written down. None where no whole answer came.
    pub async fn send(&self, request: Request<'_>) -> Option<Answer> {
        let host = self.next_host.fetch_add(1, Ordering::Relaxed) % self.urls.len();
        let url = format!("{}{}", self.urls.get(host)?, request.path);
        let mut sent = self.http.request(request.method.clone(), url).bearer_auth(&self.merchant.api_key);
        if let Some(key) = request.key {
            sent = sent.header("idempotency-key", key);
        }
        if let Some(body) = request.body {
            sent = sent.json(&**body);
        }
        let began = self.log.now();
        let answer = whole(sent).await;
        self.log.add(Call {
            journey: request.journey,
            began,
            ended: self.log.now(),
            host,
            method: if request.method == Method::POST { "POST" } else { "GET" },
            path: request.path.to_owned(),
            key: request.key.map(str::to_owned),
            body: request.body.cloned(),
            answer: answer.clone(),
        });
        answer
    }
}

/// A request as a client makes it.
pub struct Request<'a> {
    pub journey: u32,
    pub method: Method,
    pub path: &'a str,
    pub key: Option<&'a str>,
    pub body: Option<&'a Arc<Value>>,
}

async fn whole(request: reqwest::RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let replayed = response.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
    let bytes = response.bytes().await.ok()?;
    let json = Arc::new(serde_json::from_slice(&bytes).unwrap_or_default());
    Some(Answer { status, bytes, json, replayed })
}

/// One client on one journey.
pub struct Client {
    pub shop: Arc<Shop>,
    pub journey: u32,
    /// What the journey is: the same for the same seed.
    pub dice: Dice,
    /// Pauses and repetitions, which depend on what happens meanwhile and must not change what the journey is.
    luck: Dice,
    keys: u32,
    prefix: String,
    /// The connector that it pays through.
    pub through: &'static harness::Gateway,
    /// The only gateway that it pays at, where the plan says one.
    pub gateway: Option<Gateway>,
}

impl Client {
    pub fn new(shop: Arc<Shop>, plan: &Plan, journey: u32) -> Self {
        let seed = plan.seed;
        Self {
            shop,
            journey,
            dice: Dice::of(seed, "journey", journey.into()),
            luck: Dice::of(seed, "luck", journey.into()),
            keys: 0,
            prefix: format!("chaos-{seed:x}-{journey}"),
            through: plan.through,
            gateway: plan.gateway,
        }
    }

    /// A client beside this one, which shares its journey and calls at the same time.
    pub fn twin(&mut self) -> Self {
        let (shop, number) = (Arc::clone(&self.shop), u64::from(self.journey));
        self.keys += 1;
        let prefix = format!("{}-{}", self.prefix, self.keys);
        let seed = u64::try_from(self.dice.between(0, i64::MAX)).unwrap_or_default();
        let (dice, luck) = (Dice::of(seed, "twin", number), Dice::of(seed, "twin's luck", number));
        let (through, gateway) = (self.through, self.gateway);
        Self { shop, journey: self.journey, dice, luck, keys: 0, prefix, through, gateway }
    }

    /// A key that no other request has.
    pub fn fresh_key(&mut self) -> String {
        self.keys += 1;
        format!("{}-{}", self.prefix, self.keys)
    }

    /// `gwa_…` of an account.
    pub fn account(&self, gateway: Gateway) -> Option<&str> {
        self.shop.merchant.accounts.get(gateway.place()).map(String::as_str)
    }

    /// POST under a fresh key, insisted on. None where no answer came for long.
    pub async fn post(&mut self, path: &str, body: Value) -> Option<Answer> {
        let key = self.fresh_key();
        self.post_as(&key, path, &Arc::new(body)).await
    }

    /// POST under this key until there is an answer that a program can go on with: not "come again".
    pub async fn post_as(&mut self, key: &str, path: &str, body: &Arc<Value>) -> Option<Answer> {
        let began = self.shop.log.now();
        let shop = Arc::clone(&self.shop);
        let journey = self.journey;
        let request = || Request { journey, method: Method::POST, path, key: Some(key), body: Some(body) };
        let mut answer = if self.luck.in_hundred(8) {
            // An impatient program, or a proxy that doubles requests.
            let (one, other) = futures_util::future::join(shop.send(request()), shop.send(request())).await;
            one.filter(|answer| !is_come_again(answer)).or(other)
        } else {
            shop.send(request()).await
        };
        while answer.as_ref().is_none_or(is_come_again) {
            let is_busy = answer.as_ref().is_some_and(|answer| answer.text("code") == OPERATION_IN_PROGRESS);
            if shop.log.now() > began + if is_busy { BUSY_PATIENCE } else { PATIENCE } {
                break;
            }
            tokio::time::sleep(self.luck.millis(50, 500)).await;
            answer = shop.send(request()).await;
        }
        let known = answer.filter(|answer| !is_come_again(answer))?;
        if self.luck.in_hundred(10) {
            // The answer was lost on its way, for all that the program knows.
            shop.send(request()).await;
        }
        Some(known)
    }

    /// GET, tried a few times.
    pub async fn get(&mut self, path: &str) -> Option<Answer> {
        for _ in 0..3 {
            let request = Request { journey: self.journey, method: Method::GET, path, key: None, body: None };
            match self.shop.send(request).await {
                Some(answer) if answer.status == 200 => return Some(answer),
                Some(_) | None => tokio::time::sleep(self.luck.millis(50, 300)).await,
            }
        }
        None
    }

    /// Looks at the payment until its outcome is known, for a while; as it is last seen.
    pub async fn outcome(&mut self, payment: &str) -> Option<Answer> {
        let path = format!("/v1/payments/{payment}");
        let until = self.shop.log.now() + OUTCOME_PATIENCE;
        loop {
            let seen = self.get(&path).await;
            let is_known =
                seen.as_ref().is_some_and(|seen| !matches!(seen.text("status"), "processing" | "pending_verification"));
            if is_known || self.shop.log.now() > until {
                return seen;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The customer's browser at the gateway: goes where the payment leads to and presses a button. What it brings back to
    /// the shop, or nothing where the customer came too late.
    pub async fn press(&mut self, payment: &Value, button: &str) -> Value {
        Browser::default().try_act(payment, button).await.unwrap_or_else(|_| json!({}))
    }

    /// A pause of the program's own.
    pub async fn pause(&mut self, low_ms: u64, high_ms: u64) {
        let pause = self.dice.millis(low_ms, high_ms);
        tokio::time::sleep(pause).await;
    }
}

const OPERATION_IN_PROGRESS: &str = "operation_in_progress";

/// The same request, later: nothing is known yet.
fn is_come_again(answer: &Answer) -> bool {
    let is_busy = matches!(answer.text("code"), "idempotency_in_progress" | OPERATION_IN_PROGRESS);
    answer.status >= 500 || answer.status == 429 || (answer.status == 409 && is_busy)
}
