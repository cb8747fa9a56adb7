//! The errors of a configuration, in words that let a person correct it: where, which value, and
//! what to write instead. The value of a secret never appears in one.

use std::io;
use std::path::PathBuf;

/// One error, printed as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// The place of the value, in the terms of its source: `config.toml: accounts[2].id`,
    /// `AWS_ROOT_EXPORTER__REFRESH__INTERVAL`, `--web.listen-address`.
    pub place: String,
    /// The value, what is wrong with it, and what to write.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigErrors {
    /// The file cannot be read.
    #[error(
        "{}: cannot be read: {source}; --config.file must name a file that exists, and that the \
         exporter's user can read",
        path.display()
    )]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The settings are wrong: all that could be found at once.
    #[error("{}", lines(.0))]
    Invalid(Vec<ConfigError>),
}

fn lines(errors: &[ConfigError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl ConfigErrors {
    /// The exit code of a daemon that does not start because of this: 1 for a file that cannot be
    /// read, 2 for wrong settings.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } => 1,
            Self::Invalid(_) => 2,
        }
    }
}
