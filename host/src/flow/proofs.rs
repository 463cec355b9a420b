//! The proofs of one delivery: what `verify` has returned for it, and which of its events may be believed by that.
//!
//! A proof is a number that stands for one check of one signature. An event that brings a number nobody gave it is not
//! believed, and neither are two events with one number, unless what was signed held the whole body: else a connector
//! could take a signature over one event for a signature over its neighbour.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::{
    connector::{
        Verify,
        types::{Event, Mac},
    },
    vault::Holes,
};

/// Answers `verify` for one delivery and remembers the answers. Holds the account's secrets: no Debug.
pub struct Proofs {
    holes: Holes,
    body: Bytes,
    /// For each number that was given: whether what was signed held the whole body.
    given: Mutex<Vec<bool>>,
}

impl Proofs {
    /// For a delivery with this body, to an account with these secrets.
    #[must_use]
    pub fn new(holes: Holes, body: Bytes) -> Self {
        Self { holes, body, given: Mutex::default() }
    }

    /// Which of the delivery's events have a proof of their own, in their order.
    #[must_use]
    pub fn believed(&self, events: &[Event]) -> Vec<bool> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = |proof: u32| given.get(usize::try_from(proof).ok()?).copied();
        let is_alone = |proof: u32| events.iter().filter(|event| event.proof == Some(proof)).count() == 1;
        events
            .iter()
            .map(|event| event.proof.is_some_and(|proof| whole(proof).is_some_and(|whole| whole || is_alone(proof))))
            .collect()
    }

    /// What was sent, for scrubbing it.
    #[must_use]
    pub fn holes(&self) -> &Holes {
        &self.holes
    }

    /// Gateways sign the body alone, or put a time, an id or an address before or behind it. An empty body is held by
    /// everything, and so proves nothing.
    fn holds_body(&self, data: &[u8]) -> bool {
        !self.body.is_empty() && (data.starts_with(&self.body) || data.ends_with(&self.body))
    }
}

impl Verify for Proofs {
    fn verify(&self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        self.holes.verify(mac, secret, data, expected)?;
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        // A run may ask 64 times.
        let proof = u32::try_from(given.len()).ok()?;
        given.push(self.holds_body(data));
        Some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connector::types::{EventKind, KeyEncoding},
        vault::Secret,
    };

    const BODY: &[u8] = b"{\"two\":\"events\"}";

    fn proofs() -> Proofs {
        let secret = Secret::from("the secret of the account".to_owned());
        Proofs::new(Holes::new().with_secret("key", KeyEncoding::Utf8, vec![secret]), Bytes::from_static(BODY))
    }

    /// A right signature over `data`, checked.
    fn checked(proofs: &Proofs, data: &[u8]) -> Option<u32> {
        let signature = proofs.holes.mac(Mac::HmacSha256, "key", &[data]).unwrap();
        proofs.verify(Mac::HmacSha256, "key", data, &signature)
    }

    fn event(proof: Option<u32>) -> Event {
        Event {
            id: "e".to_owned(),
            occurred_at: None,
            operation_id: None,
            gateway_reference: None,
            references: vec![],
            kind: EventKind::Notice("n".to_owned()),
            proof,
        }
    }

    #[test]
    fn every_check_has_a_number_of_its_own() {
        let proofs = proofs();
        assert_eq!(checked(&proofs, BODY), Some(0));
        assert_eq!(proofs.verify(Mac::HmacSha256, "key", BODY, b"wrong"), None);
        assert_eq!(checked(&proofs, BODY), Some(1));
        assert_eq!(proofs.verify(Mac::HmacSha256, "other", BODY, b""), None);
    }

    #[test]
    fn a_signature_over_the_body_vouches_for_all_of_it() {
        for data in [BODY.to_vec(), [b"17.", BODY].concat(), [BODY, b".17"].concat()] {
            let proofs = proofs();
            let proof = checked(&proofs, &data);
            assert_eq!(proofs.believed(&[event(proof), event(proof), event(None)]), [true, true, false]);
        }
    }

    #[test]
    fn a_signature_over_a_part_vouches_for_one_event() {
        let proofs = proofs();
        let (first, second) = (checked(&proofs, b"events"), checked(&proofs, b"two"));
        assert_eq!(proofs.believed(&[event(first), event(second)]), [true, true]);
        assert_eq!(proofs.believed(&[event(first), event(second), event(first)]), [false, true, false]);
    }

    #[test]
    fn a_number_that_nobody_gave_proves_nothing() {
        let proofs = proofs();
        assert_eq!(proofs.believed(&[event(Some(0)), event(Some(u32::MAX))]), [false, false]);
        assert_eq!(checked(&proofs, BODY), Some(0));
        assert_eq!(proofs.believed(&[event(Some(0)), event(Some(1))]), [true, false]);
    }

    #[test]
    fn an_empty_body_is_in_everything_and_proves_one_event() {
        let secret = Secret::from("the secret of the account".to_owned());
        let proofs = Proofs::new(Holes::new().with_secret("key", KeyEncoding::Utf8, vec![secret]), Bytes::new());
        let proof = checked(&proofs, b"anything");
        assert_eq!(proofs.believed(&[event(proof)]), [true]);
        assert_eq!(proofs.believed(&[event(proof), event(proof)]), [false, false]);
    }
}
