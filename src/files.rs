//! Files that the user names: opened without waiting, and read whole within a bound.
//!
//! Only a regular file is opened, after following links, for Kubernetes mounts its files as links.
//! A FIFO without a writer never holds the process up, a device is never touched, and no file takes
//! more memory than the bound.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// The most that [`read`] reads, in bytes. A whole configuration has a thousandth of it.
pub const MOST: u64 = 16 << 20;

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
    // Before it is opened: that alone may act on a device.
    regular(fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    never_wait(&mut options);
    let file = options.open(path)?;
    // Another may have taken its place since.
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Has a file opened without waiting: a FIFO that took its place a moment ago would hold the
/// process up for ever.
pub fn never_wait(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
}

fn regular(found: FileType) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let (kind, name) = if found.is_dir() {
        (ErrorKind::IsADirectory, "a folder")
    } else {
        (ErrorKind::InvalidInput, special(found))
    };
    Err(io::Error::new(
        kind,
        format!("it is {name}, not a regular file"),
    ))
}

#[cfg(unix)]
fn special(found: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "something else"
}

fn too_large(most: u64) -> io::Error {
    let most = most >> 20;
    io::Error::new(
        ErrorKind::FileTooLarge,
        format!("it has more than {most} MiB"),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_a_regular_file_is_read_through_whatever_links_lead_to_it() {
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
        // A stream does not say how long it is.
        assert!(read_stream(io::repeat(0), MOST).is_err());
        assert_eq!(read_stream(&[0; 3][..], 3).unwrap(), [0; 3]);
    }
}
