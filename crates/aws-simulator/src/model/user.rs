//! Users and their credentials.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The root user's name in the report.
pub(crate) const ROOT: &str = "<root_account>";

/// A user with credentials: the root user or an IAM user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, as in the report's first column.
    pub name: String,
    /// When the user was created.
    pub created: i64,
    /// Whether there is a console password.
    pub password: bool,
    /// Last sign-in with it.
    pub password_last_used: Option<i64>,
    /// When it was last changed.
    pub password_last_changed: Option<i64>,
    /// Whether there is an MFA device.
    pub mfa: bool,
    /// Access keys; the first is the report's `_1`.
    pub keys: [Option<AccessKey>; 2],
    /// Signing certificates.
    pub certificates: [Option<Certificate>; 2],
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id, `AKIA…`.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// When it was created: the report's `last_rotated`.
    pub created: i64,
    /// Its last use.
    pub last_used: Option<LastUse>,
}

/// Where and when an access key was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: i64,
    /// In which Region.
    pub region: String,
    /// With which service.
    pub service: String,
}

/// A signing certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its id.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// When it was uploaded: the report's `last_rotated`.
    pub uploaded: i64,
}

/// How many credentials of a kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that exist.
    pub present: usize,
    /// Those that are active; a summary does not say.
    pub active: usize,
}

impl Counts {
    fn of(are_active: impl Iterator<Item = bool> + Clone) -> Self {
        Self {
            present: are_active.clone().count(),
            active: are_active.filter(|is_active| *is_active).count(),
        }
    }
}

/// How many credentials a user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Access keys.
    pub keys: Counts,
    /// Signing certificates.
    pub certificates: Counts,
    /// Whether there is an MFA device.
    pub mfa: bool,
    /// Whether there is a console password.
    pub password: bool,
}

impl User {
    /// A user without any credential.
    #[must_use]
    pub fn new(name: impl Into<String>, created: i64) -> Self {
        Self {
            name: name.into(),
            created,
            password: false,
            password_last_used: None,
            password_last_changed: None,
            mfa: false,
            keys: [None, None],
            certificates: [None, None],
        }
    }

    /// Creates an active access key in the first free slot and returns its id; `None` when both are
    /// taken, as AWS allows two.
    pub fn create_key(&mut self, now: i64) -> Option<String> {
        let slot = self.keys.iter_mut().find(|slot| slot.is_none())?;
        let key = slot.insert(AccessKey {
            id: unique_id("AKIASIM"),
            active: true,
            created: now,
            last_used: None,
        });
        Some(key.id.clone())
    }

    /// Uploads an active signing certificate into the first free slot and returns its id; `None` when
    /// both are taken.
    pub fn upload_certificate(&mut self, now: i64) -> Option<String> {
        let slot = self.certificates.iter_mut().find(|slot| slot.is_none())?;
        let certificate = slot.insert(Certificate {
            id: unique_id("CERTSIM"),
            active: true,
            uploaded: now,
        });
        Some(certificate.id.clone())
    }

    /// How many credentials there are.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let keys = self.keys.iter().flatten().map(|key| key.active);
        let certificates = self.certificates.iter().flatten().map(|it| it.active);
        Inventory {
            keys: Counts::of(keys),
            certificates: Counts::of(certificates),
            mfa: self.mfa,
            password: self.password,
        }
    }

    /// Deactivates every access key.
    pub fn deactivate_keys(&mut self) {
        for key in self.keys.iter_mut().flatten() {
            key.active = false;
        }
    }

    /// Deletes every access key.
    pub fn delete_keys(&mut self) {
        self.keys = [None, None];
    }

    /// Records a use of the key in slot `slot` (0 or 1), if there is one.
    pub fn use_key(&mut self, slot: usize, at: i64, region: &str, service: &str) {
        if let Some(Some(key)) = self.keys.get_mut(slot) {
            let (region, service) = (region.to_owned(), service.to_owned());
            key.last_used = Some(LastUse {
                at,
                region,
                service,
            });
        }
    }
}

/// An id of twenty characters that no real account has, unique in the process.
pub(crate) fn unique_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let digits = (0..6)
        .rev()
        .map(|place| char::from(ALPHABET[number >> (5 * place) & 31]));
    prefix
        .chars()
        .chain("AAAAAAA".chars())
        .chain(digits)
        .collect()
}
