//! The values of one account, scrape by scrape: four metrics, and every value each of them had.

use std::collections::HashMap;

use test_support::exposition::Exposition;

/// The metrics that can be wrong, by family.
const FAMILIES: [&str; 4] = [
    "aws_root_access_keys_active",
    "aws_root_access_keys_present",
    "aws_root_signing_certificates_active",
    "aws_root_mfa_enabled",
];

/// What is shown of an account: `None` is no sample, which is how the exporter says that it does
/// not know.
pub type Values = [Option<u8>; FAMILIES.len()];

/// Of an account with a root access key and a certificate, and without MFA.
pub const ALARMING: Values = [Some(1), Some(1), Some(1), Some(0)];

/// Of an account that is as it should be.
pub const FINE: Values = [Some(0), Some(0), Some(0), Some(1)];

/// Of an account without any value.
pub const UNKNOWN: Values = [None; FAMILIES.len()];

/// The values of all accounts in a scrape, and the state of their sources.
pub struct Scrape {
    values: HashMap<String, Values>,
    up: HashMap<(String, String), bool>,
    failures: HashMap<String, Vec<(String, String)>>,
}

impl Scrape {
    pub fn of(shown: &Exposition) -> Self {
        let mut values: HashMap<String, Values> = HashMap::new();
        for (place, family) in FAMILIES.into_iter().enumerate() {
            for sample in shown.all(family, &[]) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "values are small whole numbers"
                )]
                let value = sample.value as u8;
                let account = sample.labels["account"].clone();
                values.entry(account).or_default()[place] = Some(value);
            }
        }
        let mut up = HashMap::new();
        for sample in shown.all("aws_account_up", &[]) {
            let source = sample.labels["source"].clone();
            up.insert(
                (sample.labels["account"].clone(), source),
                sample.value > 0.5,
            );
        }
        let mut failures: HashMap<String, Vec<_>> = HashMap::new();
        for sample in shown.all("aws_account_refresh_failures_total", &[]) {
            if sample.value > 0.5 {
                let [source, reason] = ["source", "reason"].map(|key| sample.labels[key].clone());
                let of_account = failures.entry(sample.labels["account"].clone());
                of_account.or_default().push((source, reason));
            }
        }
        Self {
            values,
            up,
            failures,
        }
    }

    pub fn values(&self, account: &str) -> Values {
        self.values.get(account).copied().unwrap_or(UNKNOWN)
    }

    /// Whether every source of the account works.
    pub fn is_up(&self, account: &str) -> bool {
        let mut sources = self
            .up
            .iter()
            .filter(|((of, _), _)| of == account)
            .peekable();
        sources.peek().is_some() && sources.all(|(_, up)| *up)
    }

    /// The reasons that were counted for a source of the account.
    pub fn reasons(&self, account: &str, source: &str) -> Vec<&str> {
        let failures = self.failures.get(account).into_iter().flatten();
        failures
            .filter(|(of, _)| of == source)
            .map(|(_, reason)| reason.as_str())
            .collect()
    }

    /// Whether no source of the account ever failed.
    pub fn never_failed(&self, account: &str) -> bool {
        !self.failures.contains_key(account)
    }
}

/// What was shown of an account in one stage of a test: of each metric, every value in its order.
#[derive(Clone, Debug)]
pub struct Course([Vec<Option<u8>>; FAMILIES.len()]);

impl Course {
    pub fn from(now: Values) -> Self {
        Self(now.map(|value| vec![value]))
    }

    pub fn note(&mut self, now: Values) {
        for (course, value) in self.0.iter_mut().zip(now) {
            if course.last() != Some(&value) {
                course.push(value);
            }
        }
    }

    /// Whether each metric went from its value in `before` to that in `after`, at once and once.
    pub fn went(&self, before: Values, after: Values) -> Result<(), Course> {
        let wanted = before.into_iter().zip(after);
        let went = self.0.iter().zip(wanted).all(|(course, (before, after))| {
            let direct = if before == after {
                &[before][..]
            } else {
                &[before, after][..]
            };
            course == direct
        });
        if went { Ok(()) } else { Err(self.clone()) }
    }

    /// Whether what was shown can no longer become a course from `before` to `after`.
    pub fn is_astray(&self, before: Values, after: Values) -> bool {
        let wanted = before.into_iter().zip(after);
        self.0.iter().zip(wanted).any(|(course, (before, after))| {
            course[0] != before || course.len() > 2 || course.get(1).is_some_and(|it| *it != after)
        })
    }
}

impl std::fmt::Display for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, (family, course)) in FAMILIES.into_iter().zip(&self.0).enumerate() {
            let values: Vec<String> = course
                .iter()
                .map(|value| value.map_or("unknown".to_owned(), |value| value.to_string()))
                .collect();
            let comma = if nth == 0 { "" } else { ", " };
            let name = family.trim_start_matches("aws_root_");
            write!(f, "{comma}{name} {}", values.join(" → "))?;
        }
        Ok(())
    }
}

#[test]
fn a_value_that_returns_is_not_a_direct_change() {
    let mut course = Course::from(ALARMING);
    assert!(course.went(ALARMING, ALARMING).is_ok());
    assert!(!course.is_astray(ALARMING, FINE));
    course.note(FINE);
    assert!(course.went(ALARMING, FINE).is_ok());
    course.note(ALARMING);
    assert!(course.went(ALARMING, ALARMING).is_err());
    assert!(course.is_astray(ALARMING, FINE));
}
