//! Reads files that the user names: regular ones, whole, within a bound of size and of time.
//!
//! Links are followed, for Kubernetes mounts its files as links. A FIFO without a writer never holds
//! the process up, a device is never opened, and no file takes more memory than the bound.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How many bytes [`read`] reads at most: a thousand times a large configuration.
pub const MOST: u64 = 16 << 20;

/// How many reads of a [`TimedReads`] may hang at the same time, each on a thread.
pub(crate) const MOST_READS: usize = 8;

/// Reads a regular file of at most 16 MiB.
///
/// # Errors
///
/// It cannot be read, is no regular file, or is larger.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, MOST)
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
///
/// It cannot be read, is no regular file, or is larger.
pub fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    // A sparse file costs nothing on the disk, and all of its length in memory.
    if file.metadata()?.len() > most {
        return Err(too_large(most));
    }
    read_stream(file, most)
}

/// Reads a stream to its end. `most` is how many bytes it may have.
///
/// # Errors
///
/// It cannot be read, or has more bytes.
pub fn read_stream(stream: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    stream.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(content)
}

/// Opens a regular file for reading, whatever its size.
///
/// # Errors
///
/// It cannot be opened, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened: opening alone may act on a device.
    regular(fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    never_wait(&mut options);
    let file = options.open(path)?;
    // Another may have taken its place since.
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Makes opening a file return at once: a FIFO that took the file's place a moment ago would hold
/// the process up for ever.
pub fn never_wait(options: &mut OpenOptions) {
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
}

fn regular(found: FileType) -> io::Result<()> {
    let (kind, name) = match found {
        _ if found.is_file() => return Ok(()),
        _ if found.is_dir() => (ErrorKind::IsADirectory, "a folder"),
        _ if found.is_fifo() => (ErrorKind::InvalidInput, "a FIFO"),
        _ if found.is_socket() => (ErrorKind::InvalidInput, "a socket"),
        _ => (ErrorKind::InvalidInput, "a device"),
    };
    let text = format!("it is {name}, not a regular file");
    Err(io::Error::new(kind, text))
}

fn too_large(most: u64) -> io::Error {
    let most = most >> 20;
    io::Error::new(
        ErrorKind::FileTooLarge,
        format!("it has more than {most} MiB"),
    )
}

/// Reads with a deadline, on threads of which only so many may hang at the same time.
#[derive(Clone, Debug)]
pub struct TimedReads {
    within: Duration,
    threads: Arc<Semaphore>,
}

/// Why a read has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It hangs, or too many others do.
    #[error("takes too long to read; see whether its disk answers")]
    Late,
    /// It panicked.
    #[error("could not be read, for a defect of the exporter; please report this")]
    Panicked,
}

impl TimedReads {
    /// Reads that may each take as long as `within`.
    #[must_use]
    pub fn new(within: Duration) -> Self {
        Self {
            within,
            threads: Arc::new(Semaphore::new(MOST_READS)),
        }
    }

    /// Runs `read`, which may block. After the deadline it runs on, and its result is dropped.
    ///
    /// # Errors
    ///
    /// When it does not end in time, or panics.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let thread = self.begin().ok_or(ReadError::Late)?;
        let read = tokio::task::spawn_blocking(move || {
            let result = read();
            drop(thread);
            result
        });
        match timeout(self.within, read).await {
            Ok(result) => result.map_err(|_| ReadError::Panicked),
            Err(_) => Err(ReadError::Late),
        }
    }

    /// Whether no read is in progress.
    pub(crate) fn is_idle(&self) -> bool {
        self.threads.available_permits() == MOST_READS
    }

    pub(crate) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.threads).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_a_regular_file_is_read_through_any_links_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "content").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("link", path("link to a link")).unwrap();
        for name in ["file", "link", "link to a link"] {
            assert_eq!(read(&path(name)).unwrap(), b"content", "{name}");
        }
        let made = Command::new("mkfifo").arg(path("fifo")).status().unwrap();
        assert!(made.success());
        symlink("fifo", path("link to a fifo")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        for (path, says) in [
            (path("fifo"), "it is a FIFO, not a regular file"),
            (path("link to a fifo"), "it is a FIFO, not a regular file"),
            (path("socket"), "it is a socket, not a regular file"),
            (
                folder.path().to_owned(),
                "it is a folder, not a regular file",
            ),
            ("/dev/zero".into(), "it is a device, not a regular file"),
        ] {
            let error = read(&path).unwrap_err().to_string();
            assert_eq!(error, says, "{}", path.display());
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_bound_and_none_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        for (size, fits) in [(MOST, true), (MOST + 1, false), (3 << 30, false)] {
            file.set_len(size).unwrap();
            let content = read(&path);
            assert_eq!(content.is_ok(), fits, "{size}");
            if let Err(error) = content {
                assert_eq!(error.to_string(), "it has more than 16 MiB");
            }
        }
        // The length of a stream is not known beforehand.
        assert!(read_stream(io::repeat(0), MOST).is_err());
        assert_eq!(read_stream(&[0; 3][..], 3).unwrap(), [0; 3]);
    }
    #[tokio::test]
    async fn a_read_that_hangs_or_panics_is_an_error_and_the_next_is_not() {
        let reads = TimedReads::new(Duration::from_millis(10));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let late = reads.run(move || held.recv().is_ok()).await;
        assert_eq!(late, Err(ReadError::Late));
        assert!(!reads.is_idle());
        let reads = TimedReads {
            within: Duration::from_secs(20),
            ..reads
        };
        let panicked = reads.run(|| panic!("a bug")).await;
        assert_eq!(panicked, Err::<(), _>(ReadError::Panicked));
        assert_eq!(reads.run(|| 1).await, Ok(1));
        drop(release);
    }
}
