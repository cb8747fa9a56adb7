//! The shared AWS files, `~/.aws/config` and `~/.aws/credentials`: read at each call, and written
//! out again in the form that the SDK's parser accepts.
//!
//! The AWS CLI reads more than that parser: indented keys, text after a section's `]`, `:` in place
//! of `=`, profile names in quotes. All of it is read here. A line that the CLI does not read is an
//! error with the file and the line number, and never its text, which may be a secret.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_runtime::env_config::file::EnvConfigFileKind::{Config, Credentials};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

use super::environment::{expanded, variable};

/// Both shared files, as they were when they were read.
#[derive(Clone, Debug)]
pub(super) struct SharedFiles {
    config: SharedFile,
    credentials: SharedFile,
}

#[derive(Clone, Debug)]
struct SharedFile {
    path: PathBuf,
    sections: Vec<Section>,
}

/// One `[…]` with its keys, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    /// The text between the brackets, as the SDK knows it.
    header: String,
    /// The name of the profile; `None` for another kind of section.
    profile: Option<String>,
    /// Keys in lower case, with their values; the further lines of a value follow its first.
    keys: Vec<(String, String)>,
}

/// When a file was last written, its length and its inode. Files with equal stamps have the same
/// content.
pub(super) type Stamp = Option<(SystemTime, u64, u64)>;

/// The stamp of a file; `None` where there is none. It takes microseconds: nothing is opened.
pub(super) fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// The paths of the shared files: config, then credentials.
///
/// Source: AWS SDKs and Tools Reference Guide, "Location of the shared config and credentials
/// files".
fn paths() -> [PathBuf; 2] {
    [
        ("AWS_CONFIG_FILE", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ]
    .map(|(name, default)| expanded(&variable(name).unwrap_or(default.to_owned())))
}

/// The stamps of both shared files.
pub(super) fn stamps() -> [Stamp; 2] {
    paths().map(|path| stamp(&path))
}

impl SharedFiles {
    /// Reads both files. One that does not exist is empty.
    ///
    /// # Errors
    ///
    /// A text with the file, the line where there is one, and the problem.
    pub fn read() -> Result<Self, String> {
        let [config, credentials] = paths();
        Ok(Self {
            config: SharedFile::read(Config, config)?,
            credentials: SharedFile::read(Credentials, credentials)?,
        })
    }

    /// The value of a profile's key, and the file that has it.
    pub fn get(&self, profile: &str, key: &str) -> Option<(&str, &Path)> {
        // The credentials file overrides the other, and a later line an earlier one.
        [&self.credentials, &self.config].iter().find_map(|file| {
            let keys = file.profile(profile).flat_map(|section| &section.keys);
            let (_, value) = keys.filter(|(name, _)| name == key).last()?;
            Some((without_comment(value), file.path.as_path()))
        })
    }

    /// Whether either file has this profile.
    pub fn has(&self, profile: &str) -> bool {
        let files = [&self.credentials, &self.config];
        files
            .iter()
            .any(|file| file.profile(profile).next().is_some())
    }

    /// Says that neither file has this profile, and what may be meant.
    pub fn missing(&self, profile: &str) -> String {
        let (config, credentials) = (self.config.path.display(), self.credentials.path.display());
        let mut text = format!("profile '{profile}' is in neither {config} nor {credentials}");
        if self.config.sections.iter().any(|it| it.header == profile) {
            let _ = write!(
                text,
                "; in {config}, write [{profile}] as [profile {profile}]"
            );
        }
        text
    }

    /// The files as the SDK accepts them. `before_process` is put before each `credential_process`.
    pub fn for_sdk(&self, before_process: &str) -> EnvConfigFiles {
        sdk_files(
            self.config.for_sdk(before_process),
            self.credentials.for_sdk(before_process),
        )
    }
}

/// The SDK's form of both files.
pub(super) fn sdk_files(config: String, credentials: String) -> EnvConfigFiles {
    EnvConfigFiles::builder()
        .with_contents(Config, config)
        .with_contents(Credentials, credentials)
        .build()
}

impl SharedFile {
    fn read(kind: EnvConfigFileKind, path: PathBuf) -> Result<Self, String> {
        let named = path.display();
        let text = match exporter_toolkit::files::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{named} cannot be read: {error}")),
            Ok(bytes) => String::from_utf8(bytes)
                .map_err(|_| format!("{named} cannot be read: it is not UTF-8 text"))?,
        };
        let sections = sections(kind, &text)
            .map_err(|(line, problem)| format!("{named}, line {line}: {problem}"))?;
        Ok(Self { path, sections })
    }

    /// The sections of a profile. Where there are several, their keys are put together.
    fn profile<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Section> {
        let sections = self.sections.iter();
        sections.filter(move |section| section.profile.as_deref() == Some(name))
    }

    fn for_sdk(&self, before_process: &str) -> String {
        let mut text = String::new();
        for section in &self.sections {
            let _ = writeln!(text, "[{}]", section.header);
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

impl Section {
    fn new(kind: EnvConfigFileKind, header: &str) -> Self {
        let is_config = matches!(kind, Config);
        let profile = match header.split_once([' ', '\t']) {
            _ if !is_config => Some(header),
            None => Some(header).filter(|header| *header == "default"),
            Some(("profile", name)) => Some(without_quotes(name.trim())),
            Some(_) => None,
        };
        let header = match profile {
            Some(name) if is_config && header != "default" => format!("profile {}", sdk_name(name)),
            Some(name) => sdk_name(name),
            None => header.to_owned(),
        };
        Self {
            header,
            profile: profile.map(str::to_owned),
            keys: Vec::new(),
        }
    }
}

/// A profile's name as the SDK knows it. The SDK ignores a profile whose name has other characters
/// than letters, digits and a few signs.
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

/// A value without the comment after it, by the rules of the SDK.
fn without_comment(value: &str) -> &str {
    let comment = [" #", " ;", "\t#", "\t;"].iter();
    let end = comment.filter_map(|start| value.find(start)).min();
    value[..end.unwrap_or(value.len())].trim()
}

const NO_VALUE: &str = "there is no = between a key and its value; write KEY = VALUE";

/// The sections of a file by the rules of the AWS CLI, or the line with a problem.
///
/// Source: Python's `configparser`, which the AWS CLI reads these files with.
fn sections(kind: EnvConfigFileKind, text: &str) -> Result<Vec<Section>, (usize, &'static str)> {
    let mut sections: Vec<Section> = Vec::new();
    // The indentation of the last line that did not continue a value.
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
            sections.push(Section::new(kind, header[..end].trim()));
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
            path: "the-file".into(),
            sections: sections(kind, text).unwrap(),
        }
    }

    fn shared(config: &str, credentials: &str) -> SharedFiles {
        SharedFiles {
            config: file(Config, config),
            credentials: file(Credentials, credentials),
        }
    }

    fn region(config: &str, profile: &str) -> Option<String> {
        let files = shared(config, "");
        Some(files.get(profile, "region")?.0.to_owned())
    }

    #[test]
    fn all_that_the_cli_reads_is_read() {
        for config in [
            "[profile a]\nregion = eu-west-1",
            "\u{feff}[profile a]\r\nregion=eu-west-1\r\n",
            "[profile a] # mine\n  region = eu-west-1\n  output = json",
            "[profile a]x\n\tREGION : eu-west-1 # here\n",
            "  [profile \"a\"]\n  region = eu-west-1",
            "# before\n[profile   'a']\n; between\n\nregion = eu-west-1\ns3 =\n  max = 1",
        ] {
            assert_eq!(
                region(config, "a").as_deref(),
                Some("eu-west-1"),
                "{config}"
            );
        }
        assert_eq!(region("[default]\nregion = x", "default").unwrap(), "x");
        assert_eq!(region("[a]\nregion = x", "a"), None);
        assert_eq!(region("[sso-session a]\nregion = x", "a"), None);
    }

    #[test]
    fn a_line_that_the_cli_does_not_read_is_named_and_not_shown() {
        let secret = "wJalrXUtnFEMI";
        for (text, line) in [
            (format!("{secret}\n[default]"), 1),
            (format!("[default]\n{secret}\n"), 2),
            (format!("\n# x\n[default {secret}"), 3),
            (format!("[default]\n = {secret}"), 2),
            ("[]\n".to_owned(), 1),
            (format!("[default]\ns3 =\n  {secret}"), 3),
        ] {
            let (found, problem) = sections(Config, &text).unwrap_err();
            assert_eq!(found, line, "{text}");
            assert!(!problem.contains(secret), "{problem}");
        }
    }

    #[test]
    fn the_sdk_gets_flat_sections_and_names_that_it_accepts() {
        let config = "[profile \"A B\"]\n  role_arn = x\n  source_profile = C D\n\
                      [default] x\n credential_process = run 'a b'\n s3 =\n    max = 1";
        let files = shared(config, "[C D]\naws_access_key_id: AKIA\n");
        assert_eq!(
            files.config.for_sdk("export M=1; "),
            "[profile A%20B]\nrole_arn = x\nsource_profile = C%20D\n\
             [default]\ncredential_process = export M=1; run 'a b'\ns3 = \n  max = 1\n"
        );
        assert_eq!(
            files.credentials.for_sdk(""),
            "[C%20D]\naws_access_key_id = AKIA\n"
        );
        assert!(files.has("A B") && files.has("C D") && !files.has("A"));
    }

    #[test]
    fn a_missing_profile_is_named_with_both_files() {
        let text = shared("[nope]\n", "").missing("nope");
        assert_eq!(
            text,
            "profile 'nope' is in neither the-file nor the-file; in the-file, write [nope] as \
             [profile nope]"
        );
    }
}
