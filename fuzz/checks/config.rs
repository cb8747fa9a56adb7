//! Any bytes as `config.toml`: whole or refused, the same each time, and a refusal is a list of
//! lines that can be printed and hold no secret.

use std::path::Path;

use aws_root_exporter::config::{Config, ConfigErrors, Overrides, parse};

/// An external id as nobody else writes it.
const SECRET: &str = "hunter2-hunter2";

/// Whether the bytes are a good configuration.
///
/// # Panics
///
/// When a promise is broken.
pub fn check(bytes: &[u8]) -> bool {
    let good = match load(bytes) {
        Ok(config) => {
            sound(&config);
            let again = load(bytes).expect("what was good is good again");
            assert_eq!(again, config, "the same bytes say the same");
            let longer = [bytes, b"\n# A remark.\n"].concat();
            assert_eq!(
                load(&longer).ok().as_ref(),
                Some(&config),
                "a remark says nothing"
            );
            true
        }
        Err(errors) => {
            printable(&errors);
            let again = load(bytes).expect_err("what was wrong is wrong again");
            assert_eq!(again.to_string(), errors.to_string());
            false
        }
    };
    guarded(bytes);
    good
}

fn load(bytes: &[u8]) -> Result<Config, ConfigErrors> {
    let file = (Path::new("config.toml"), bytes);
    parse(Some(file), [], &Overrides::default(), &())
}

/// What the rest of the program takes for granted.
fn sound(config: &Config) {
    assert!(!config.web.listen_addresses.is_empty());
    assert!(config.web.telemetry_path.starts_with('/'));
    assert!(config.shard.index < config.shard.total);
    assert!(config.refresh.interval.as_secs() >= 1);
    assert!(config.refresh.concurrency >= 1);
    assert!(!config.refresh.timeout.is_zero());
    assert!(!config.refresh.report_timeout.is_zero());
    let mut ids: Vec<_> = config.accounts.iter().map(|account| account.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids.len(),
        config.accounts.len(),
        "an account is listed once"
    );
    let shown = format!("{config:?}");
    for account in &config.accounts {
        assert_eq!(account.id.to_string().len(), 12);
    }
    assert!(!shown.contains(SECRET), "a secret prints itself");
}

fn printable(errors: &ConfigErrors) {
    let ConfigErrors::Invalid(list) = errors else {
        panic!("nothing was read, so nothing was unreadable: {errors}");
    };
    assert!(!list.is_empty(), "a refusal has a reason");
    for error in list {
        let line = error.to_string();
        assert!(
            !line.chars().any(char::is_control),
            "a line cannot be printed: {line:?}"
        );
        assert!(
            !error.place.is_empty() && !error.problem.is_empty(),
            "{line}"
        );
    }
}

/// The bytes before and after an external id: whatever they are, it is not told. What could make
/// the id a part of another value, or of a key, is left out.
fn guarded(bytes: &[u8]) {
    let (before, after) = bytes.split_at(bytes.len() / 2);
    let quotes = [b'\'', b'"'];
    if before.iter().any(|byte| quotes.contains(byte)) {
        return;
    }
    let line = format!("\nexternal_id = \"{SECRET}");
    for header in ["", "\n[[accounts]]", "\n[organization]"] {
        let text = [before, header.as_bytes(), line.as_bytes(), after].concat();
        if let Err(errors) = load(&text) {
            let text = errors.to_string();
            assert!(!text.contains(SECRET), "a secret is told: {text}");
        }
    }
}
