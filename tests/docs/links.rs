//! Every link in the documents that stays in the repository leads somewhere, its anchor included.

use std::path::{Component, Path, PathBuf};

use crate::markdown::{expect_none, page, pages, root};

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let mut trouble = Vec::new();
    let mut count = 0;
    for from in pages() {
        for link in &from.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                PathBuf::from(&from.path)
            } else {
                let folder = Path::new(&from.path).parent().unwrap();
                flat(&folder.join(file))
            };
            if !root().join(&target).exists() {
                trouble.push(format!(
                    "{}: the link to {link} leads nowhere; correct it, or add {}",
                    from.path,
                    target.display()
                ));
                continue;
            }
            if anchor.is_empty() {
                continue;
            }
            let anchors = page(&target.to_string_lossy()).anchors;
            if !anchors.iter().any(|known| known == anchor) {
                trouble.push(format!(
                    "{}: {} has no heading \"#{anchor}\"; it has {}",
                    from.path,
                    target.display(),
                    anchors.join(", ")
                ));
            }
        }
    }
    expect_none(&trouble);
    assert!(count > 30, "only {count} links were found");
}

/// The path without `..`.
fn flat(path: &Path) -> PathBuf {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(flat.pop(), "{} leaves the project", path.display()),
            Component::CurDir => {}
            part => flat.push(part),
        }
    }
    flat
}

/// Paths of the repository that stand in the documents as code, without a link.
#[test]
fn every_path_that_is_named_exists() {
    const FOLDERS: [&str; 7] = [
        "src/", "tests/", "docs/", "deploy/", "grafana/", "fuzz/", ".ci/",
    ];
    let mut trouble = Vec::new();
    for page in pages() {
        for span in &page.spans {
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder));
            // A pattern is not a path.
            if !is_path || span.contains(['*', '{', '…', '<', ' ']) {
                continue;
            }
            if !root().join(span).exists() {
                trouble.push(format!("{}: there is no `{span}`", page.path));
            }
        }
    }
    expect_none(&trouble);
}
