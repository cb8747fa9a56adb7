//! The state database: one redb file, which this process locks.
//!
//! It never returns a torn value, never refuses a start because of a file's content (such a file is
//! moved aside), never opens anything but a regular file, and never follows a symbolic link at a name
//! that it creates.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use root_posture::{AccountId, Limits};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::{error, info, warn};

use super::gate::Disk;
use super::import;
use super::saved::{Changes, SavedAccount, Stamp, State};
use crate::clock::Clock;
use crate::views::ReportView;
use exporter_toolkit::files;

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// The evidence of each account, by its id.
const ACCOUNTS: Table = TableDefinition::new("accounts");

/// The credential report of each account, by its id.
const REPORTS: Table = TableDefinition::new("reports");

/// The version of the format, and the state besides the accounts.
const META: Table = TableDefinition::new("meta");

/// The version of the format, which is also the newest that can be read. Version 1 was a JSON file.
const VERSION: u32 = 2;

/// The size of redb's cache in bytes. Its default is 1 GiB; the system caches the file as well.
const CACHE_SIZE: usize = 1 << 20;

/// The most bytes of a file that are read into memory, where it cannot be opened in its place: many
/// times the size for 10,000 accounts.
const MAX_READ: u64 = 1 << 30;

/// The start of a redb file.
const MAGIC: &[u8] = b"redb";

/// Why the process must not start with this state path.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is a FIFO, a device, a folder or a socket.
    #[error("{}: not a regular file; name a file in state.path", .0.display())]
    NotAFile(PathBuf),
    /// Another process has it open.
    #[error("{}: another process uses this state; stop it or change state.path", .0.display())]
    InUse(PathBuf),
}

/// The state database at a path. While it is not open, each commit tries to open it.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    clock: Clock,
    limits: Limits,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    redb: redb::Database,
    /// The reports in the file.
    reports: HashMap<AccountId, Weak<ReportView>>,
    /// Identifies the file, whatever its name.
    metadata: Metadata,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it is not a regular file")]
    NotAFile,
    #[error("another process uses it")]
    InUse,
    /// The disk or its permissions; another attempt may succeed.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Its content; another attempt cannot succeed.
    #[error("{0}")]
    Unusable(String),
}

/// A value as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    written: Stamp,
    value: T,
}

impl Database {
    /// Opens the state at `path` and reads it, with all moments converted to this process's clock. A
    /// missing file is created, a JSON state file of version 0.1 is imported, an unusable file is
    /// moved aside. Where the disk allows none of that, the state is read as far as possible, and
    /// each commit tries again to open the file.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the process must not start with this path.
    pub fn open(path: &Path, clock: &Clock, limits: Limits) -> Result<(Self, State), Refusal> {
        let mut database = Self {
            path: path.to_owned(),
            clock: clock.clone(),
            limits,
            open: None,
        };
        let state = match database.open_file() {
            Ok((open, state)) => {
                database.open = Some(open);
                state
            }
            Err(Trouble::NotAFile) => return Err(Refusal::NotAFile(database.path)),
            Err(Trouble::InUse) => return Err(Refusal::InUse(database.path)),
            // The first commit will report it.
            Err(Trouble::Disk(_) | Trouble::Unusable(_)) => {
                database.read_only().unwrap_or_default()
            }
        };
        Ok((database, state))
    }

    fn open_file(&self) -> Result<(Open, State), Trouble> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => match self.beside() {
                Some((old, state)) => self.create(state, Some(&old)),
                None => self.create(State::default(), None),
            },
            Err(error) => Err(Trouble::Disk(error)),
            Ok(place) if !place.is_file() => Err(Trouble::NotAFile),
            Ok(_) => match self.open_existing() {
                Err(Trouble::Unusable(what)) => {
                    self.move_aside(&what)?;
                    self.create(State::default(), None)
                }
                opened => opened,
            },
        }
    }

    fn open_existing(&self) -> Result<(Open, State), Trouble> {
        let file = match options().open(&self.path) {
            // One that can at least be read is left where it is.
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied
                    && files::open(&self.path).is_err() =>
            {
                return Err(unreadable(&error));
            }
            opened => opened?,
        };
        let start = start_of(&file).map_err(|error| unreadable(&error))?;
        if import::is_state_file(&start) {
            let state = self.import(&self.path).map_err(Trouble::Unusable)?;
            return self.create(state, Some(&self.path));
        }
        if !start.starts_with(MAGIC) {
            return Err(Trouble::Unusable("not a state of this program".to_owned()));
        }
        let metadata = make_private(&file)?;
        let (redb, state) = self.read(FileBackend::new(file).map_err(redb::Error::from)?)?;
        let reports = state.accounts.iter().filter_map(|(id, saved)| {
            let report = saved.report.as_ref()?;
            Some((*id, Arc::downgrade(report)))
        });
        let open = Open {
            redb,
            reports: reports.collect(),
            metadata,
        };
        Ok((open, state))
    }

    /// Reads a JSON state file of version 0.1.
    fn import(&self, path: &Path) -> Result<State, String> {
        let content = files::read_at_most(path, MAX_READ).map_err(|error| error.to_string())?;
        import::read(&content, &self.clock, &self.limits)
    }

    /// The state in the JSON file of version 0.1 that has this path's name, with `.json`.
    fn beside(&self) -> Option<(PathBuf, State)> {
        let old = self.path.with_extension("json");
        if !fs::metadata(&old).ok()?.is_file() {
            return None;
        }
        match self.import(&old) {
            Ok(state) => Some((old, state)),
            Err(reason) => {
                warn!(path = %old.display(), %reason, "the state file of version 0.1 cannot be imported");
                None
            }
        }
    }

    /// Creates a file with `state`, under a temporary name until it is complete. `imported` is the
    /// JSON file that `state` was read from.
    fn create(&self, state: State, imported: Option<&Path>) -> Result<(Open, State), Trouble> {
        let temporary = with_suffix(&self.path, ".tmp");
        // A symbolic link at that name is removed, never followed.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Trouble::Disk(error)),
            _ => {}
        }
        let file = options().create_new(true).open(&temporary)?;
        let made = self.fill(file, &state).and_then(|open| {
            if let Some(old) = imported {
                let aside = with_suffix(old, ".imported");
                fs::rename(old, &aside)?;
                let accounts = state.accounts.len();
                info!(path = %aside.display(), accounts, "state file of version 0.1 imported");
            }
            fs::rename(&temporary, &self.path)?;
            sync_folder(&self.path)?;
            Ok(open)
        });
        if made.is_err() {
            // It would take up space on a disk that may be full.
            let _ = fs::remove_file(&temporary);
        }
        let open = made?;
        // Another process that creates its file at the same time may have replaced this one.
        if open.is_at(&self.path) {
            Ok((open, state))
        } else {
            Err(Trouble::InUse)
        }
    }

    fn fill(&self, file: File, state: &State) -> Result<Open, Trouble> {
        let metadata = make_private(&file)?;
        let backend = FileBackend::new(file).map_err(redb::Error::from)?;
        let redb = builder().create_with_backend(backend);
        let mut open = Open {
            redb: redb.map_err(redb::Error::from)?,
            reports: HashMap::new(),
            metadata,
        };
        let accounts = state.accounts.iter();
        let accounts = accounts.map(|(id, saved)| (*id, Some(saved.clone())));
        let everything = Changes {
            accounts: accounts.collect(),
            meta: Some(state.meta.clone()),
        };
        open.write(&everything, &self.clock)?;
        Ok(open)
    }

    fn read(&self, backend: impl StorageBackend) -> Result<(redb::Database, State), Trouble> {
        // Its check finds altered content; other damage may make redb panic.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let redb = builder().create_with_backend(backend)?;
            let state = read_state(&redb, &self.clock)?;
            Ok::<_, redb::Error>((redb, state))
        }));
        read.map_err(|_| Trouble::Unusable("redb cannot read it".to_owned()))?
            .map_err(Trouble::from)
    }

    /// Reads the state of a file that cannot be opened for writing.
    fn read_only(&self) -> Option<State> {
        match fs::metadata(&self.path) {
            Ok(place) if place.is_file() => {}
            Ok(_) => return None,
            Err(_) => return Some(self.beside()?.1),
        }
        let start = start_of(&files::open(&self.path).ok()?).ok()?;
        if import::is_state_file(&start) {
            return self.import(&self.path).ok();
        }
        if !start.starts_with(MAGIC) {
            return None;
        }
        let content = files::read_at_most(&self.path, MAX_READ).ok()?;
        // In a copy, because redb repairs what a crash left, and must not do so in the file.
        let copy = InMemoryBackend::new();
        copy.set_len(content.len() as u64).ok()?;
        copy.write(0, &content).ok()?;
        Some(self.read(copy).ok()?.1)
    }

    fn move_aside(&self, reason: &str) -> io::Result<()> {
        let aside = with_suffix(&self.path, ".unusable");
        fs::rename(&self.path, &aside).map_err(|error| {
            io::Error::other(format!("{reason}, and it cannot be set aside: {error}"))
        })?;
        error!(
            path = %self.path.display(), aside = %aside.display(), reason,
            "the state file cannot be used and was set aside; starting without a saved state"
        );
        Ok(())
    }
}

impl Disk for Database {
    fn path(&self) -> &Path {
        &self.path
    }

    fn commit(&mut self, changes: &Changes) -> io::Result<()> {
        // Put back only after success: after an error, redb must be reopened.
        let same = self.open.take().filter(|open| open.is_at(&self.path));
        let mut open = match same {
            Some(open) => open,
            None => self.open_file()?.0,
        };
        open.write(changes, &self.clock).map_err(Trouble::from)?;
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    /// Whether the file is still the one at `path`.
    fn is_at(&self, path: &Path) -> bool {
        #[cfg(unix)]
        let identity = |file: &Metadata| {
            use std::os::unix::fs::MetadataExt;
            (file.dev(), file.ino())
        };
        // Elsewhere the standard library cannot compare files, and all count as the same.
        #[cfg(not(unix))]
        let identity = |_: &Metadata| 0;
        fs::metadata(path).is_ok_and(|place| identity(&place) == identity(&self.metadata))
    }

    fn write(&mut self, changes: &Changes, clock: &Clock) -> Result<(), redb::Error> {
        let written = Stamp::now(clock);
        let transaction = self.redb.begin_write()?;
        {
            let mut accounts = transaction.open_table(ACCOUNTS)?;
            let mut reports = transaction.open_table(REPORTS)?;
            let mut meta = transaction.open_table(META)?;
            for (id, saved) in &changes.accounts {
                let key = id.to_string();
                if let Some(value) = saved {
                    let value = encode(&Stored { written, value })?;
                    accounts.insert(key.as_str(), value.as_slice())?;
                } else {
                    accounts.remove(key.as_str())?;
                }
                let report = saved.as_ref().and_then(|saved| saved.report.as_ref());
                let held = self.reports.get(id).map(Weak::as_ptr);
                if held == report.map(Arc::as_ptr) {
                    continue;
                }
                if let Some(report) = report {
                    reports.insert(key.as_str(), encode(report)?.as_slice())?;
                    self.reports.insert(*id, Arc::downgrade(report));
                } else {
                    reports.remove(key.as_str())?;
                    self.reports.remove(id);
                }
            }
            meta.insert("version", encode(&VERSION)?.as_slice())?;
            if let Some(value) = &changes.meta {
                let value = encode(&Stored { written, value })?;
                meta.insert("meta", value.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

fn read_state(redb: &redb::Database, clock: &Clock) -> Result<State, redb::Error> {
    let transaction = redb.begin_read()?;
    let meta = transaction.open_table(META)?;
    let version = meta
        .get("version")?
        .ok_or_else(|| corrupted("no version"))?;
    let version: u32 = decode(version.value())?;
    if version > VERSION {
        return Err(corrupted(format!(
            "written by a newer version of this program (state version {version}, this one reads \
             up to {VERSION})"
        )));
    }
    let mut state = State::default();
    if let Some(stored) = meta.get("meta")? {
        let Stored { written, value } = decode(stored.value())?;
        state.meta = value;
        state.meta.shift(written.shift(clock));
    }
    for row in transaction.open_table(ACCOUNTS)?.iter()? {
        let (key, stored) = row?;
        let Stored { written, mut value } = decode::<Stored<SavedAccount>>(stored.value())?;
        value.shift(written.shift(clock));
        state.accounts.insert(id_of(key.value())?, value);
    }
    for row in transaction.open_table(REPORTS)?.iter()? {
        let (key, stored) = row?;
        if let Some(saved) = state.accounts.get_mut(&id_of(key.value())?) {
            saved.report = Some(Arc::new(decode(stored.value())?));
        }
    }
    Ok(state)
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|error| redb::Error::Io(error.into()))
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(value).map_err(corrupted)
}

fn id_of(key: &str) -> Result<AccountId, redb::Error> {
    key.parse::<AccountId>().map_err(corrupted)
}

fn corrupted(what: impl Display) -> redb::Error {
    redb::Error::Corrupted(what.to_string())
}

fn builder() -> redb::Builder {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(CACHE_SIZE);
    builder.set_check_integrity_on_open(true);
    builder
}

/// Options for reading and writing; a created file is accessible by its owner alone.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    files::never_wait(&mut options);
    options
}

/// Makes the file accessible by its owner alone.
fn make_private(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(PermissionsExt::from_mode(0o600))?;
        }
    }
    Ok(metadata)
}

fn start_of(file: &File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(64).read_to_end(&mut start)?;
    Ok(start)
}

fn unreadable(error: &io::Error) -> Trouble {
    Trouble::Unusable(format!("cannot be read: {error}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

/// Makes a new name durable, by syncing its folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl From<redb::Error> for Trouble {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse,
            // The file ends before its content does.
            redb::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Unusable(error.to_string())
            }
            redb::Error::Io(error) => Self::Disk(error),
            // It may quote the content, which can hold anything, also a line break.
            error => Self::Unusable(error.to_string().escape_debug().to_string()),
        }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Disk(error) => error,
            trouble => Self::other(trouble),
        }
    }
}
