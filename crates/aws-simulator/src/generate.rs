//! Plausible accounts by the thousand, the same ones for the same seed (but for the ids of access
//! keys, which are unique in the process).
//!
//! The ids are valid and belong to no real account; the second one begins with zeros, because that is what
//! breaks spreadsheets and parsers.

use fastrand::Rng;

use crate::id::AccountId;
use crate::model::{AccessKey, Account, User, unique_id};

/// The role that every generated account has, open to the caller without an external id.
pub const ROLE: &str = "aws-root-exporter";

const DAY: i64 = 86_400;
const TEAMS: [&str; 20] = [
    "payments", "ledger", "search", "checkout", "identity", "billing", "catalog", "shipping",
    "fraud", "risk", "data", "platform", "network", "mobile", "support", "growth", "media",
    "archive", "pricing", "partners",
];
const STAGES: [&str; 5] = ["production", "staging", "development", "sandbox", "backup"];
const FIRST: [&str; 8] = [
    "ada", "alan", "barbara", "edsger", "frances", "grace", "radia", "tony",
];
const LAST: [&str; 8] = [
    "archer", "baker", "carver", "fisher", "glover", "miller", "potter", "weaver",
];
const MACHINES: [&str; 6] = ["ci", "backup", "terraform", "metrics", "mailer", "import"];
const USES: [(&str, &str); 4] = [
    ("us-east-1", "s3"),
    ("eu-central-1", "ec2"),
    ("us-east-1", "iam"),
    ("eu-west-1", "sts"),
];

/// The accounts of an organization as they may be at `now`: the management account, whose root user is
/// without fault, and the others, a few of them with findings.
pub(crate) fn accounts(count: usize, seed: u64, now: i64) -> (Account, Vec<Account>) {
    let mut rng = Rng::with_seed(seed);
    let mut management = account(&mut rng, id(1), "management".to_owned(), now);
    management.root = Account::new(id(1), "management", management.created).root;
    let others = (0..count.saturating_sub(1)).map(|index| {
        let team = TEAMS[index % TEAMS.len()];
        let stage = STAGES[index / TEAMS.len() % STAGES.len()];
        let name = match index / (TEAMS.len() * STAGES.len()) {
            0 => format!("{team}-{stage}"),
            round => format!("{team}-{stage}-{}", round + 1),
        };
        let mut account = account(&mut rng, id(index + 2), name, now);
        account.tags.insert("team".to_owned(), team.to_owned());
        account.tags.insert("stage".to_owned(), stage.to_owned());
        add_findings(&mut rng, &mut account.root, now);
        account
    });
    let others = others.collect();
    (management, others)
}

/// `999000000001`, then `000000000002`, then `999000000003` and so on.
fn id(number: usize) -> AccountId {
    let prefix = if number == 2 { 0 } else { 999_000_000_000 };
    AccountId::of(prefix + u64::try_from(number).unwrap_or(u64::MAX))
}

fn account(rng: &mut Rng, id: AccountId, name: String, now: i64) -> Account {
    let created = now - rng.i64(400..3_000) * DAY;
    let mut account = Account::new(id, name, created).with_role(ROLE, None);
    if rng.bool() {
        account.root.password_last_used = Some(created + rng.i64(0..(now - created) / 2));
    }
    for _ in 0..rng.usize(1..7) {
        let user = if rng.u8(0..3) == 0 {
            machine(rng, created, now)
        } else {
            person(rng, created, now)
        };
        if account.users.iter().all(|other| other.name != user.name) {
            account.users.push(user);
        }
    }
    account
}

fn pick<T: Copy, const N: usize>(rng: &mut Rng, from: [T; N]) -> T {
    from[rng.usize(0..N)]
}

fn since(rng: &mut Rng, from: i64, now: i64) -> i64 {
    rng.i64(from..now.max(from + 1))
}

fn add_key(rng: &mut Rng, user: &mut User, slot: usize, now: i64) {
    user.keys[slot] = Some(AccessKey {
        id: unique_id("AKIASIM"),
        active: rng.u8(0..6) != 0,
        created: since(rng, user.created, now),
        last_used: None,
    });
    let (region, service) = pick(rng, USES);
    user.use_key(slot, since(rng, user.created, now), region, service);
}

fn person(rng: &mut Rng, created: i64, now: i64) -> User {
    let name = format!("{}.{}", pick(rng, FIRST), pick(rng, LAST));
    let mut user = User::new(name, since(rng, created, now));
    user.password = true;
    user.password_last_changed = Some(since(rng, user.created, now));
    user.password_last_used = (rng.u8(0..5) != 0).then(|| since(rng, user.created, now));
    user.mfa = rng.u8(0..8) != 0;
    if rng.u8(0..3) == 0 {
        add_key(rng, &mut user, 0, now);
    }
    user
}

fn machine(rng: &mut Rng, created: i64, now: i64) -> User {
    let name = format!("{}-{}", pick(rng, MACHINES), pick(rng, TEAMS));
    let mut user = User::new(name, since(rng, created, now));
    for slot in 0..=usize::from(rng.u8(0..4) == 0) {
        add_key(rng, &mut user, slot, now);
    }
    user
}

/// Gives a few root users what they should not have: keys, or no MFA.
fn add_findings(rng: &mut Rng, root: &mut User, now: i64) {
    match rng.u8(0..100) {
        0 => {
            root.create_key(since(rng, root.created, now));
            let (region, service) = pick(rng, USES);
            root.use_key(0, now - rng.i64(1..300) * DAY, region, service);
        }
        1..4 => {
            root.create_key(since(rng, root.created, now));
            root.deactivate_keys();
        }
        4..9 => root.mfa = false,
        9..30 => {
            root.password = false;
            root.password_last_changed = None;
            root.password_last_used = None;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn the_same_seed_gives_the_same_organization() {
        let names = |seed| {
            let mut names = Vec::new();
            let (_, accounts) = accounts(50, seed, 1_789_132_492);
            for account in accounts {
                names.push(account.name);
                names.extend(account.users.into_iter().map(|user| user.name));
            }
            names
        };
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
    }

    #[test]
    fn an_organization_has_a_clean_management_account_and_an_id_with_leading_zeros() {
        let world = World::generate(300, 1, 1_789_132_492);
        assert_eq!(world.ids().len(), 300);
        assert_eq!(world.ids()[0].to_string(), "000000000002");
        world.edit(world.hub(), |account| {
            assert_eq!(account.id().to_string(), "999000000001");
            assert!(account.root.mfa && account.root.keys.iter().all(Option::is_none));
        });
        let mut with_keys = 0;
        for id in world.ids() {
            world.edit(id, |account| {
                assert!(account.roles.contains_key(ROLE), "{id}");
                with_keys += usize::from(account.root.keys[0].is_some());
            });
        }
        assert!((1..60).contains(&with_keys), "{with_keys}");
    }
}
