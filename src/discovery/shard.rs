//! The shard of each account.
//!
//! Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014): when the
//! number of shards grows from n to n + 1, one account in n + 1 moves, and only to the new shard.

use crate::account::AccountId;
use crate::config::Shard;

/// Whether an account belongs to this shard.
pub fn holds(shard: &Shard, account: AccountId) -> bool {
    of(account, shard.total) == shard.index
}

/// The shard of an account, from 0 to `total` - 1. It must never change: shards of two versions run
/// side by side during an update.
fn of(account: AccountId, total: u32) -> u32 {
    let mut key = mixed(account.number());
    let (mut shard, mut next) = (0u32, 0u32);
    while next < total {
        shard = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let divisor = f64::from(u32::try_from((key >> 33) + 1).unwrap_or(u32::MAX));
        let jump = f64::from(shard + 1) * (f64::from(1u32 << 31) / divisor);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and above every total where it saturates"
        )]
        let jump = jump as u32;
        next = jump;
    }
    shard
}

/// Spreads similar ids over all numbers. It is the finalizer of `SplitMix64`.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u64) -> impl Iterator<Item = AccountId> {
        (0..count).map(|nth| {
            format!("{:012}", 100_000_000_000 + nth * 7)
                .parse()
                .unwrap()
        })
    }

    #[test]
    fn a_single_shard_has_all_accounts() {
        assert!(ids(1000).all(|id| of(id, 1) == 0));
    }

    #[test]
    fn every_shard_has_about_its_even_share() {
        for total in [2u32, 3, 7] {
            for count in [300u64, 10_000] {
                let mut shares = vec![0u64; total as usize];
                for id in ids(count) {
                    shares[of(id, total) as usize] += 1;
                }
                let even = count / u64::from(total);
                assert!(
                    shares
                        .iter()
                        .all(|share| *share > even / 2 && *share < even * 2),
                    "{total} shards, {count} accounts: {shares:?}"
                );
            }
        }
    }

    #[test]
    fn one_shard_more_moves_accounts_to_the_new_one_only() {
        let moved: Vec<_> = ids(10_000).filter(|id| of(*id, 3) != of(*id, 4)).collect();
        assert!(moved.iter().all(|id| of(*id, 4) == 3));
        assert!((2_000..3_000).contains(&moved.len()), "{}", moved.len());
    }

    #[test]
    fn the_shard_of_an_account_never_changes() {
        let shards: Vec<u32> = ids(12).map(|id| of(id, 5)).collect();
        assert_eq!(shards, PINNED);
    }

    const PINNED: [u32; 12] = [3, 4, 2, 3, 3, 0, 0, 4, 4, 4, 3, 2];
}
