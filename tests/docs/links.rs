//! Links and paths in the documents that point into the repository exist, anchors included.

use std::path::{Component, Path, PathBuf};

use crate::markdown::{expect_none, page, pages, root};

#[test]
fn every_link_within_the_repository_resolves() {
    let mut problems = Vec::new();
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
                normalize(&folder.join(file))
            };
            if !root().join(&target).exists() {
                problems.push(format!(
                    "{}: the target of the link {link} does not exist; correct it, or add {}",
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
                problems.push(format!(
                    "{}: {} has no heading \"#{anchor}\"; it has {}",
                    from.path,
                    target.display(),
                    anchors.join(", ")
                ));
            }
        }
    }
    expect_none(&problems);
    assert!(count > 30, "only {count} links were found");
}

/// The path without `..`.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leaves the project", path.display()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Paths of the repository that the documents name as code, without a link.
#[test]
fn every_path_that_is_named_exists() {
    const FOLDERS: [&str; 7] = [
        "src/", "tests/", "docs/", "deploy/", "grafana/", "fuzz/", ".ci/",
    ];
    let mut problems = Vec::new();
    for page in pages() {
        for span in &page.spans {
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder));
            // A pattern is not a path.
            if !is_path || span.contains(['*', '{', '…', '<', ' ']) {
                continue;
            }
            if !root().join(span).exists() {
                problems.push(format!("{}: there is no `{span}`", page.path));
            }
        }
    }
    expect_none(&problems);
}
