//! The pages in Debian's Chromium: runs the tests in `tests/browser/` over the demo.

use std::process::Command;

use test_support::repository;

#[test]
fn the_pages_work_in_a_browser() {
    let folder = repository("tests/browser");
    assert!(
        folder.join("node_modules").is_dir(),
        "tests/browser/node_modules is missing: run `make test`, which installs it"
    );
    let status = Command::new("node")
        .args(["--test", "--test-reporter=spec", "pages.test.js"])
        .env("AWS_ROOT_EXPORTER", env!("CARGO_BIN_EXE_aws-root-exporter"))
        .current_dir(folder)
        .status()
        .expect("node is missing: run `make test`, which installs it");
    assert!(status.success(), "the browser tests failed (see above)");
}
