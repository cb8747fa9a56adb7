//! Why the web configuration cannot be used, on one line: where, what, and what to do; and why it
//! refuses a request.
//!
//! No hash, no key and no password gets into the text.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// Why a request is refused, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More requests than `rate_limit` allows.
    TooMany,
    /// No password, or a wrong one.
    Unauthorized,
    /// Too many passwords wait to be verified.
    Busy,
}

/// A key of a section, and what is wrong with its value.
pub(super) type Problem = (&'static str, Cow<'static, str>);

/// Why the web configuration file, or one that it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// It cannot be read.
    #[error(
        "{}: cannot be read: {source}; make it a file that the exporter's user can read",
        on_one_line(&.path.to_string_lossy())
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is not valid.
    #[error("{}: {problem}", on_one_line(&.path.to_string_lossy()))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where in it, what, and what to do.
        problem: String,
    },
}

impl WebConfigError {
    pub(super) fn invalid(path: &Path, problem: impl Into<String>) -> Self {
        Self::Invalid {
            path: path.to_owned(),
            problem: on_one_line(&problem.into()),
        }
    }
}

/// Escapes control characters: a path and a quoted key can hold line breaks.
fn on_one_line(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars() {
        if char.is_control() {
            line.extend(char.escape_debug());
        } else {
            line.push(char);
        }
    }
    line
}
