//! What survives a restart: a file with the evidence of each account.
//!
//! Written whole to a temporary file beside it, flushed to disk and moved into its place, mode
//! 0600, so that there is always one whole file. It holds evidence only: no credentials, no
//! session tokens, no external ids.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{KnownOrganization, Left, ReportView, RootKeys};
use crate::account::AccountId;
use crate::clock::{Clock, Moment, Timestamp};
use crate::evidence::Source;
use crate::posture::Record;

/// Tells our files from others.
const FORMAT: &str = "aws-root-exporter state";

/// The version this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// What is kept of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAccount {
    /// The evidence.
    pub record: Record,
    /// The credential report in use.
    pub report: Option<Arc<ReportView>>,
    /// The keys that a root session listed last.
    #[serde(default)]
    pub root_keys: Option<Arc<RootKeys>>,
    /// When the next report is due.
    pub report_due: Option<Moment>,
    /// When each source last worked, by the local clock.
    pub last_success: BTreeMap<Source, Timestamp>,
}

/// The whole state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The caller's own account, where that is what is watched.
    pub caller: Option<AccountId>,
    /// The organization, as its last complete list had it.
    #[serde(default)]
    pub organization: Option<Arc<KnownOrganization>>,
    /// Accounts that left in the last 24 hours.
    #[serde(default)]
    pub left: BTreeMap<AccountId, Left>,
    /// The accounts.
    pub accounts: BTreeMap<AccountId, SavedAccount>,
}

#[derive(Serialize, Deserialize)]
struct Document<S> {
    format: String,
    version: u32,
    /// The local clock and the process's monotonic clock at the time of writing: what ties the
    /// moments in the file to the calendar.
    saved_at: Timestamp,
    saved_moment: Moment,
    state: S,
}

/// The part of a document that every version has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// Why a state file is not used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// What is in its place is no file, or cannot be reached.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read from disk, is torn, of another program, or of a newer version.
    #[error("{}: {what}; {}", path.display(), whereabouts(aside.as_deref()))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// Where it is now; `None` where it could not be moved.
        aside: Option<PathBuf>,
    },
}

fn whereabouts(aside: Option<&Path>) -> String {
    match aside {
        Some(aside) => format!("it was set aside as {}", aside.display()),
        None => "it could not be set aside and stays until the state can be saved".to_owned(),
    }
}

/// Reads the state file, and moves its times to this process's clock. A file that is not there is
/// an empty state.
///
/// # Errors
///
/// [`LoadError`]; the start can go on without it.
pub fn load(path: &Path, clock: &Clock) -> Result<State, LoadError> {
    match only_a_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(source) => {
            return Err(LoadError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
    }
    // A file that cannot be read is moved as well: the next save would replace it.
    let content = fs::read(path).map_err(|error| format!("cannot be read ({error})"));
    content
        .and_then(|content| decode(&content, clock))
        .map_err(|what| LoadError::Unusable {
            path: path.to_owned(),
            what,
            aside: set_aside(path),
        })
}

/// Whether a file is in that place. A device or a pipe may have no end, and it is not ours to move
/// or to replace: `/dev/null` belongs to everybody.
fn only_a_file(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "what is in its place is no file",
    ))
}

/// What [`load`] makes of a file's content, with its times moved to this process's clock.
///
/// # Errors
///
/// What is wrong with it: it is torn, of another program, or of a newer version.
pub fn decode(content: &[u8], clock: &Clock) -> Result<State, String> {
    Ok(rebased(read(content)?, clock))
}

fn read(content: &[u8]) -> Result<Document<State>, String> {
    // The reason may quote the content, which can hold anything, a line break too.
    let torn = |error: serde_json::Error| {
        let reason = error.to_string();
        format!("not a whole state file ({})", reason.escape_debug())
    };
    let head: Head = serde_json::from_slice(content).map_err(torn)?;
    if head.format != FORMAT {
        return Err(format!(
            "not a state file of this program ({:?})",
            head.format
        ));
    }
    if head.version > VERSION {
        return Err(format!(
            "written by a newer version of this program (state version {}, this one reads up to \
             {VERSION})",
            head.version
        ));
    }
    serde_json::from_slice(content).map_err(torn)
}

fn rebased(document: Document<State>, clock: &Clock) -> State {
    let now = clock.now();
    let elapsed = now.since(document.saved_at);
    let shift = clock
        .moment()
        .millis()
        .saturating_sub((document.saved_moment + elapsed).millis());
    let mut state = document.state;
    for account in state.accounts.values_mut() {
        account.record.rebase(shift);
        account.report_due = account.report_due.map(|due| due.shifted(shift));
    }
    for left in state.left.values_mut() {
        left.until = left.until.shifted(shift);
    }
    state
}

/// Moves a file that cannot be used out of the way, and says where to, if it could.
fn set_aside(path: &Path) -> Option<PathBuf> {
    let aside = beside(path, ".unusable");
    fs::rename(path, &aside).ok().map(|()| aside)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

/// Writes the state file.
///
/// # Errors
///
/// Any error of the file system; then the file is as it was before.
pub fn save(path: &Path, state: &State, clock: &Clock) -> io::Result<()> {
    match only_a_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let temporary = beside(path, ".tmp");
    let written = write(&temporary, state, clock).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // A temporary file that stays would fill a disk that is full already.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The rename is durable once the folder is.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write(path: &Path, state: &State, clock: &Clock) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    encode(&mut out, state, clock)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// What [`save`] puts into the file.
///
/// # Errors
///
/// Those of `out`.
pub fn encode(mut out: impl Write, state: &State, clock: &Clock) -> io::Result<()> {
    serde_json::to_writer(
        &mut out,
        &Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            saved_at: clock.now(),
            saved_moment: clock.moment(),
            state,
        },
    )?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::evidence::{Stamp, Summary};
    use crate::posture::{Awaited, Limits, Look};

    const LIMITS: Limits = Limits {
        max_staleness: Duration::from_secs(36_000),
        max_live_staleness: Duration::from_secs(1_800),
    };

    fn id() -> AccountId {
        "000000000012".parse().unwrap()
    }

    /// A state with one account that a look at `now` found to have so many keys.
    fn state(clock: &Clock, keys: u8) -> State {
        let mut record = Record::new(Awaited::default());
        record.look_arrived(
            Look {
                stamp: Stamp::live(clock.now(), clock.moment()),
                summary: Some(Summary {
                    keys: Some(keys),
                    ..Summary::default()
                }),
                listed: None,
            },
            Duration::ZERO,
        );
        record.settle(clock.moment());
        let account = SavedAccount {
            record,
            report: None,
            root_keys: None,
            report_due: Some(clock.moment() + Duration::from_secs(3600)),
            last_success: BTreeMap::from([(Source::AccountSummary, clock.now())]),
        };
        State {
            caller: None,
            organization: None,
            left: BTreeMap::new(),
            accounts: BTreeMap::from([(id(), account)]),
        }
    }

    fn start() -> (Clock, crate::clock::Hand) {
        Clock::manual(Timestamp::from_unix(1_789_132_492))
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let (clock, _hand) = start();
        let state = state(&clock, 1);
        save(&path, &state, &clock).unwrap();
        assert_eq!(load(&path, &clock).unwrap(), state);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file stays");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_empty_state() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, _hand) = start();
        let loaded = load(&folder.path().join("state.json"), &clock).unwrap();
        assert_eq!(loaded, State::default());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_file_even_where_an_older_one_was_open() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let (clock, _hand) = start();
        fs::write(beside(&path, ".tmp"), "left behind").unwrap();
        save(&path, &state(&clock, 0), &clock).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn times_go_on_by_the_wall_clock_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let (before, hand) = start();
        hand.advance(Duration::from_secs(500));
        save(&path, &state(&before, 0), &before).unwrap();

        let (after, _hand) = Clock::manual(before.now().plus(Duration::from_secs(600)));
        let loaded = load(&path, &after).unwrap();
        let account = &loaded.accounts[&id()];
        assert_eq!(account.report_due, Some(Moment::from_millis(3_000_000)));
        let zero = account.record.posture(LIMITS).keys_active.unwrap();
        assert_eq!(zero.at(Moment::from_millis(1_199_000)), Some(0));
        assert_eq!(zero.at(Moment::from_millis(1_200_000)), None);
    }

    #[test]
    fn a_file_from_the_future_ages_from_now_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let (future, _hand) = Clock::manual(Timestamp::from_unix(4_000_000_000));
        save(&path, &state(&future, 0), &future).unwrap();
        let (now, _hand) = start();
        let zero = load(&path, &now).unwrap().accounts[&id()]
            .record
            .posture(LIMITS)
            .keys_active
            .unwrap();
        assert_eq!(zero.at(Moment::from_millis(1_799_000)), Some(0));
        assert_eq!(zero.at(Moment::from_millis(1_800_000)), None);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_set_aside_and_named() {
        let (clock, _hand) = start();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        save(&path, &state(&clock, 1), &clock).unwrap();
        let whole = fs::read(&path).unwrap();
        let newer = String::from_utf8(whole.clone())
            .unwrap()
            .replace("\"version\":1", "\"version\":2");
        let table: [(&str, Vec<u8>, &str); 6] = [
            (
                "torn",
                whole[..whole.len() / 2].to_vec(),
                "not a whole state file",
            ),
            ("empty", Vec::new(), "not a whole state file"),
            ("binary", vec![0xff, 0, 1, 2], "not a whole state file"),
            (
                "foreign",
                b"{\"format\":\"x\",\"version\":1}".to_vec(),
                "not a state file of this program",
            ),
            ("list", b"[1,2]".to_vec(), "not a whole state file"),
            ("newer", newer.into_bytes(), "newer version"),
        ];
        for (name, content, expected) in table {
            fs::write(&path, &content).unwrap();
            let error = load(&path, &clock).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
            assert!(error.contains("state.json.unusable"), "{name}: {error}");
            assert!(!path.exists(), "{name}");
            assert_eq!(fs::read(beside(&path, ".unusable")).unwrap(), content);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_cannot_be_read_is_set_aside_before_a_save_can_replace_it() {
        let (clock, _hand) = start();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        // A file that not even root can read from its beginning.
        std::os::unix::fs::symlink("/proc/self/mem", &path).unwrap();
        let error = load(&path, &clock).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        assert!(error.contains("state.json.unusable"), "{error}");
        save(&path, &state(&clock, 1), &clock).unwrap();
        assert!(fs::symlink_metadata(beside(&path, ".unusable")).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_neither_read_nor_moved_nor_replaced() {
        let (clock, _hand) = start();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        for error in [
            load(&path, &clock).unwrap_err().to_string(),
            save(&path, &state(&clock, 1), &clock)
                .unwrap_err()
                .to_string(),
        ] {
            assert!(error.contains("no file"), "{error}");
        }
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_save_that_fails_leaves_the_file_as_it_was() {
        let (clock, _hand) = start();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        save(&path, &state(&clock, 1), &clock).unwrap();
        fs::create_dir(beside(&path, ".tmp")).unwrap();
        assert!(save(&path, &state(&clock, 0), &clock).is_err());
        assert_eq!(load(&path, &clock).unwrap(), state(&clock, 1));
    }
}
