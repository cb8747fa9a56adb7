//! Reads the merged settings table by table. Each value goes through one parser; an error is
//! recorded with the place of its value, and reading goes on, so that all errors are reported at once.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Tag, Value};
use figment::{Figment, Profile, Provider as _};

use super::error::ConfigError;
use super::sources::dotted;
use super::values::{self, Parsed};

/// The merged settings, and the errors found so far.
pub(super) struct Merged {
    figment: Figment,
    root: Dict,
    errors: RefCell<Vec<ConfigError>>,
}

impl Merged {
    pub fn new(figment: Figment, errors: Vec<ConfigError>) -> Self {
        // The layers are in memory, so that this cannot fail.
        let mut profiles = figment.data().unwrap_or_default();
        Self {
            root: profiles.remove(&Profile::Default).unwrap_or_default(),
            figment,
            errors: RefCell::new(errors),
        }
    }

    /// One `[section]`.
    pub fn section(&self, name: &str) -> Table<'_> {
        Table {
            merged: self,
            path: vec![name.to_owned()],
            tag: self.root.get(name).map(Value::tag),
            dict: self.root.get(name).and_then(Value::as_dict),
        }
    }

    /// The entries of a `[[list]]` of tables.
    pub fn entries(&self, name: &str) -> Vec<Table<'_>> {
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

    /// Adds an error that belongs to no value of the settings.
    pub fn fail(&self, place: &str, problem: impl Into<String>) {
        let error = ConfigError::new(place, problem);
        self.errors.borrow_mut().push(error);
    }

    pub fn error_count(&self) -> usize {
        self.errors.borrow().len()
    }

    pub fn into_errors(self) -> Vec<ConfigError> {
        self.errors.into_inner()
    }
}

/// One table: a section, or an entry of a list.
pub(super) struct Table<'a> {
    pub merged: &'a Merged,
    path: Vec<String>,
    tag: Option<Tag>,
    dict: Option<&'a Dict>,
}

impl<'a> Table<'a> {
    /// Whether this is a table at all.
    pub fn is_table(&self) -> bool {
        self.dict.is_some()
    }

    /// The value of a key as its source has it.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.dict?.get(key)
    }

    /// The value of a key; `None` where it is not set, or wrong.
    pub fn read<T>(&self, key: &str, parse: impl FnOnce(&Value) -> Parsed<T>) -> Option<T> {
        parse(self.get(key)?)
            .map_err(|problem| self.fail(key, problem))
            .ok()
    }

    /// Replaces a default by the value of a key.
    pub fn set<T>(&self, key: &str, to: &mut T, parse: impl FnOnce(&Value) -> Parsed<T>) {
        if let Some(value) = self.read(key, parse) {
            *to = value;
        }
    }

    /// Replaces a default by the values of a list. One value alone is a list of one.
    pub fn set_each<T>(&self, key: &str, to: &mut Vec<T>, parse: impl Fn(&Value) -> Parsed<T>) {
        let Some(Value::Array(_, values)) = self.get(key) else {
            return self.set(key, to, |value| Ok(vec![parse(value)?]));
        };
        let parsed = values.iter().enumerate().filter_map(|(index, value)| {
            parse(value)
                .map_err(|problem| self.fail_at(key, index, problem))
                .ok()
        });
        *to = parsed.collect();
    }

    /// The path of a key. One in the file is relative to the file's folder.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let path = self.read(key, values::text)?;
        let metadata = self.merged.figment.get_metadata(self.get(key)?.tag());
        let folder = metadata.and_then(|it| it.source.as_ref()?.file_path()?.parent());
        Some(folder.unwrap_or(Path::new("")).join(path))
    }

    /// Adds an error at the value of a key.
    pub fn fail(&self, key: &str, problem: impl Into<String>) {
        self.fail_below(&[key], problem);
    }

    /// Adds an error at an element of a list.
    pub fn fail_at(&self, key: &str, index: usize, problem: impl Into<String>) {
        match self.get(key) {
            Some(Value::Array(..)) => self.fail_below(&[key, &format!("[{index}]")], problem),
            _ => self.fail(key, problem),
        }
    }

    /// Adds an error at a value within this table.
    pub fn fail_below(&self, steps: &[&str], problem: impl Into<String>) {
        self.merged.fail(&self.place(steps), problem);
    }

    /// The place of a value in the terms of its source; that of a key that is not set, in the terms
    /// of its table's source.
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
