//! Why the web configuration cannot be used, on one line: where, what, and what to do.
//!
//! No hash, no key and no password gets into the text.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

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
    /// The exit code of a program that does not start for this: 1 for a file that it cannot read, 2
    /// for an invalid configuration.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } => 1,
            Self::Invalid { .. } => 2,
        }
    }

    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            source,
        }
    }

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
