//! `docs/commands.md` says what the command line's definition says.

use std::path::Path;

use aws_root_exporter::cli::args::reference;

#[test]
fn the_page_about_commands_is_the_definition() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let page = reference::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/commands.md differs from the definition; write it anew with \
         UPDATE_DOCS=1 cargo test --test commands_docs"
    );
}
