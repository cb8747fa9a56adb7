//! The generated documents are what the code generates.

mod commands;
mod metrics;

use test_support::check_document;

const COMMAND: &str = "cargo test --test library reference";

#[test]
fn the_page_about_metrics_is_the_catalogue() {
    check_document("docs/metrics.md", &metrics::page(), COMMAND);
}

#[test]
fn the_page_about_commands_is_the_definition() {
    check_document("docs/commands.md", &commands::page(), COMMAND);
}
