//! What the tests of this suite share beside `test-support`: Alertmanager, moto, and the whole path of a
//! page.

pub mod alertmanager;
pub mod moto;
pub mod paging;
pub mod webhook;

use std::path::PathBuf;

/// A script of this suite.
pub fn script(name: &str) -> PathBuf {
    test_support::repository("tests/tools").join(name)
}
