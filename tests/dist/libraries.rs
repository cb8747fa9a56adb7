//! The crates that are useful without the daemon can be published: cargo packs each, builds what it packed,
//! and stops before it uploads anything.

use std::process::Command;

use test_support::program::{finish, succeed, texts};
use test_support::repository;

const LIBRARIES: [&str; 2] = ["exporter-toolkit", "root-posture"];

#[test]
fn the_libraries_can_be_published() {
    for library in LIBRARIES {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "publish",
            "--dry-run",
            "--locked",
            "--allow-dirty",
            "--package",
            library,
        ]);
        let output = finish(cargo.current_dir(repository("")));
        let (_, messages) = texts(&output);
        assert!(output.status.success(), "{messages}");
        assert!(
            messages.contains("aborting upload due to dry run"),
            "{messages}"
        );
        // The line before last says why nothing was uploaded.
        let warnings = messages.matches("warning: ").count();
        assert_eq!(warnings, 1, "{messages}");
    }
}

#[test]
fn a_packed_library_has_its_licence_and_description() {
    for library in LIBRARIES {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["package", "--list", "--allow-dirty", "--package", library]);
        let files = succeed(cargo.current_dir(repository("")));
        for file in ["LICENSE", "README.md", "Cargo.toml", "src/lib.rs"] {
            assert!(
                files.lines().any(|line| line == file),
                "{library} has no {file}"
            );
        }
    }
}
