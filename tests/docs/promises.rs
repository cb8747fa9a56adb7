//! Statements of the documents that can be checked: settings that need a restart, targets of make, the
//! beginning of the README.

use regex::Regex;

use crate::markdown::{expect_none, page, pages, read, spans};

#[test]
fn the_settings_that_need_a_restart_are_those_a_reload_refuses() {
    let source = read("src/cli/reload.rs");
    let function = source.split("fn fixed_settings(").nth(1).unwrap();
    let function = function.split("\n}\n").next().unwrap();
    let quoted = Regex::new(r#""([a-z]+\.[a-z_]+)""#).unwrap();
    let fixed: Vec<&str> = quoted
        .captures_iter(function)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert!(fixed.len() > 5, "{fixed:?}");
    let document = page("docs/configuration.md");
    let paragraph = document
        .text
        .split("\n\n")
        .find_map(|paragraph| paragraph.split("need a restart").nth(1))
        .expect("docs/configuration.md does not say which settings need a restart");
    assert_eq!(
        spans(paragraph),
        fixed,
        "docs/configuration.md must list the settings of fixed_settings in src/cli/reload.rs, in \
         its order"
    );
}

#[test]
fn every_target_of_make_exists() {
    let makefile = read("Makefile");
    let call = Regex::new(r"(?m)^(?:\$ )?make ([a-z-]+)").unwrap();
    let mut count = 0;
    let mut problems = Vec::new();
    for page in pages() {
        for found in page.code().flat_map(|code| call.captures_iter(code)) {
            count += 1;
            if !makefile.contains(&format!("\n{}: ", &found[1]))
                && !makefile.contains(&format!("\n{}:\n", &found[1]))
            {
                problems.push(format!(
                    "{}: Makefile has no target {}",
                    page.path, &found[1]
                ));
            }
        }
    }
    expect_none(&problems);
    assert!(count > 2, "only {count} calls of make were found");
}

#[test]
fn the_readme_begins_with_the_demo_and_is_short() {
    let readme = page("README.md");
    let mut commands = readme.blocks.iter().filter(|block| block.language == "sh");
    let mut next = || commands.next().unwrap().text.trim().to_owned();
    assert_eq!(next(), "cargo run -- demo");
    assert_eq!(next(), "curl localhost:10057/metrics");
    let lines = readme.text.lines().count();
    assert!(
        lines <= 300,
        "README.md has {lines} lines; move details to docs/"
    );
}
