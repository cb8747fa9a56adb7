//! How long it takes to read a credential report, for `make bench`: our parser, and the csv crate
//! alone, which is the floor.
//!
//! ```sh
//! cargo run --release --example read_reports -- FOLDER
//! ```
//!
//! Writes the reports into the folder, so that others can read the same, and prints a line of JSON
//! for each.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_root_exporter::account::Partition;
use root_posture::report::{UserCounts, parse};

#[path = "../benches/data/mod.rs"]
mod data;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: read_reports FOLDER")?;
    for users in [200, 5000] {
        let text = data::report(users);
        let file = Path::new(&folder).join(format!("{users}.csv"));
        std::fs::write(&file, &text)?;
        let ours = fastest(|| {
            let report = parse(text.as_bytes(), None, Partition::Aws).ok();
            report.map(|report| UserCounts::of(&report.users))
        });
        let csv = fastest(|| {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let mut record = csv::ByteRecord::new();
            let mut rows = 0;
            while reader.read_byte_record(&mut record).unwrap_or(false) {
                rows += 1;
            }
            rows
        });
        println!(
            "{}",
            serde_json::json!({ "users": users, "file": file, "ours": ours, "csv": csv })
        );
    }
    Ok(())
}

/// The fastest of many runs, in microseconds: what others do on the machine only adds to a run.
fn fastest<T>(mut run: impl FnMut() -> T) -> f64 {
    let end = Instant::now() + Duration::from_secs(1);
    let mut best = Duration::MAX;
    while Instant::now() < end {
        let start = Instant::now();
        black_box(run());
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e6
}
