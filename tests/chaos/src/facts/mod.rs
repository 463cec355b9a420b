//! Everything that is known at the end of a run, from four sides: the gateways, the database, the events, the clients.
//!
//! Nothing here judges. The checker ([`crate::check`]) does, and needs nothing but this.

pub mod books;
pub mod deliveries;
pub mod ledger;

use interlock_tests::harness::invariants;

pub use books::Books;
use deliveries::Heard;
pub use ledger::Ledger;

use crate::{
    client::{Call, Log},
    plan::{Plan, Weather},
    weather::Mix,
    world::{Endpoint, World},
};

/// All sides of a run.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub ledger: Ledger,
    pub books: Books,
    /// In the order in which they ended.
    pub calls: Vec<Call>,
    /// Rules over the database that all black-box tests check too, already in words.
    pub broken_rules: Vec<String>,
    /// The merchant's account at each gateway, by the gateway's place.
    pub accounts: Vec<String>,
    /// The merchant's, and what became of them.
    pub endpoints: Vec<Endpoint>,
    /// What came to them, in the order in which it came.
    pub heard: Vec<Heard>,
    /// Gateways neither held back what they did nor changed their mind: money moves when a request arrives.
    pub gateways_act_at_once: bool,
}

/// Reads all sides. Everything must be at rest.
pub async fn gather(plan: &Plan, world: &World, log: &Log) -> anyhow::Result<Facts> {
    let mut ledger = Ledger::default();
    for (number, gateway) in world.gateways.iter().enumerate() {
        ledger.add(number, &gateway.ledger().await)?;
    }
    let mut broken_rules = Vec::new();
    for gateway in &world.gateways {
        // Compared with the books of one gateway, payments at another would look lost: that part is ours.
        let broken = invariants::broken(&world.database.url, &gateway.url, true).await?;
        broken_rules.extend(broken.into_iter().filter(|line| !broken_rules.contains(line)).collect::<Vec<_>>());
    }
    Ok(Facts {
        ledger,
        books: books::read(&world.database).await?,
        calls: log.calls(),
        broken_rules,
        accounts: world.merchant.accounts.clone(),
        heard: deliveries::of(&world.receiver.deliveries(), &world.endpoints, log),
        endpoints: world.endpoints.clone(),
        gateways_act_at_once: plan.weather == Weather::Only(Mix::Calm),
    })
}

impl Facts {
    /// What came to this endpoint, in the order in which it came.
    pub fn heard_at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Heard> {
        self.heard.iter().filter(move |heard| heard.path == path)
    }

    /// What there is, in numbers.
    pub fn summary(&self) -> String {
        let mut states = std::collections::BTreeMap::<&str, usize>::new();
        for payment in &self.books.payments {
            *states.entry(payment.status.as_str()).or_default() += 1;
        }
        let mut reviews = std::collections::BTreeMap::<&str, usize>::new();
        for review in &self.books.reviews {
            *reviews.entry(review.reason.as_str()).or_default() += 1;
        }
        let listed = |counts: std::collections::BTreeMap<&str, usize>| {
            counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "checked {} payments ({}), {} reviews ({}), {} operations, {} exchanges, {} events, {} orders, {} keys, \
             {} charges, {} requests of clients, {} deliveries",
            self.books.payments.len(),
            listed(states),
            self.books.reviews.len(),
            listed(reviews),
            self.books.operations.len(),
            self.books.exchanges.len(),
            self.books.told.len(),
            self.books.orders.len(),
            self.books.keys.len(),
            self.ledger.charges.len(),
            self.calls.len(),
            self.heard.len()
        )
    }
}
