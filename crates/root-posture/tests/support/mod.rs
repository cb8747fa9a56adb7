//! What the tests over random evidence share: a restart, and the plain list of what was answered.

pub mod answers;
mod log;
mod restart;
mod shown;

pub use answers::Answers;
pub use log::Log;
pub use restart::restarted;
pub use shown::{Shown, moved};
