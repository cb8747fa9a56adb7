//! Plausible accounts by the thousand, the same ones for the same seed (but for the ids of access
//! keys, which are unique in the process).
//!
//! The ids are valid and obviously nobody's; the second account's begins with zeros, because
//! that is what breaks spreadsheets and parsers.

use fastrand::Rng;

use super::account::{AccessKey, Account, Password, User, unique_id};
use super::world::World;
use crate::account::AccountId;

/// The role that every generated account has, open to the caller without an external id.
pub const ROLE: &str = "aws-root-exporter";

const DAY: i64 = 86_400;
const TEAMS: [&str; 20] = [
    "payments", "ledger", "search", "checkout", "identity", "billing", "catalog", "shipping",
    "fraud", "risk", "data", "platform", "network", "mobile", "support", "growth", "media",
    "archive", "pricing", "partners",
];
const STAGES: [&str; 5] = ["production", "staging", "development", "sandbox", "backup"];
const FIRST: [&str; 16] = [
    "ada",
    "alan",
    "barbara",
    "claude",
    "donald",
    "edsger",
    "frances",
    "grace",
    "hedy",
    "john",
    "katherine",
    "leslie",
    "margaret",
    "niklaus",
    "radia",
    "tony",
];
const LAST: [&str; 12] = [
    "archer", "baker", "carver", "dyer", "fisher", "glover", "hooper", "miller", "potter",
    "sawyer", "tanner", "weaver",
];
const MACHINES: [&str; 6] = ["ci", "backup", "terraform", "metrics", "mailer", "import"];
const USES: [(&str, &str); 5] = [
    ("us-east-1", "s3"),
    ("eu-central-1", "ec2"),
    ("us-east-1", "iam"),
    ("eu-west-1", "sts"),
    ("ap-southeast-2", "dynamodb"),
];

impl World {
    /// An organization of `count` accounts, at least one, as they may be at `now` (Unix seconds).
    ///
    /// The first is the management account and the caller's own; its root user is without fault. A few of
    /// the others have what is there to be found: old root keys, a root user without MFA.
    #[must_use]
    pub fn generate(count: usize, seed: u64, now: i64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut ids = (1..=999_999_999_u64).filter_map(id);
        let management = ids.next().map(|id| {
            let mut account = account(&mut rng, id, "management".to_owned(), now);
            account.root = Account::new(id, "management", account.created).root;
            account
        });
        // The range above is not empty and all of its ids are valid.
        let Some(management) = management else {
            unreachable!("there is a first id")
        };
        let world = Self::new(management);
        for (index, id) in ids.take(count.saturating_sub(1)).enumerate() {
            let team = TEAMS[index % TEAMS.len()];
            let stage = STAGES[index / TEAMS.len() % STAGES.len()];
            let round = index / (TEAMS.len() * STAGES.len());
            let name = match round {
                0 => format!("{team}-{stage}"),
                round => format!("{team}-{stage}-{}", round + 1),
            };
            let mut account = account(&mut rng, id, name, now);
            account.tags.insert("team".to_owned(), team.to_owned());
            account.tags.insert("stage".to_owned(), stage.to_owned());
            findings(&mut rng, &mut account.root, now);
            world.add(account);
        }
        world
    }
}

/// `999000000001`, then `000000000002`, then `999000000003` and so on.
fn id(number: u64) -> Option<AccountId> {
    let prefix = if number == 2 { "000" } else { "999" };
    format!("{prefix}{number:09}").parse().ok()
}

fn account(rng: &mut Rng, id: AccountId, name: String, now: i64) -> Account {
    let created = now - rng.i64(400..3_000) * DAY;
    let mut account = Account::new(id, name, created).with_role(ROLE, None);
    account.root.password_last_used = rng
        .bool()
        .then(|| created + rng.i64(0..(now - created) / 2));
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

fn key(rng: &mut Rng, created: i64, now: i64) -> AccessKey {
    AccessKey {
        id: unique_id("AKIASIM"),
        active: rng.u8(0..6) != 0,
        created: since(rng, created, now),
        last_used: None,
    }
}

fn person(rng: &mut Rng, created: i64, now: i64) -> User {
    let name = format!("{}.{}", pick(rng, FIRST), pick(rng, LAST));
    let mut user = User::new(name, since(rng, created, now));
    user.password = Password::Present;
    user.password_last_changed = Some(since(rng, user.created, now));
    user.password_last_used = (rng.u8(0..5) != 0).then(|| since(rng, user.created, now));
    user.mfa = rng.u8(0..8) != 0;
    if rng.u8(0..3) == 0 {
        user.keys[0] = Some(key(rng, user.created, now));
        let (region, service) = pick(rng, USES);
        user.use_key(0, since(rng, user.created, now), region, service);
    }
    user
}

fn machine(rng: &mut Rng, created: i64, now: i64) -> User {
    let name = format!("{}-{}", pick(rng, MACHINES), pick(rng, TEAMS));
    let mut user = User::new(name, since(rng, created, now));
    for slot in 0..=usize::from(rng.u8(0..4) == 0) {
        user.keys[slot] = Some(key(rng, user.created, now));
        let (region, service) = pick(rng, USES);
        user.use_key(slot, since(rng, user.created, now), region, service);
    }
    user
}

/// What a few root users have that they should not.
fn findings(rng: &mut Rng, root: &mut User, now: i64) {
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
            root.password = Password::Absent;
            root.password_last_changed = None;
            root.password_last_used = None;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_organization() {
        let names = |seed| {
            let mut names = Vec::new();
            World::generate(50, seed, 1_789_132_492).edit_all(|account| {
                names.push(account.name.clone());
                names.extend(account.users.iter().map(|user| user.name.clone()));
            });
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
        world.edit_all(|account| {
            assert!(account.roles.contains_key(ROLE), "{}", account.id());
            with_keys += usize::from(account.root.keys[0].is_some());
        });
        assert!((1..60).contains(&with_keys), "{with_keys}");
    }
}
