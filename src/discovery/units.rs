//! Reads the tree of the organizational units: from the root down, with the accounts in each unit.
//!
//! Two questions a unit are far fewer than one an account. An incomplete tree is never used, and one that
//! cannot be read costs nothing but the paths of the accounts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::account::AccountId;
use crate::aws::{UnitPage, UnitQuestion};
use crate::failure::{Failure, Reason};

use super::organization::retry;

/// The most questions of one reading: an organization has at most 2,000 units, and a page 20 accounts.
const MAX_QUESTIONS: u32 = 50_000;

/// Reads the tree page by page.
#[derive(Debug)]
pub(super) struct UnitReader {
    /// The question to ask, with the path of its parent, and the token of its next page.
    asking: (UnitQuestion, String),
    token: Option<String>,
    /// The questions after it.
    rest: Vec<(UnitQuestion, String)>,
    paths: BTreeMap<AccountId, String>,
    failures: u32,
    questions: u32,
}

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnitStep {
    /// Ask the next question at once.
    Next,
    /// Ask the same question again after a pause.
    Retry(Duration),
    /// The path of each account.
    Complete(BTreeMap<AccountId, String>),
    /// Give up.
    Failed(Failure),
}

impl Default for UnitReader {
    fn default() -> Self {
        Self {
            asking: (UnitQuestion::Roots, String::new()),
            token: None,
            rest: Vec::new(),
            paths: BTreeMap::new(),
            failures: 0,
            questions: 0,
        }
    }
}

impl UnitReader {
    /// The question to ask, and the token of its page.
    pub fn question(&self) -> (UnitQuestion, Option<String>) {
        (self.asking.0.clone(), self.token.clone())
    }

    /// Takes the answer; `draw` is a random number from 0 to 1.
    pub fn take(&mut self, answer: Result<UnitPage, Failure>, draw: f64) -> UnitStep {
        let page = match answer {
            Ok(page) => page,
            Err(failure) => {
                self.failures += 1;
                let pause = retry(&failure, self.failures, draw);
                return pause.map_or(UnitStep::Failed(failure), UnitStep::Retry);
            }
        };
        self.failures = 0;
        self.questions += 1;
        if self.questions == MAX_QUESTIONS {
            let why = "organizations: the tree of the units does not end";
            return UnitStep::Failed(Failure::new(Reason::Other, why));
        }
        let parent = self.asking.1.clone();
        for account in page.accounts {
            self.paths.insert(account, parent.clone());
        }
        for unit in page.units {
            let path = match parent.as_str() {
                "" => unit.name,
                parent => format!("{parent}/{}", unit.name),
            };
            let accounts = UnitQuestion::Accounts(unit.id.clone());
            self.rest.push((accounts, path.clone()));
            self.rest.push((UnitQuestion::Units(unit.id), path));
        }
        self.token = page.next;
        if self.token.is_some() {
            return UnitStep::Next;
        }
        match self.rest.pop() {
            Some(next) => {
                self.asking = next;
                UnitStep::Next
            }
            None => UnitStep::Complete(std::mem::take(&mut self.paths)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::Unit;

    use super::*;

    fn id(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    /// A tree of three levels, with two pages of accounts in the deepest unit.
    fn answer(question: &UnitQuestion, token: Option<&str>) -> UnitPage {
        let unit = |id: &str, name: &str| Unit {
            id: id.to_owned(),
            name: name.to_owned(),
        };
        let units = |units| UnitPage {
            units,
            ..UnitPage::default()
        };
        let accounts = |numbers: &[u64]| UnitPage {
            accounts: numbers.iter().copied().map(id).collect(),
            ..UnitPage::default()
        };
        match (question, token) {
            (UnitQuestion::Roots, _) => units(vec![unit("r", "Root")]),
            (UnitQuestion::Units(of), _) if of == "r" => {
                units(vec![unit("a", "A"), unit("b", "B")])
            }
            (UnitQuestion::Units(of), _) if of == "b" => units(vec![unit("c", "C/D")]),
            (UnitQuestion::Units(_), _) => UnitPage::default(),
            (UnitQuestion::Accounts(of), None) if of == "c" => UnitPage {
                next: Some("2".to_owned()),
                ..accounts(&[4])
            },
            (UnitQuestion::Accounts(of), Some(_)) if of == "c" => accounts(&[5]),
            (UnitQuestion::Accounts(of), _) => accounts(match of.as_str() {
                "r" => &[1],
                "a" => &[2, 3],
                _ => &[],
            }),
        }
    }

    #[test]
    fn each_account_has_the_names_of_its_units_from_the_root_on() {
        let mut reader = UnitReader::default();
        let mut asked = 0;
        let paths = loop {
            let (question, token) = reader.question();
            asked += 1;
            // Each question fails once.
            let failure = Failure::new(Reason::Throttled, "slow down");
            let step = reader.take(Err(failure), 0.5);
            assert!(matches!(step, UnitStep::Retry(_)), "{step:?}");
            match reader.take(Ok(answer(&question, token.as_deref())), 0.5) {
                UnitStep::Next => {}
                UnitStep::Complete(paths) => break paths,
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(asked, 1 + 2 * 4 + 1);
        let expected = [
            (id(1), "Root"),
            (id(2), "Root/A"),
            (id(3), "Root/A"),
            (id(4), "Root/B/C/D"),
            (id(5), "Root/B/C/D"),
        ];
        assert_eq!(
            paths,
            expected.map(|(id, path)| (id, path.to_owned())).into()
        );
    }

    #[test]
    fn a_missing_permission_ends_the_reading_and_so_does_a_tree_without_an_end() {
        let denied = Failure::new(Reason::AccessDenied, "denied");
        let step = UnitReader::default().take(Err(denied), 0.5);
        assert!(matches!(step, UnitStep::Failed(_)), "{step:?}");
        let mut reader = UnitReader::default();
        let endless = || UnitPage {
            next: Some("again".to_owned()),
            ..UnitPage::default()
        };
        let ends =
            (0..MAX_QUESTIONS).position(|_| reader.take(Ok(endless()), 0.5) != UnitStep::Next);
        assert_eq!(ends, Some(MAX_QUESTIONS as usize - 1));
    }
}
