//! The seeds of the fuzz target, read by every test run.

use std::path::Path;

use super::*;

#[test]
fn every_seed_of_the_fuzz_target_has_the_result_in_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/report");
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        seeds += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let report = parse(&std::fs::read(&path).unwrap(), None, Partition::Aws);
        assert_eq!(
            report.is_err(),
            name.starts_with("malformed-"),
            "{name}: {report:?}"
        );
    }
    assert!(seeds >= 5, "{seeds} seeds in {}", folder.display());
}
