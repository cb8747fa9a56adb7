//! `docs/metrics.md` agrees with the catalogue.

mod page;

use std::path::Path;

#[test]
fn the_page_about_metrics_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = page::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/metrics.md differs from the catalogue; write it anew with \
         UPDATE_DOCS=1 cargo test --test metrics_docs"
    );
}
