//! The seeds of the fuzz targets, through the checks of the targets themselves. What a fuzzer found and
//! is fixed becomes a seed.
//!
//! The tests of `crates/root-posture` read those of `report`.

use test_support::repository;

#[path = "../../fuzz/checks/accept.rs"]
mod accept;
#[path = "../../fuzz/checks/config.rs"]
mod config;
#[path = "../../fuzz/checks/message.rs"]
mod message;
#[path = "../../fuzz/checks/state.rs"]
mod state;
#[path = "../../fuzz/checks/web_config.rs"]
mod web_config;

/// Checks each seed of a target; `good` gives the expected result by the name of a seed.
fn replay(target: &str, check: impl Fn(&[u8]) -> bool, good: impl Fn(&str) -> bool) {
    let folder = repository("fuzz/corpus").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // The files that the fuzzer adds have no extension.
        if path.extension().is_none() {
            continue;
        }
        seeds += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let checked = check(&std::fs::read(&path).unwrap());
        assert_eq!(checked, good(name), "{}", path.display());
    }
    assert!(seeds >= 5, "{seeds} seeds in {}", folder.display());
}

fn is_not_refused(name: &str) -> bool {
    !name.starts_with("refused-")
}

#[test]
fn every_configuration_is_accepted_or_refused_as_its_name_says() {
    replay("config", config::check, is_not_refused);
}

#[test]
fn every_web_configuration_is_accepted_or_refused_as_its_name_says() {
    replay("web_config", web_config::check, is_not_refused);
}

#[test]
fn every_state_file_is_read_as_its_name_says() {
    replay("state", state::check, is_not_refused);
}

#[test]
fn every_accept_is_answered_as_its_name_says() {
    replay("accept", accept::check, |name| {
        name.starts_with("openmetrics-")
    });
}

#[test]
fn every_message_is_read_as_its_name_says() {
    replay("message", message::check, is_not_refused);
}
