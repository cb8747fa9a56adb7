//! What this binary was built from.

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision; `unknown` where neither git nor `AWS_ROOT_EXPORTER_REVISION` told it.
pub const REVISION: &str = env!("AWS_ROOT_EXPORTER_REVISION");

/// The compiler's version.
pub const RUSTC: &str = env!("AWS_ROOT_EXPORTER_RUSTC");
