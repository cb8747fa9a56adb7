//! `basic_auth_users`: who a client says it is, and whether that is so.
//!
//! bcrypt is slow on purpose, so that a password that was right once is remembered, by a keyed
//! hash and never as itself, and over changes of the file. Whoever is not remembered pays for one
//! bcrypt of the highest cost in the file, known or not: the time tells nobody which users there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

/// The highest cost of a bcrypt hash that is taken: about a second of a core.
pub(super) const MOST: u32 = 14;

/// How many passwords are computed at the same time.
const CORES: usize = 2;

/// How many passwords of a lane wait for their bcrypt at most.
const QUEUE: usize = 16;

/// Whether a client is whom it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Known,
    Unknown,
    /// There are too many whose password is still to be verified.
    Busy,
}

pub(super) struct Passwords {
    /// bcrypt hashes by user.
    users: BTreeMap<String, String>,
    /// The hash that takes longest to compare with: for users that there are not.
    decoy: String,
    memory: Arc<Memory>,
    /// One for each user, so that no other keeps it waiting.
    known: BTreeMap<String, Lane>,
    unknown: Lane,
    /// Bounds what clients that guess cost; the lanes take turns.
    cores: Arc<Semaphore>,
}

/// The passwords that were right.
pub(super) struct Memory {
    /// Made anew with each process. Without randomness there is none, and nothing is remembered.
    key: Option<hmac::Key>,
    /// What was right last, by user.
    remembered: Mutex<HashMap<String, hmac::Tag>>,
}

impl Default for Memory {
    fn default() -> Self {
        let mut key = [0; 32];
        let random = rand::fill(&mut key).ok();
        Self {
            key: random.map(|()| hmac::Key::new(hmac::HMAC_SHA256, &key)),
            remembered: Mutex::default(),
        }
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, hmac::Tag>> {
        let remembered = self.remembered.lock();
        remembered.unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, user: &str, proof: &[u8]) -> bool {
        let Some(key) = &self.key else {
            return false;
        };
        let remembered = self.lock();
        let tag = remembered.get(user);
        tag.is_some_and(|tag| hmac::verify(key, proof, tag.as_ref()).is_ok())
    }

    fn keep(&self, user: String, proof: &[u8]) {
        if let Some(key) = &self.key {
            self.lock().insert(user, hmac::sign(key, proof));
        }
    }
}

/// Where the passwords of one user, or of all names that are none, wait for their bcrypt, of which
/// one is computed at a time. Whoever is remembered does not wait at all.
struct Lane {
    queue: Semaphore,
    computing: Arc<Semaphore>,
}

impl Lane {
    fn new() -> Self {
        Self {
            queue: Semaphore::new(QUEUE),
            computing: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Passwords {
    /// `users` has one at least, and each hash is one that [`cost`] knows. What `memory` holds of
    /// users whose hash is another now is worth nothing.
    pub fn new(users: BTreeMap<String, String>, memory: Arc<Memory>) -> Self {
        let decoy = users
            .values()
            .max_by_key(|hash| cost(hash))
            .cloned()
            .unwrap_or_default();
        Self {
            decoy,
            memory,
            known: users
                .keys()
                .map(|user| (user.clone(), Lane::new()))
                .collect(),
            unknown: Lane::new(),
            cores: Arc::new(Semaphore::new(CORES)),
            users,
        }
    }

    /// Judges an `Authorization` header.
    pub async fn verify(&self, authorization: Option<&HeaderValue>) -> Verdict {
        let Some((user, password)) = authorization.and_then(basic) else {
            return Verdict::Unknown;
        };
        let hash = self.users.get(&user);
        let is_known = hash.is_some();
        let hash = hash.unwrap_or(&self.decoy);
        let proof = proof(&user, hash, &password);
        let is_remembered = || is_known && self.memory.has(&user, &proof);
        if is_remembered() {
            return Verdict::Known;
        }
        let lane = self.known.get(&user).unwrap_or(&self.unknown);
        let Ok(_waiting) = lane.queue.try_acquire() else {
            return Verdict::Busy;
        };
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&lane.computing).acquire_owned().await else {
            return Verdict::Busy;
        };
        let Ok(core) = Arc::clone(&self.cores).acquire_owned().await else {
            return Verdict::Busy;
        };
        // Of many who came with the same password at once the first has paid.
        if is_remembered() {
            return Verdict::Known;
        }
        let (hash, dearest) = (hash.clone(), cost(&self.decoy));
        // The permit goes along, because the thread works on when the client goes away.
        let is_right = tokio::task::spawn_blocking(move || {
            let is_right = bcrypt::verify(&password, &hash).unwrap_or(false);
            even_out(cost(&hash), dearest);
            drop((permit, core));
            is_right
        })
        .await
        .unwrap_or(false);
        if !(is_right && is_known) {
            return Verdict::Unknown;
        }
        self.memory.keep(user, &proof);
        Verdict::Known
    }
}

/// Takes the time by which the dearest hash takes longer than one of `cost`, so that nobody learns
/// from it which users there are: each step of the cost doubles the work, and 2^a + 2^a + 2^(a+1) +
/// … + 2^(b-1) = 2^b.
fn even_out(cost: Option<u32>, dearest: Option<u32>) {
    for cost in steps(cost, dearest) {
        std::hint::black_box(bcrypt::bcrypt(cost, [0; 16], b"decoy\0"));
    }
}

fn steps(cost: Option<u32>, dearest: Option<u32>) -> impl Iterator<Item = u32> {
    let known = cost.zip(dearest).into_iter();
    known.flat_map(|(cost, dearest)| cost..dearest)
}

/// The cost of a bcrypt hash; `None` for what is not one.
pub(super) fn cost(hash: &str) -> Option<u32> {
    let parts: bcrypt::HashParts = hash.parse().ok()?;
    let cost = parts.get_cost();
    // What bcrypt itself computes; verifying refuses all else.
    (4..=31).contains(&cost).then_some(cost)
}

/// What is remembered of a password that was right. Lengths keep the three apart.
fn proof(user: &str, hash: &str, password: &[u8]) -> Vec<u8> {
    let mut proof = Vec::with_capacity(user.len() + hash.len() + password.len() + 24);
    for part in [user.as_bytes(), hash.as_bytes(), password] {
        proof.extend_from_slice(&(part.len() as u64).to_be_bytes());
        proof.extend_from_slice(part);
    }
    proof
}

/// User and password of RFC 7617.
fn basic(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, credentials) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((user, decoded[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(user: &str, password: &str) -> HeaderValue {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        HeaderValue::from_str(&format!("Basic {credentials}")).unwrap()
    }

    fn passwords() -> Passwords {
        let hash = |password| bcrypt::hash(password, 4).unwrap();
        Passwords::new(
            [
                ("prometheus".to_owned(), hash("right")),
                ("empty".to_owned(), hash("")),
            ]
            .into(),
            Arc::default(),
        )
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_user_is_known() {
        let passwords = passwords();
        for (user, password, verdict) in [
            ("prometheus", "right", Verdict::Known),
            ("prometheus", "right", Verdict::Known),
            ("prometheus", "wrong", Verdict::Unknown),
            ("prometheus", "", Verdict::Unknown),
            ("empty", "", Verdict::Known),
            ("empty", "right", Verdict::Unknown),
            ("nobody", "right", Verdict::Unknown),
            ("", "right", Verdict::Unknown),
        ] {
            let header = header(user, password);
            assert_eq!(
                passwords.verify(Some(&header)).await,
                verdict,
                "{user}:{password}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_basic_authorization_is_unknown() {
        let passwords = passwords();
        assert_eq!(passwords.verify(None).await, Verdict::Unknown);
        for header in [
            "",
            "Basic",
            "Basic ",
            "Basic %%%",
            "Bearer abc",
            "Basic bm9jb2xvbg==",
        ] {
            let header = HeaderValue::from_static(header);
            assert_eq!(passwords.verify(Some(&header)).await, Verdict::Unknown);
        }
    }

    #[tokio::test]
    async fn a_password_that_was_right_costs_no_second_bcrypt() {
        let passwords = passwords();
        let right = header("prometheus", "right");
        assert_eq!(passwords.verify(Some(&right)).await, Verdict::Known);
        // Nothing can be computed now.
        let everything = u32::try_from(QUEUE).unwrap();
        let lanes = passwords.known.values().chain([&passwords.unknown]);
        let _all: Vec<_> = lanes
            .map(|lane| lane.queue.try_acquire_many(everything).unwrap())
            .collect();
        assert_eq!(passwords.verify(Some(&right)).await, Verdict::Known);
        let wrong = header("prometheus", "wrong");
        assert_eq!(passwords.verify(Some(&wrong)).await, Verdict::Busy);
        let nobody = header("nobody", "right");
        assert_eq!(passwords.verify(Some(&nobody)).await, Verdict::Busy);

        // Another reading of the file, with the same hash and with another.
        let again = Passwords::new(passwords.users.clone(), Arc::clone(&passwords.memory));
        let _all = again.known["prometheus"]
            .queue
            .try_acquire_many(everything)
            .unwrap();
        assert_eq!(again.verify(Some(&right)).await, Verdict::Known);
        let mut users = passwords.users.clone();
        users.insert("prometheus".to_owned(), bcrypt::hash("new", 4).unwrap());
        let changed = Passwords::new(users, Arc::clone(&passwords.memory));
        assert_eq!(changed.verify(Some(&right)).await, Verdict::Unknown);
    }

    #[tokio::test]
    async fn who_guesses_names_keeps_no_user_waiting() {
        let passwords = passwords();
        let everything = u32::try_from(QUEUE).unwrap();
        // Of a user that there is, and of none.
        let others = [&passwords.known["empty"], &passwords.unknown];
        let _guessing = others.map(|lane| lane.queue.try_acquire_many(everything).unwrap());
        let _computing = others.map(|lane| lane.computing.try_acquire().unwrap());
        let right = header("prometheus", "right");
        assert_eq!(passwords.verify(Some(&right)).await, Verdict::Known);
    }

    #[test]
    fn a_cheap_hash_and_what_evens_it_out_are_the_work_of_the_dearest() {
        for from in 4..=9 {
            let evening: u64 = steps(Some(from), Some(9)).map(|cost| 1_u64 << cost).sum();
            assert_eq!((1 << from) + evening, 1 << 9, "{from}");
        }
    }

    #[test]
    fn the_decoy_is_as_costly_as_the_costliest() {
        let users = [4, 6, 5].map(|cost| (cost.to_string(), bcrypt::hash("x", cost).unwrap()));
        let passwords = Passwords::new(users.into(), Arc::default());
        assert_eq!(cost(&passwords.decoy), Some(6));
    }

    #[test]
    fn only_bcrypt_hashes_have_a_cost() {
        assert_eq!(
            cost("$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"),
            Some(10)
        );
        for hash in [
            "",
            "secret",
            "$2y$10$short",
            "$1$abc$def",
            "$2y$99$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG",
        ] {
            assert_eq!(cost(hash), None, "{hash}");
        }
    }
}
