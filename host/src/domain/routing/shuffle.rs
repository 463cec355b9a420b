//! A weighted shuffle that is the same whenever it is asked: weighted rendezvous hashing, without floats.
//!
//! Each account draws a number `u` in (0, 1] from a hash of the payment and itself, and the accounts stand in the order
//! of `-ln(u) / weight`. So each comes first as often as its weight says, a retry of the same payment finds the same
//! order on every host, and an account that goes away changes nothing in the order of the others.

use crate::domain::id::{GatewayAccountId, PaymentId};

/// Binary digits of a logarithm behind the point: the shares are right to a part in some millions.
const FRACTION_BITS: u32 = 32;

/// Where the account stands for this payment: lower is earlier. Without any weight it stands last.
pub(super) fn rank(payment: PaymentId, account: GatewayAccountId, weight: i32) -> u128 {
    let distance = u128::from(minus_log2(hash(payment.uuid().as_u128(), account.uuid().as_u128())));
    match u128::try_from(weight) {
        // Shifted up first, so that a division by a large weight loses nothing that tells two accounts apart.
        Ok(weight @ 1..) => (distance << FRACTION_BITS) / weight,
        Ok(0) | Err(_) => u128::MAX,
    }
}

/// `-log2(u)` in units of 2^-32, where `u` is `hash` as a part of 2^64. By squaring: each square doubles the logarithm, and
/// what overflows is its next binary digit.
fn minus_log2(hash: u64) -> u64 {
    let hash = hash.max(1);
    let zeros = hash.leading_zeros();
    // From 1 (included) to 2 (excluded), with 63 bits behind the point.
    let mut mantissa = u128::from(hash << zeros);
    let mut log2 = u64::from(63 - zeros);
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        let digit = mantissa >> 64;
        mantissa >>= digit;
        log2 = (log2 << 1) | u64::from(digit == 1);
    }
    (64 << FRACTION_BITS) - log2
}

/// Mixes two ids into 64 bits that look drawn by lot. Not for secrets; never changed, because hosts of two versions
/// must agree.
pub(in crate::domain) fn hash(payment: u128, account: u128) -> u64 {
    halves(payment).into_iter().chain(halves(account)).fold(0, |state, half| mix(state ^ half))
}

fn halves(id: u128) -> [u64; 2] {
    let (high, low) = (id >> 64, id & u128::from(u64::MAX));
    [high, low].map(|half| u64::try_from(half).expect("half of 128 bits has 64"))
}

/// One step of `SplitMix64`.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn logarithms_are_those_of_powers_of_two_and_grow_in_between() {
        let one = 1_u64 << FRACTION_BITS;
        for power in 0..64_u64 {
            assert_eq!(minus_log2(1 << power), (64 - power) * one);
        }
        assert_eq!(minus_log2(0), minus_log2(1));
        // 64 - log2(3) is 62.415037499278843…
        assert_eq!(minus_log2(3), 268_070_544_839);
        assert!(minus_log2(u64::MAX) <= 1);
        let steps: Vec<_> = (1..2_000_u64).map(|step| minus_log2(step * 9_000_000_000_000_000)).collect();
        assert!(steps.is_sorted_by(|earlier, later| earlier > later));
    }

    /// Hosts of two versions must agree: whoever changes the hash sees it here.
    #[test]
    fn the_hash_is_the_one_that_other_hosts_have() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        let (payment, account) = (PaymentId::from_uuid(Uuid::nil()), GatewayAccountId::from_uuid(Uuid::max()));
        insta::assert_snapshot!(rank(payment, account, 7), @"997492623508317330");
    }

    #[test]
    fn the_weight_decides_how_often_an_account_is_first() {
        let account = |n: u128| GatewayAccountId::from_uuid(Uuid::from_u128(n));
        let weights = [(account(1), 1), (account(2), 2), (account(3), 7), (account(4), 0)];
        let mut first = [0_u32; 4];
        // Ids as they come: a time that grows slowly, and the rest counted up.
        for n in 0..20_000_u128 {
            let payment = PaymentId::from_uuid(Uuid::from_u128((n / 7) << 80 | n));
            let ranks = weights.map(|(account, weight)| rank(payment, account, weight));
            let least = ranks.iter().enumerate().min_by_key(|(_, rank)| **rank).unwrap().0;
            first[least] += 1;
        }
        for (times, share) in first.into_iter().zip([2_000_u32, 4_000, 14_000, 0]) {
            assert!(times.abs_diff(share) <= 200, "{first:?}");
        }
    }
}
