//! `aws-root-exporter`: arguments to command, outcome to exit code.

use std::process::ExitCode;

use git_version::git_version;
use mimalloc::MiMalloc;

/// A call to AWS allocates and frees some hundred times: a quarter of its cost with glibc's
/// allocator, and far more with musl's, which the static binary would have.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The source revision: the build's variable, for images and packages, which have no git; else git's.
const REVISION: &str = if let Some(revision) = option_env!("AWS_ROOT_EXPORTER_REVISION") {
    revision
} else {
    git_version!(
        args = ["--always", "--exclude=*", "--abbrev=12"],
        fallback = "unknown"
    )
};

fn main() -> ExitCode {
    aws_root_exporter::build::set_revision(REVISION);
    aws_root_exporter::cli::run(std::env::args_os())
}
