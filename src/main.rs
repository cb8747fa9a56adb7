//! `aws-root-exporter`: arguments to command, outcome to exit code.

fn main() {}
