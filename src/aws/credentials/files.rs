//! The shared AWS files, `~/.aws/config` and `~/.aws/credentials`: read anew each time, and written
//! out again in the form that the SDK's parser takes.
//!
//! The AWS CLI reads more than that parser: indented keys, text after a section's `]`, `:` in place
//! of `=`, profile names in quotes. What the CLI reads is read here; what it does not is an error
//! that names the file and the line, and never what stands there, for that may be a secret.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

use super::Variables;

/// Both shared files, as they are now.
#[derive(Clone, Debug)]
pub(in crate::aws) struct SharedFiles([SharedFile; 2]);

#[derive(Clone, Debug)]
struct SharedFile {
    kind: EnvConfigFileKind,
    path: PathBuf,
    sections: Vec<Section>,
}

/// One `[…]` with its keys, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    /// The text between the brackets.
    header: String,
    /// Keys in lower case, with their values; the further lines of a value follow its first.
    keys: Vec<(String, String)>,
}

/// Why a shared file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::aws) enum FileError {
    /// The system refuses it.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that no AWS tool reads.
    #[error("{path}, line {line}: {problem}", path = .path.display())]
    Malformed {
        /// Its path.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it, and what to write.
        problem: &'static str,
    },
}

/// When a file was last written, as far as the system says. Two that are equal are of the same
/// content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::aws) struct Stamp([Option<(SystemTime, u64, u64)>; 2]);

/// Where the shared files are.
///
/// Source: AWS SDKs and Tools Reference Guide, "Location of the shared config and credentials
/// files".
#[derive(Clone, Debug)]
pub(in crate::aws) struct Paths([(EnvConfigFileKind, PathBuf); 2]);

impl Paths {
    pub fn new(variables: &Variables) -> Self {
        let path =
            |variable, default| variables.expanded(variables.get(variable).unwrap_or(default));
        Self([
            (
                EnvConfigFileKind::Config,
                path("AWS_CONFIG_FILE", "~/.aws/config"),
            ),
            (
                EnvConfigFileKind::Credentials,
                path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
            ),
        ])
    }

    /// When the files were last written. A few microseconds: nothing is opened.
    pub fn stamp(&self) -> Stamp {
        Stamp(self.0.each_ref().map(|(_, path)| {
            let metadata = std::fs::metadata(path).ok()?;
            #[cfg(unix)]
            let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
            #[cfg(not(unix))]
            let inode = 0;
            Some((metadata.modified().ok()?, metadata.len(), inode))
        }))
    }

    /// Reads both files; one that is not there is empty.
    pub fn read(&self) -> Result<SharedFiles, FileError> {
        let read = |(kind, path): &(EnvConfigFileKind, PathBuf)| {
            let path = path.clone();
            let text = match read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                Err(source) => return Err(FileError::Unreadable { path, source }),
            };
            match sections(&text) {
                Ok(sections) => Ok(SharedFile {
                    kind: *kind,
                    path,
                    sections,
                }),
                Err((line, problem)) => Err(FileError::Malformed {
                    path,
                    line,
                    problem,
                }),
            }
        };
        let [config, credentials] = &self.0;
        Ok(SharedFiles([read(config)?, read(credentials)?]))
    }
}

/// Reads a file as text.
fn read(path: &Path) -> io::Result<String> {
    let bytes = exporter_toolkit::files::read(path)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
}

impl SharedFiles {
    /// The value of a key of a profile, and the file it stands in.
    pub fn get(&self, profile: &str, key: &str) -> Option<(&str, &Path)> {
        // The credentials file comes later, and so wins; and what comes later in a file.
        self.0.iter().rev().find_map(|file| {
            let keys = file.profile(profile).flat_map(|section| &section.keys);
            let (_, value) = keys.filter(|(name, _)| name == key).last()?;
            Some((without_comment(value), file.path.as_path()))
        })
    }

    /// Whether either file has this profile.
    pub fn has(&self, profile: &str) -> bool {
        self.0
            .iter()
            .any(|file| file.profile(profile).next().is_some())
    }

    /// Says that neither file has this profile, and what may have been meant.
    pub fn missing(&self, profile: &str) -> String {
        let [config, credentials] = &self.0;
        let (config_path, credentials_path) = (config.path.display(), credentials.path.display());
        let mut text =
            format!("profile '{profile}' is in neither {config_path} nor {credentials_path}");
        if config.sections.iter().any(|it| it.header == profile) {
            let _ = write!(
                text,
                "; in {config_path}, write [{profile}] as [profile {profile}]"
            );
        }
        text
    }

    /// The files as the SDK takes them. `before_process` goes before each `credential_process`.
    pub fn for_sdk(&self, before_process: &str) -> EnvConfigFiles {
        let mut files = EnvConfigFiles::builder();
        for file in &self.0 {
            files = files.with_contents(file.kind, file.for_sdk(before_process));
        }
        files.build()
    }
}

/// Two files with nothing in them, as the SDK takes them.
pub(super) fn nothing_for_sdk() -> EnvConfigFiles {
    let kinds = [EnvConfigFileKind::Config, EnvConfigFileKind::Credentials];
    let files = kinds
        .into_iter()
        .fold(EnvConfigFiles::builder(), |files, kind| {
            files.with_contents(kind, "")
        });
    files.build()
}

impl SharedFile {
    /// The sections of a profile: of several, the keys are put together.
    fn profile<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Section> {
        let is_it = move |section: &&Section| self.profile_name(section).as_deref() == Some(name);
        self.sections.iter().filter(is_it)
    }

    /// The name of the profile that a section is, if it is one.
    fn profile_name(&self, section: &Section) -> Option<String> {
        let header = section.header.trim();
        if matches!(self.kind, EnvConfigFileKind::Credentials) {
            return Some(header.to_owned());
        }
        match header.split_once([' ', '\t']) {
            None => (header == "default").then(|| header.to_owned()),
            Some(("profile", name)) => Some(without_quotes(name.trim()).to_owned()),
            Some(_) => None,
        }
    }

    fn for_sdk(&self, before_process: &str) -> String {
        let mut text = String::new();
        for section in &self.sections {
            let is_config = matches!(self.kind, EnvConfigFileKind::Config);
            let header = match self.profile_name(section) {
                Some(name) if is_config && section.header.trim() != "default" => {
                    format!("profile {}", sdk_name(&name))
                }
                Some(name) => sdk_name(&name),
                None => section.header.clone(),
            };
            let _ = writeln!(text, "[{header}]");
            for (key, value) in &section.keys {
                let value = value.replace('\n', "\n  ");
                let _ = match key.as_str() {
                    "source_profile" => writeln!(text, "{key} = {}", sdk_name(&value)),
                    "credential_process" => writeln!(text, "{key} = {before_process}{value}"),
                    _ => writeln!(text, "{key} = {value}"),
                };
            }
        }
        text
    }
}

/// A profile's name as the SDK knows it: it takes letters, digits and a few signs, and leaves out
/// a profile of any other name.
pub(super) fn sdk_name(name: &str) -> String {
    let mut known = String::new();
    for char in name.chars() {
        if char.is_ascii_alphanumeric() || "_-/.%@:+".contains(char) {
            known.push(char);
        } else {
            let _ = write!(known, "%{:X}", u32::from(char));
        }
    }
    known
}

fn without_quotes(name: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| name.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(name)
}

/// A value without a comment behind it, as the SDK cuts it off.
fn without_comment(value: &str) -> &str {
    let comment = [" #", " ;", "\t#", "\t;"].iter();
    let end = comment.filter_map(|start| value.find(start)).min();
    value[..end.unwrap_or(value.len())].trim()
}

const NO_VALUE: &str = "there is no = between a key and its value; write KEY = VALUE";

/// The sections of a file, by the rules of the AWS CLI; or a line and what is wrong with it.
///
/// Source: Python's `configparser`, which the AWS CLI reads these files with.
fn sections(text: &str) -> Result<Vec<Section>, (usize, &'static str)> {
    let mut sections: Vec<Section> = Vec::new();
    // How far the line before that was no continuation is indented.
    let mut indent = 0;
    for (line, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (line, content) = (line + 1, text.trim());
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let this_indent = text.len() - text.trim_start().len();
        let last = sections
            .last_mut()
            .and_then(|section| section.keys.last_mut());
        if let Some((_, value)) = last.filter(|_| this_indent > indent) {
            let is_nested = value.is_empty() || value.starts_with('\n');
            if is_nested && !content.contains('=') {
                return Err((line, NO_VALUE));
            }
            value.push('\n');
            value.push_str(content);
            continue;
        }
        indent = this_indent;
        if let Some(header) = content.strip_prefix('[') {
            let end = header.rfind(']').filter(|end| *end > 0);
            let end = end.ok_or((line, "a section has no closing ]; write [profile NAME]"))?;
            sections.push(Section {
                header: header[..end].trim().to_owned(),
                keys: Vec::new(),
            });
            continue;
        }
        let section = sections.last_mut().ok_or((
            line,
            "there is a line before the first section; write [default] or [profile NAME] above it",
        ))?;
        let (key, value) = content.split_once(['=', ':']).ok_or((line, NO_VALUE))?;
        if key.trim().is_empty() {
            return Err((line, "there is no key before the =; write KEY = VALUE"));
        }
        let key = key.trim().to_ascii_lowercase();
        section.keys.push((key, value.trim().to_owned()));
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: EnvConfigFileKind, text: &str) -> SharedFile {
        SharedFile {
            kind,
            path: "the-file".into(),
            sections: sections(text).unwrap(),
        }
    }

    fn shared(config: &str, credentials: &str) -> SharedFiles {
        SharedFiles([
            file(EnvConfigFileKind::Config, config),
            file(EnvConfigFileKind::Credentials, credentials),
        ])
    }

    fn regions(config: &str, profile: &str) -> Option<String> {
        let files = shared(config, "");
        Some(files.get(profile, "region")?.0.to_owned())
    }

    #[test]
    fn what_the_cli_reads_is_read() {
        for config in [
            "[profile a]\nregion = eu-west-1",
            "\u{feff}[profile a]\r\nregion=eu-west-1\r\n",
            "[profile a] # mine\n  region = eu-west-1\n  output = json",
            "[profile a]x\n\tREGION : eu-west-1 # here\n",
            "  [profile \"a\"]\n  region = eu-west-1",
            "# before\n[profile   'a']\n; between\n\nregion = eu-west-1\ns3 =\n  max = 1",
        ] {
            assert_eq!(
                regions(config, "a").as_deref(),
                Some("eu-west-1"),
                "{config}"
            );
        }
        assert_eq!(regions("[default]\nregion = x", "default").unwrap(), "x");
        assert_eq!(regions("[a]\nregion = x", "a"), None);
        assert_eq!(regions("[sso-session a]\nregion = x", "a"), None);
    }

    #[test]
    fn a_line_that_nobody_reads_is_named_and_not_shown() {
        let secret = "wJalrXUtnFEMI";
        for (text, line) in [
            (format!("{secret}\n[default]"), 1),
            (format!("[default]\n{secret}\n"), 2),
            (format!("\n# x\n[default {secret}"), 3),
            (format!("[default]\n = {secret}"), 2),
            ("[]\n".to_owned(), 1),
            (format!("[default]\ns3 =\n  {secret}"), 3),
        ] {
            let (found, problem) = sections(&text).unwrap_err();
            assert_eq!(found, line, "{text}");
            assert!(!problem.contains(secret), "{problem}");
        }
    }

    #[test]
    fn the_sdk_gets_flat_sections_and_names_that_it_takes() {
        let config = "[profile \"A B\"]\n  role_arn = x\n  source_profile = C D\n\
                      [default] x\n credential_process = run 'a b'\n s3 =\n    max = 1";
        let files = shared(config, "[C D]\naws_access_key_id: AKIA\n");
        assert_eq!(
            files.0[0].for_sdk("export M=1; "),
            "[profile A%20B]\nrole_arn = x\nsource_profile = C%20D\n\
             [default]\ncredential_process = export M=1; run 'a b'\ns3 = \n  max = 1\n"
        );
        assert_eq!(
            files.0[1].for_sdk(""),
            "[C%20D]\naws_access_key_id = AKIA\n"
        );
        assert!(files.has("A B") && files.has("C D") && !files.has("A"));
    }

    #[test]
    fn a_profile_that_is_missing_is_named_with_both_files() {
        let text = shared("[nope]\n", "").missing("nope");
        assert_eq!(
            text,
            "profile 'nope' is in neither the-file nor the-file; in the-file, write [nope] as \
             [profile nope]"
        );
    }
}
