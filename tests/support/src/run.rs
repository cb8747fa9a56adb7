//! Runs of the binary to their end: exit code and output.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::daemon::command_in;
use crate::{PATIENCE, eventually};

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Finished {
    /// The lines of its standard output that are not empty.
    pub fn output(&self) -> Vec<&str> {
        self.out
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect()
    }

    /// The lines of its standard error that are not empty.
    pub fn errors(&self) -> Vec<&str> {
        self.err
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect()
    }

    /// The run, if its exit code is this.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// The run, if its output contains this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "expected {text:?} in {self:#?}");
        self
    }

    /// The run, if its output does not contain this.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let is_absent = !self.out.contains(text);
        assert!(is_absent, "did not expect {text:?} in {self:#?}");
        self
    }

    /// The run, if its standard error contains this.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "expected {text:?} in {self:#?}");
        self
    }
}

/// Runs a command to its end, which must come by itself, with `input` on its standard input.
pub fn finish(mut command: Command, input: impl AsRef<[u8]>) -> Finished {
    // Files and not pipes: a pipe that nobody empties would make it wait.
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(out.try_clone().unwrap())
        .stderr(err.try_clone().unwrap())
        .spawn()
        .unwrap();
    // A program that does not read its input may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    let status = eventually(PATIENCE, || {
        let status = child.try_wait().expect("the child is ours");
        status.ok_or_else(|| format!("{command:?} is still running"))
    });
    Finished {
        code: status.code().expect("no signal ended it"),
        out: text(&mut out),
        err: text(&mut err),
    }
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).expect("UTF-8");
    text
}

/// A folder of its own in which commands run, one after another.
pub struct Bench {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// An empty folder.
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            environment: Vec::new(),
        }
    }

    /// The same folder with these variables in the environment of each run.
    pub fn with(mut self, environment: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.environment.extend(environment);
        self
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the folder.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    /// Runs the binary with these words as arguments.
    pub fn run(&self, line: &str) -> Finished {
        self.feed(line, "")
    }

    /// Runs the binary with `input` on its standard input.
    pub fn feed(&self, line: &str, input: impl AsRef<[u8]>) -> Finished {
        finish(self.command(line), input)
    }

    /// The command of such a run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = command_in(self.folder.path());
        command
            .args(line.split_whitespace())
            .envs(self.environment.iter().cloned());
        command
    }
}
