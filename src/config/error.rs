//! What is wrong with a configuration, said so that a person can mend it: where, which value,
//! and what to write instead. The value of a secret never gets into one of these.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One thing that is wrong, printed as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// Where the value stands, in its source's own terms: `config.toml: accounts[2].id`,
    /// `AWS_ROOT_EXPORTER__REFRESH__INTERVAL`, `--web.listen-address`.
    pub place: String,
    /// The value, why it will not do, and the remedy.
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

/// Why there is no configuration to start with.
#[derive(Debug)]
pub enum ConfigErrors {
    /// The named file is not there, or is no file at all.
    NotFound {
        /// The path as it was given.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is there but cannot be read.
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The settings themselves are wrong: everything that could be told in one go.
    Invalid(Vec<ConfigError>),
}

impl ConfigErrors {
    /// The exit code of a daemon that does not start for this: 1 for a file it cannot read, 2 for
    /// a wrong flag or configuration.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } | Self::Unreadable { .. } => 1,
            Self::Invalid(_) => 2,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path, source } => write!(
                f,
                "{}: {source}; name an existing file with --config.file",
                path.display()
            ),
            Self::Unreadable { path, source } => write!(
                f,
                "{}: cannot be read: {source}; make it a file that the exporter's user can read",
                path.display()
            ),
            Self::Invalid(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}{error}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound { source, .. } | Self::Unreadable { source, .. } => Some(source),
            Self::Invalid(_) => None,
        }
    }
}
