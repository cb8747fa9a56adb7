//! `aws-root-exporter`: arguments to command, outcome to exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A call to AWS takes and gives back some hundred pieces of memory, a quarter of its cost with
/// glibc's allocator and far more with musl's, which the static binary would have.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    aws_root_exporter::cli::run(std::env::args_os())
}
