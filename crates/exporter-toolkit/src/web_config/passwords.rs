//! `basic_auth_users`: verifies a client's user and password.
//!
//! bcrypt is slow on purpose. So a password that was right once is remembered, over changes of the
//! file too, but only by a keyed hash. Any other costs one bcrypt of the highest cost in the file,
//! for unknown users too, so that the time does not show which users exist.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

use super::error::Refusal;

/// The highest allowed cost of a bcrypt hash: about a second of a core.
pub(super) const MOST: u32 = 14;

/// How many passwords are verified at the same time.
const CORES: usize = 2;

/// How many passwords of a user wait at most.
const QUEUE: usize = 16;

/// The users of a file and their passwords.
pub(super) struct Passwords {
    users: BTreeMap<String, User>,
    /// In the place of all unknown users, with the hash of the highest cost.
    unknown: User,
    memory: Arc<Memory>,
    /// Bounds what guesses cost; the users take turns.
    cores: Arc<Semaphore>,
}

/// A user, for whom passwords wait to be verified one at a time, so that none waits for guesses at another.
/// Remembered ones do not wait.
struct User {
    /// Of bcrypt.
    hash: String,
    queue: Semaphore,
    computing: Arc<Semaphore>,
}

impl User {
    fn new(hash: String) -> Self {
        Self {
            hash,
            queue: Semaphore::new(QUEUE),
            computing: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The passwords that were right.
pub(crate) struct Memory {
    /// Another in each process. Without randomness there is none, and nothing is remembered.
    key: Option<hmac::Key>,
    /// The last right one, by user.
    remembered: Mutex<HashMap<String, hmac::Tag>>,
}

impl Default for Memory {
    fn default() -> Self {
        let random = SystemRandom::new();
        Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &random).ok(),
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

impl Passwords {
    /// Passwords of at least one user, each with a hash that has a [`cost`]. What `memory` holds for
    /// another hash of a user does not count.
    pub fn new(users: BTreeMap<String, String>, memory: Arc<Memory>) -> Self {
        let costliest = users.values().max_by_key(|hash| cost(hash)).cloned();
        let users = users.into_iter();
        Self {
            users: users.map(|(name, hash)| (name, User::new(hash))).collect(),
            unknown: User::new(costliest.unwrap_or_default()),
            memory,
            cores: Arc::new(Semaphore::new(CORES)),
        }
    }

    /// Verifies an `Authorization` header.
    pub async fn verify(&self, authorization: Option<&HeaderValue>) -> Result<(), Refusal> {
        let given = authorization.and_then(basic);
        let (name, password) = given.ok_or(Refusal::Unauthorized)?;
        let known = self.users.get(&name);
        let user = known.unwrap_or(&self.unknown);
        let proof = proof(&name, &user.hash, &password);
        let is_remembered = || known.is_some() && self.memory.has(&name, &proof);
        if is_remembered() {
            return Ok(());
        }
        let _waiting = user.queue.try_acquire().map_err(|_| Refusal::Busy)?;
        // The semaphores are never closed.
        let busy = |_| Refusal::Busy;
        let computing = Arc::clone(&user.computing).acquire_owned();
        let permit = computing.await.map_err(busy)?;
        let cores = Arc::clone(&self.cores).acquire_owned();
        let core = cores.await.map_err(busy)?;
        // Where the same password came many times at once, the first of them has been verified.
        if is_remembered() {
            return Ok(());
        }
        let (hash, highest) = (user.hash.clone(), cost(&self.unknown.hash));
        // The permit goes along, because the thread works on when the client goes away.
        let is_right = tokio::task::spawn_blocking(move || {
            let is_right = bcrypt::verify(&password, &hash).unwrap_or(false);
            even_out(cost(&hash), highest);
            drop((permit, core));
            is_right
        })
        .await
        .unwrap_or(false);
        if !is_right || known.is_none() {
            return Err(Refusal::Unauthorized);
        }
        self.memory.keep(name, &proof);
        Ok(())
    }
}

/// Takes as much time as a hash of the `highest` cost takes longer than one of `cost`.
///
/// Each step of the cost doubles the work, and 2^a + 2^a + 2^(a+1) + … + 2^(b-1) = 2^b.
fn even_out(cost: Option<u32>, highest: Option<u32>) {
    for cost in steps(cost, highest) {
        std::hint::black_box(bcrypt::bcrypt(cost, [0; 16], b"decoy\0"));
    }
}

fn steps(cost: Option<u32>, highest: Option<u32>) -> impl Iterator<Item = u32> {
    let known = cost.zip(highest).into_iter();
    known.flat_map(|(cost, highest)| cost..highest)
}

/// The cost of a bcrypt hash; `None` for what is not one.
pub(super) fn cost(hash: &str) -> Option<u32> {
    let parts: bcrypt::HashParts = hash.parse().ok()?;
    let cost = parts.get_cost();
    // What bcrypt itself computes; verifying refuses all else.
    (4..=31).contains(&cost).then_some(cost)
}

/// What a remembered hash is of. Lengths keep the three parts apart.
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

    const KNOWN: Result<(), Refusal> = Ok(());
    const UNKNOWN: Result<(), Refusal> = Err(Refusal::Unauthorized);
    const BUSY: Result<(), Refusal> = Err(Refusal::Busy);

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
            ("prometheus", "right", KNOWN),
            ("prometheus", "right", KNOWN),
            ("prometheus", "wrong", UNKNOWN),
            ("prometheus", "", UNKNOWN),
            ("empty", "", KNOWN),
            ("empty", "right", UNKNOWN),
            ("nobody", "right", UNKNOWN),
            ("", "right", UNKNOWN),
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
        assert_eq!(passwords.verify(None).await, UNKNOWN);
        for header in [
            "",
            "Basic",
            "Basic ",
            "Basic %%%",
            "Bearer abc",
            "Basic bm9jb2xvbg==",
        ] {
            let header = HeaderValue::from_static(header);
            assert_eq!(passwords.verify(Some(&header)).await, UNKNOWN);
        }
    }

    #[tokio::test]
    async fn a_password_that_was_right_costs_no_second_bcrypt() {
        let passwords = passwords();
        let right = header("prometheus", "right");
        assert_eq!(passwords.verify(Some(&right)).await, KNOWN);
        // No password can be verified now.
        let everything = u32::try_from(QUEUE).unwrap();
        let all = passwords.users.values().chain([&passwords.unknown]);
        let _all: Vec<_> = all
            .map(|user| user.queue.try_acquire_many(everything).unwrap())
            .collect();
        assert_eq!(passwords.verify(Some(&right)).await, KNOWN);
        let wrong = header("prometheus", "wrong");
        assert_eq!(passwords.verify(Some(&wrong)).await, BUSY);
        let nobody = header("nobody", "right");
        assert_eq!(passwords.verify(Some(&nobody)).await, BUSY);

        // Another reading of the file, with the same hash and with another.
        let hashes = || {
            let users = passwords.users.iter();
            users.map(|(name, user)| (name.clone(), user.hash.clone()))
        };
        let again = Passwords::new(hashes().collect(), Arc::clone(&passwords.memory));
        let _all = again.users["prometheus"]
            .queue
            .try_acquire_many(everything)
            .unwrap();
        assert_eq!(again.verify(Some(&right)).await, KNOWN);
        let mut users: BTreeMap<_, _> = hashes().collect();
        users.insert("prometheus".to_owned(), bcrypt::hash("new", 4).unwrap());
        let changed = Passwords::new(users, Arc::clone(&passwords.memory));
        assert_eq!(changed.verify(Some(&right)).await, UNKNOWN);
    }

    #[tokio::test]
    async fn guesses_at_other_names_keep_no_user_waiting() {
        let passwords = passwords();
        let everything = u32::try_from(QUEUE).unwrap();
        // Those of another user and of unknown ones.
        let others = [&passwords.users["empty"], &passwords.unknown];
        let _guessing = others.map(|user| user.queue.try_acquire_many(everything).unwrap());
        let _computing = others.map(|user| user.computing.try_acquire().unwrap());
        let right = header("prometheus", "right");
        assert_eq!(passwords.verify(Some(&right)).await, KNOWN);
    }

    #[test]
    fn a_cheap_hash_and_what_evens_it_out_are_the_work_of_the_highest_cost() {
        for from in 4..=9 {
            let evening: u64 = steps(Some(from), Some(9)).map(|cost| 1_u64 << cost).sum();
            assert_eq!((1 << from) + evening, 1 << 9, "{from}");
        }
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_the_costliest() {
        let users = [4, 6, 5].map(|cost| (cost.to_string(), bcrypt::hash("x", cost).unwrap()));
        let passwords = Passwords::new(users.into(), Arc::default());
        assert_eq!(cost(&passwords.unknown.hash), Some(6));
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
