//! Reading the merged settings table by table: each value goes through one parser, each error is
//! noted at the value's own place, and reading goes on, so that all errors come out at once.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Tag, Value};
use figment::{Figment, Profile};

use super::error::ConfigError;
use super::sources::dotted;

/// The merged settings and what was found wrong with them so far.
pub(super) struct Merged {
    figment: Figment,
    root: Dict,
    errors: RefCell<Vec<ConfigError>>,
}

impl Merged {
    pub fn new(figment: Figment, errors: Vec<ConfigError>) -> Self {
        use figment::Provider as _;
        // The layers are in memory and cannot fail.
        let root = figment
            .data()
            .ok()
            .and_then(|mut profiles| profiles.remove(&Profile::Default))
            .unwrap_or_default();
        Self {
            figment,
            root,
            errors: RefCell::new(errors),
        }
    }

    /// One `[section]`.
    pub fn section<'a>(&'a self, name: &'a str) -> Table<'a> {
        Table {
            merged: self,
            path: vec![name.to_owned()],
            tag: self.root.get(name).map(Value::tag),
            dict: self.root.get(name).and_then(Value::as_dict),
        }
    }

    /// The entries of a `[[list]]` of tables.
    pub fn entries<'a>(&'a self, name: &'a str) -> Vec<Table<'a>> {
        let entries = self.root.get(name).and_then(Value::as_array).unwrap_or(&[]);
        (entries.iter().enumerate())
            .map(|(index, entry)| Table {
                merged: self,
                path: vec![name.to_owned(), format!("[{index}]")],
                tag: Some(entry.tag()),
                dict: entry.as_dict(),
            })
            .collect()
    }

    /// Notes an error that belongs to no value of the settings.
    pub fn fail(&self, place: &str, problem: impl Into<String>) {
        self.errors
            .borrow_mut()
            .push(ConfigError::new(place, problem));
    }

    /// How many errors there are so far.
    pub fn error_count(&self) -> usize {
        self.errors.borrow().len()
    }

    pub fn into_errors(self) -> Vec<ConfigError> {
        self.errors.into_inner()
    }
}

/// One table: a section, or an entry of a list.
pub(super) struct Table<'a> {
    merged: &'a Merged,
    path: Vec<String>,
    tag: Option<Tag>,
    dict: Option<&'a Dict>,
}

impl<'a> Table<'a> {
    /// Whether this is a table at all.
    pub fn is_table(&self) -> bool {
        self.dict.is_some()
    }

    /// The value of a key as its source gave it.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.dict?.get(key)
    }

    /// The value of a key, or the default when it is not set (or wrong, which is noted).
    pub fn read<T>(
        &self,
        key: &str,
        default: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        self.read_optional(key, parse).unwrap_or(default)
    }

    /// The value of a key that has no default.
    pub fn read_optional<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.get(key)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fail(key, problem);
                None
            }
        }
    }

    /// The values of a list; one value alone is a list of one.
    pub fn read_each<T>(
        &self,
        key: &str,
        default: Vec<T>,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Vec<T> {
        match self.get(key) {
            None => default,
            Some(Value::Array(_, values)) => (values.iter().enumerate())
                .filter_map(|(index, value)| match parse(value) {
                    Ok(value) => Some(value),
                    Err(problem) => {
                        self.fail_at(key, index, problem);
                        None
                    }
                })
                .collect(),
            Some(value) => match parse(value) {
                Ok(value) => vec![value],
                Err(problem) => {
                    self.fail(key, problem);
                    default
                }
            },
        }
    }

    /// A path; one that stands in the file is relative to the file's folder.
    pub fn read_path(
        &self,
        key: &str,
        parse: impl FnOnce(&Value) -> Result<PathBuf, String>,
    ) -> Option<PathBuf> {
        let path = self.read_optional(key, parse)?;
        let folder = self
            .get(key)
            .and_then(|value| self.merged.figment.get_metadata(value.tag()))
            .and_then(|metadata| metadata.source.as_ref()?.file_path()?.parent());
        Some(folder.map_or_else(|| path.clone(), |folder: &Path| folder.join(&path)))
    }

    /// Notes an error at the place of a key's value.
    pub fn fail(&self, key: &str, problem: impl Into<String>) {
        self.merged.fail(&self.place(&[key]), problem);
    }

    /// Notes an error at an element of a list.
    pub fn fail_at(&self, key: &str, index: usize, problem: impl Into<String>) {
        match self.get(key) {
            Some(Value::Array(..)) => {
                let place = self.place(&[key, &format!("[{index}]")]);
                self.merged.fail(&place, problem);
            }
            _ => self.fail(key, problem),
        }
    }

    /// Notes an error at a key of a table within this one.
    pub fn fail_below(&self, table: &str, key: &str, problem: impl Into<String>) {
        self.merged.fail(&self.place(&[table, key]), problem);
    }

    /// Where a key's value stands, in the words of its source; of a key that is not set, in the
    /// words of the source of its table.
    pub fn place(&self, steps: &[&str]) -> String {
        let tag = (steps.first())
            .and_then(|key| self.get(key))
            .map(Value::tag)
            .or(self.tag);
        let path: Vec<&str> = (self.path.iter().map(String::as_str))
            .chain(steps.iter().copied())
            .collect();
        tag.and_then(|tag| self.merged.figment.get_metadata(tag))
            .map_or_else(
                || dotted(&path),
                |metadata| metadata.interpolate(&Profile::Default, &path),
            )
    }
}
