//! Child processes: their output is kept, line by line, and they end with the test.
//!
//! Only a process that this file started is ever signalled or killed.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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
    /// Standard output and standard error, while they are open.
    streams: [Option<Stream>; 2],
}

struct Stream {
    pipe: File,
    /// The beginning of its next line.
    rest: Vec<u8>,
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
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for (stream, pipe) in [OwnedFd::from(stdout), OwnedFd::from(stderr)]
            .into_iter()
            .enumerate()
        {
            transcribe(stream, File::from(pipe), &transcript);
        }
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
            let ended = !written.is_open();
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

    /// All lines that it has written before this call, on both streams: what it logs before it answers a
    /// request is among the lines after the answer.
    pub fn lines(&self) -> Vec<String> {
        self.transcript.written.lock().unwrap().lines_now()
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
            let is_open = self.transcript.written.lock().unwrap().is_open();
            (!is_open)
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

impl Written {
    fn is_open(&self) -> bool {
        self.streams.iter().any(Option::is_some)
    }

    fn lines_now(&mut self) -> Vec<String> {
        self.read(0);
        self.read(1);
        self.lines.clone()
    }

    /// Reads what a stream's pipe holds, without waiting for more.
    fn read(&mut self, stream: usize) {
        let Some(Stream { pipe, rest }) = &mut self.streams[stream] else {
            return;
        };
        if !is_readable(pipe, Some(&Timespec::default())) {
            return;
        }
        let mut bytes = vec![0; PIPE_SIZE];
        let count = pipe.read(&mut bytes).unwrap_or(0);
        rest.extend_from_slice(&bytes[..count]);
        let is_over = count == 0;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            self.lines
                .push(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        if is_over {
            if !rest.is_empty() {
                self.lines.push(String::from_utf8_lossy(rest).into_owned());
            }
            self.streams[stream] = None;
        }
    }
}

/// How much a pipe of Linux holds, in bytes (pipe(7)).
const PIPE_SIZE: usize = 1 << 16;

/// Waits until a pipe can be read or is closed, or the time is over. Returns whether the former.
fn is_readable(pipe: &File, wait: Option<&Timespec>) -> bool {
    let mut polled = [PollFd::new(pipe, PollFlags::IN)];
    poll(&mut polled, wait).is_ok_and(|ready| ready > 0)
}

/// Reads a stream as it is written. The thread waits without the lock and reads with it, so that
/// [`Process::lines`] can read before it.
fn transcribe(stream: usize, pipe: File, transcript: &Arc<Transcript>) {
    let transcript = Arc::clone(transcript);
    let watched = pipe.try_clone().expect("a second descriptor of a pipe");
    let rest = Vec::new();
    transcript.written.lock().unwrap().streams[stream] = Some(Stream { pipe, rest });
    thread::spawn(move || {
        loop {
            is_readable(&watched, None);
            let mut written = transcript.written.lock().unwrap();
            written.read(stream);
            let is_open = written.streams[stream].is_some();
            drop(written);
            transcript.changed.notify_all();
            if !is_open {
                return;
            }
        }
    });
}

#[test]
fn what_is_written_before_the_call_is_among_the_lines() {
    use std::io::Write;

    let (reader, mut writer) = std::io::pipe().unwrap();
    let stream = Stream {
        pipe: File::from(OwnedFd::from(reader)),
        rest: Vec::new(),
    };
    let mut written = Written {
        lines: Vec::new(),
        streams: [None, Some(stream)],
    };
    assert!(written.lines_now().is_empty());
    writer.write_all(b"one\ntwo\nthr").unwrap();
    assert_eq!(written.lines_now(), ["one", "two"]);
    writer.write_all(b"ee\nfour").unwrap();
    assert_eq!(written.lines_now(), ["one", "two", "three"]);
    drop(writer);
    assert_eq!(written.lines_now(), ["one", "two", "three", "four"]);
    assert!(!written.is_open());
}
