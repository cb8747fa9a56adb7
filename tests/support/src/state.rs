//! State files as JSON: what a daemon left on disk, and files that a test makes.
//!
//! A daemon may have the file open, so only copies are opened, and only [`write()`] changes a file.

use std::fs;
use std::path::Path;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde_json::{Map, Value};

use crate::simulated::id;
use crate::{PATIENCE, eventually};

const TABLES: [&str; 3] = ["accounts", "reports", "meta"];

fn table(name: &str) -> TableDefinition<'_, &'static str, &'static [u8]> {
    TableDefinition::new(name)
}

/// The tables of the file at `path`, each with its rows by their keys.
///
/// # Errors
///
/// It is not there, or it is not a whole state file.
pub fn read(path: &Path) -> Result<Value, String> {
    parse(&fs::read(path).map_err(|error| error.to_string())?)
}

/// As [`read`], of a file's content.
///
/// # Errors
///
/// It is not a whole state file.
pub fn parse(content: &[u8]) -> Result<Value, String> {
    if content.is_empty() {
        return Err("it is empty".to_owned());
    }
    rows(content).map_err(|error| error.to_string())
}

fn rows(content: &[u8]) -> Result<Value, redb::Error> {
    let copy = InMemoryBackend::new();
    copy.set_len(content.len() as u64)?;
    copy.write(0, content)?;
    let redb = Database::builder().create_with_backend(copy)?;
    let transaction = redb.begin_read()?;
    let mut tables = Map::new();
    for name in TABLES {
        let mut rows = Map::new();
        for row in transaction.open_table(table(name))?.iter()? {
            let (key, value) = row?;
            let value = serde_json::from_slice(value.value())
                .map_err(|error| redb::Error::Corrupted(error.to_string()))?;
            rows.insert(key.value().to_owned(), value);
        }
        tables.insert(name.to_owned(), Value::Object(rows));
    }
    Ok(Value::Object(tables))
}

/// Makes a state file of such tables.
pub fn write(path: &Path, state: &Value) {
    let redb = Database::create(path).expect("the folder is the test's");
    let transaction = redb.begin_write().unwrap();
    for name in TABLES {
        let mut table = transaction.open_table(table(name)).unwrap();
        for (key, value) in state[name].as_object().expect("a table") {
            let value = value.to_string().into_bytes();
            table.insert(key.as_str(), value.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Waits until the file can be read and `check` accepts it.
pub fn read_until(path: &Path, mut check: impl FnMut(&Value) -> Result<(), String>) -> Value {
    eventually(PATIENCE, || {
        let state = read(path)?;
        check(&state).map(|()| state)
    })
}

/// Waits until the file has exactly these accounts.
pub fn knowing(path: &Path, accounts: &[u64]) -> Value {
    let wanted: Vec<_> = accounts.iter().map(|n| id(*n).to_string()).collect();
    read_until(path, |state| {
        let rows = state["accounts"].as_object().expect("a table");
        let known: Vec<_> = rows.keys().cloned().collect();
        (known == wanted)
            .then_some(())
            .ok_or_else(|| format!("it has {known:?}"))
    })
}
