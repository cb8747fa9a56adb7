//! Child processes: their output is kept, line by line, and they end with the test.
//!
//! Only a process that this file started is ever signalled or killed.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::{PATIENCE, eventually};

/// A running child. Dropping it kills it, and prints its output when the test is failing.
pub struct Process {
    name: String,
    child: Child,
    transcript: Arc<Transcript>,
}

#[derive(Default)]
struct Transcript {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    open_streams: u8,
}

impl Process {
    /// Starts the command. Its standard input stays open as long as the process is held.
    pub fn start(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => {
                    panic!("{name} is missing: run `make test`, which installs it")
                }
                _ => panic!("{name} could not be started: {error}"),
            });
        let transcript = Arc::new(Transcript::default());
        transcript.written.lock().unwrap().open_streams = 2;
        transcribe(child.stdout.take().unwrap(), &transcript);
        transcribe(child.stderr.take().unwrap(), &transcript);
        Self {
            name,
            child,
            transcript,
        }
    }

    /// Waits for a line, on either stream, in which `find` finds something, and returns that.
    pub fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.transcript.written.lock().unwrap();
        let mut read = 0;
        loop {
            if let Some(found) = written.lines[read..].iter().find_map(|line| find(line)) {
                return found;
            }
            read = written.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = written.open_streams == 0;
            // A poisoned mutex would hide the output that explains the failure.
            if ended || left.is_zero() {
                drop(written);
                let how = if ended { "it ended" } else { "it still runs" };
                panic!("{} did not print {what}: {how}", self.name);
            }
            written = self
                .transcript
                .changed
                .wait_timeout(written, left)
                .unwrap()
                .0;
        }
    }

    /// All lines so far, of both streams.
    pub fn lines(&self) -> Vec<String> {
        self.transcript.written.lock().unwrap().lines.clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has used so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kibibytes.unwrap().parse::<u64>().unwrap() << 10
    }

    /// Sends a signal by its name (`TERM`, `INT`).
    pub fn signal(&self, signal: &str) {
        let pid = self.id().to_string();
        // Every POSIX shell has `kill` built in; the program of that name can be missing.
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid])
            .status()
            .expect("sh is there");
        assert!(sent.success(), "{} could not be sent {signal}", self.name);
    }

    /// The exit code, once the process has ended and all its output is read.
    pub fn exit_code(&mut self, bound: Duration) -> i32 {
        let status = eventually(bound, || {
            let status = self.child.try_wait().expect("the child is ours");
            status.ok_or_else(|| format!("{} is still running", self.name))
        });
        eventually(PATIENCE, || {
            let open = self.transcript.written.lock().unwrap().open_streams;
            (open == 0)
                .then_some(())
                .ok_or_else(|| format!("the output of {} is still open", self.name))
        });
        status
            .code()
            .unwrap_or_else(|| panic!("{} was ended by a signal: {status}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors here mean that it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("---- output of {} ----", self.name);
            self.lines().iter().for_each(|line| eprintln!("{line}"));
            eprintln!("---- end of {} ----", self.name);
        }
    }
}

fn transcribe(stream: impl Read + Send + 'static, transcript: &Arc<Transcript>) {
    let transcript = Arc::clone(transcript);
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            transcript.written.lock().unwrap().lines.push(line);
            transcript.changed.notify_all();
        }
        transcript.written.lock().unwrap().open_streams -= 1;
        transcript.changed.notify_all();
    });
}
