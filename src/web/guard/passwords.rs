//! `basic_auth_users`: who a client says it is, and whether that is so.
//!
//! bcrypt is slow on purpose, so that a password that was right once is remembered, by a keyed
//! hash and never as itself. Whoever is not remembered pays for one bcrypt, known or not: the time
//! tells nobody which users there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

/// How many passwords wait for their bcrypt at most. One is computed at a time, so that strangers
/// who guess cost one core; whoever is remembered does not wait at all.
const QUEUE: usize = 32;

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
    /// Made anew with each process and each change of the file. Without randomness there is none,
    /// and nothing is remembered.
    key: Option<hmac::Key>,
    /// What was right last, by user.
    remembered: Arc<Mutex<HashMap<String, hmac::Tag>>>,
    queue: Arc<Semaphore>,
    computing: Arc<Semaphore>,
}

impl Passwords {
    /// `users` has one at least, and each hash is one that [`cost`] knows.
    pub fn new(users: BTreeMap<String, String>) -> Self {
        let decoy = users
            .values()
            .max_by_key(|hash| cost(hash))
            .cloned()
            .unwrap_or_default();
        let mut key = [0; 32];
        let random = rand::fill(&mut key);
        Self {
            users,
            decoy,
            key: random
                .ok()
                .map(|()| hmac::Key::new(hmac::HMAC_SHA256, &key)),
            remembered: Arc::default(),
            queue: Arc::new(Semaphore::new(QUEUE)),
            computing: Arc::new(Semaphore::new(1)),
        }
    }

    /// Judges an `Authorization` header.
    pub async fn verify(&self, authorization: Option<&HeaderValue>) -> Verdict {
        let Some((user, password)) = authorization.and_then(basic) else {
            return Verdict::Unknown;
        };
        let hash = self.users.get(&user);
        let proof = proof(&user, hash.unwrap_or(&self.decoy), &password);
        if hash.is_some() && self.remembers(&user, &proof) {
            return Verdict::Known;
        }
        let Ok(_waiting) = self.queue.try_acquire() else {
            return Verdict::Busy;
        };
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&self.computing).acquire_owned().await else {
            return Verdict::Busy;
        };
        // Of many who came with the same password at once the first has paid.
        if hash.is_some() && self.remembers(&user, &proof) {
            return Verdict::Known;
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.decoy).clone();
        // The permit goes along, because the thread works on when the client goes away.
        let right = tokio::task::spawn_blocking(move || {
            let right = bcrypt::verify(&password, &hash).unwrap_or(false);
            drop(permit);
            right
        })
        .await
        .unwrap_or(false);
        if !(right && known) {
            return Verdict::Unknown;
        }
        if let Some(key) = &self.key {
            let tag = hmac::sign(key, &proof);
            self.remembered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(user, tag);
        }
        Verdict::Known
    }

    fn remembers(&self, user: &str, proof: &[u8]) -> bool {
        let Some(key) = &self.key else {
            return false;
        };
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(user)
            .is_some_and(|tag| hmac::verify(key, proof, tag.as_ref()).is_ok())
    }
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
        let _all = passwords.queue.try_acquire_many(32).unwrap();
        assert_eq!(passwords.verify(Some(&right)).await, Verdict::Known);
        let wrong = header("prometheus", "wrong");
        assert_eq!(passwords.verify(Some(&wrong)).await, Verdict::Busy);
        let nobody = header("nobody", "right");
        assert_eq!(passwords.verify(Some(&nobody)).await, Verdict::Busy);
    }

    #[test]
    fn the_decoy_is_as_costly_as_the_costliest() {
        let users = [4, 6, 5].map(|cost| (cost.to_string(), bcrypt::hash("x", cost).unwrap()));
        let passwords = Passwords::new(users.into());
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
