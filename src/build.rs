//! The version, the revision and the compiler that the program was built from.

use std::sync::OnceLock;

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The compiler's version.
pub const RUSTC: &str = env!("AWS_ROOT_EXPORTER_RUSTC");

/// Set by `main`: were it a constant here, each commit would rebuild the library.
static REVISION: OnceLock<&str> = OnceLock::new();

/// The source revision; `unknown` outside the binary, and where the build found none.
#[must_use]
pub fn revision() -> &'static str {
    REVISION.get().copied().unwrap_or("unknown")
}

/// Sets the source revision. Only the first call has an effect.
pub fn set_revision(revision: &'static str) {
    REVISION.get_or_init(|| revision);
}
