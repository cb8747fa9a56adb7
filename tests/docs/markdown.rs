//! The project's Markdown files, parsed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Folders without files of the project.
const IGNORED: [&str; 4] = ["target", ".venv", ".git", "node_modules"];

/// A Markdown file.
pub struct Page {
    /// The path from the top of the repository, with `/` between folders.
    pub path: String,
    pub text: String,
    /// The anchors of its headings, as GitHub makes them.
    pub anchors: Vec<String>,
    /// The targets of links and images.
    pub links: Vec<String>,
    /// Inline code.
    pub spans: Vec<String>,
    /// Code blocks.
    pub blocks: Vec<Block>,
}

pub struct Block {
    pub language: String,
    pub text: String,
}

/// The top of the repository.
pub fn root() -> PathBuf {
    test_support::repository("")
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder of the repository, by its path from the top.
pub fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_symlink() || IGNORED.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(from_top(&path));
            }
        }
    }
    found.sort();
    found
}

/// Whether a file's name ends with a dot and these letters.
pub fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == ending)
}

fn from_top(path: &Path) -> String {
    let parts: PathBuf = path.strip_prefix(root()).unwrap().components().collect();
    parts.to_string_lossy().replace('\\', "/")
}

/// All Markdown files of the project.
pub fn pages() -> Vec<Page> {
    let pages: Vec<Page> = files("")
        .iter()
        .filter(|path| has_ending(path, "md"))
        .map(|path| page(path))
        .collect();
    assert!(pages.len() > 5, "too few documents were found");
    pages
}

/// The Markdown file at this path.
pub fn page(path: &str) -> Page {
    let text = read(path);
    let mut page = Page {
        path: path.to_owned(),
        anchors: Vec::new(),
        links: Vec::new(),
        spans: Vec::new(),
        blocks: Vec::new(),
        text: text.clone(),
    };
    let mut heading: Option<String> = None;
    let mut block: Option<Block> = None;
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap();
                page.anchors.push(anchor(&text, &mut known));
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                block = Some(Block {
                    language,
                    text: String::new(),
                });
            }
            Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Code(code) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&code);
                }
                page.spans.push(code.into_string());
            }
            Event::Text(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
                if let Some(block) = &mut block {
                    block.text.push_str(&text);
                }
            }
            _ => {}
        }
    }
    page
}

/// The anchor of a heading on GitHub: lower-case letters, digits, `-` and `_`, with `-` for a space; the
/// second of the same name gets `-1`.
fn anchor(heading: &str, known: &mut BTreeMap<String, u32>) -> String {
    let anchor: String = heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|char| match char {
            ' ' => Some('-'),
            '-' | '_' => Some(char),
            _ if char.is_alphanumeric() => Some(char),
            _ => None,
        })
        .collect();
    let count = known.entry(anchor.clone()).or_default();
    *count += 1;
    match *count {
        1 => anchor,
        more => format!("{anchor}-{}", more - 1),
    }
}

impl Page {
    /// The text of a section of the second level.
    pub fn section(&self, heading: &str) -> &str {
        let start = format!("\n## {heading}\n");
        let Some((_, rest)) = self.text.split_once(&start) else {
            panic!("{} has no section \"{heading}\"", self.path);
        };
        rest.split("\n## ").next().unwrap()
    }

    /// All code of the page.
    pub fn code(&self) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter().map(|block| block.text.as_str());
        self.spans.iter().map(String::as_str).chain(blocks)
    }
}

/// The cells of a table's rows, without its head.
pub fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim()
                .trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect()
        })
}

/// The inline code in Markdown text.
pub fn spans(text: &str) -> Vec<String> {
    Parser::new(text)
        .filter_map(|event| match event {
            Event::Code(code) => Some(code.into_string()),
            _ => None,
        })
        .collect()
}

/// Fails with all the problems, if there are any.
#[track_caller]
pub fn expect_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
