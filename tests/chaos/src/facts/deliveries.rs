//! What the merchant's endpoints heard, reduced to what rules ask for.

use std::{collections::HashMap, time::Duration};

use interlock_tests::harness::receiver::Delivery;
use sha2::{Digest as _, Sha256};

use crate::{client::Log, world::Endpoint};

/// One request to an endpoint.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Where it came.
    pub path: String,
    /// `webhook-id`
    pub event: String,
    /// Of the event, as its body says: what it is about, and its place among that object's events.
    pub object: String,
    pub sequence: i64,
    /// SHA-256 of the body, in hexadecimal.
    pub body: String,
    /// Why the public library does not take its signature; none where it does.
    pub forged: Option<String>,
    /// The same of the endpoint's second secret, where it had to sign as well.
    pub forged_anew: Option<String>,
    /// Since the run began.
    pub at: Duration,
    /// What it was answered with; none where nothing was.
    pub answered: Option<u16>,
    /// It was answered with a success.
    pub accepted: bool,
}

/// All of it, in the order in which it came.
pub fn of(deliveries: &[Delivery], endpoints: &[Endpoint], log: &Log) -> Vec<Heard> {
    let endpoints: HashMap<&str, &Endpoint> = endpoints.iter().map(|endpoint| (endpoint.path, endpoint)).collect();
    let heard = |delivery: &Delivery| Heard {
        path: delivery.path.clone(),
        event: delivery.id().to_owned(),
        object: delivery.object(),
        sequence: delivery.sequence(),
        body: hexadecimal(&Sha256::digest(&delivery.body)),
        forged: match endpoints.get(delivery.path.as_str()) {
            Some(endpoint) => delivery.was_signed_by(&endpoint.secret).err(),
            None => Some("nobody has an endpoint here".to_owned()),
        },
        forged_anew: endpoints.get(delivery.path.as_str()).and_then(|endpoint| {
            let (secret, since) = endpoint.second_secret.as_ref()?;
            (log.at(delivery.began) >= *since).then(|| delivery.was_signed_by(secret).err())?
        }),
        at: log.at(delivery.began),
        answered: delivery.answered,
        accepted: delivery.is_accepted(),
    };
    deliveries.iter().map(heard).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
