//! What the tests over random evidence share: a restart, and the plain list of what was answered.

mod answers;
mod log;
mod restart;

pub use answers::Answers;
pub use log::{Log, Shown};
pub use restart::restarted;
