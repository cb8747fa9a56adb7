//! Any bytes as `config.toml`: accepted as a whole or refused, the same each time. A refusal is a list of
//! printable lines without secrets.

use std::path::Path;

use aws_root_exporter::config::{Config, ConfigErrors, Overrides, parse};

/// An external id that no seed contains.
const SECRET: &str = "hunter2-hunter2";

/// Checks the bytes; returns whether they are a valid configuration.
///
/// # Panics
///
/// If a guarantee is broken.
pub fn check(bytes: &[u8]) -> bool {
    let good = match load(bytes) {
        Ok(config) => {
            sound(&config);
            let again = load(bytes).expect("accepted at first, then refused");
            assert_eq!(again, config, "the same bytes give another configuration");
            let longer = [bytes, b"\n# A comment.\n"].concat();
            assert_eq!(
                load(&longer).ok().as_ref(),
                Some(&config),
                "a comment changes the configuration"
            );
            true
        }
        Err(errors) => {
            printable(&errors);
            let again = load(bytes).expect_err("refused at first, then accepted");
            assert_eq!(again.to_string(), errors.to_string());
            false
        }
    };
    keeps_the_secret(bytes);
    good
}

fn load(bytes: &[u8]) -> Result<Config, ConfigErrors> {
    let file = (Path::new("config.toml"), bytes);
    parse(Some(file), [], &Overrides::default(), &())
}

/// Checks what the rest of the program relies on.
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
        "an account is listed twice"
    );
    let debug = format!("{config:?}");
    for account in &config.accounts {
        assert_eq!(account.id.to_string().len(), 12);
    }
    assert!(!debug.contains(SECRET), "the configuration prints a secret");
}

fn printable(errors: &ConfigErrors) {
    let ConfigErrors::Invalid(list) = errors else {
        panic!("no file was read, so none can be unreadable: {errors}");
    };
    assert!(!list.is_empty(), "a refusal without a reason");
    for error in list {
        let line = error.to_string();
        assert!(
            !line.chars().any(char::is_control),
            "not printable: {line:?}"
        );
        assert!(
            !error.place.is_empty() && !error.problem.is_empty(),
            "{line}"
        );
    }
}

/// No error contains an external id, whatever bytes are before and after it. Quotes before it are left
/// out, because they could make it part of another value or of a key.
fn keeps_the_secret(bytes: &[u8]) {
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
            assert!(!text.contains(SECRET), "an error contains a secret: {text}");
        }
    }
}
