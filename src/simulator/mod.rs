//! An AWS on loopback, for the demo, the tests and the benches.
//!
//! It speaks the real protocols of IAM, STS and Organizations, so that what is tested over it is
//! the way to AWS itself: the SDK, its signing, its parsing of answers and errors. It knows
//! `account` and nothing else of ours: what it tests must not be able to agree with it by
//! sharing a mistake. It has no clock either; whoever starts it lends it one.
//!
//! - `world`: the state behind one handle, and the way of a request through it
//! - `account`, `organizations`: what there is; `generate`: plenty of it
//! - `report`, `render`, `summary`: what IAM says of an account; `replica`: what it still says
//! - `iam`, `sts`, `organizations`: the operations; `session`: who calls; `answer`: the protocols
//! - `fault`: what goes wrong; `random`: any of it at random; `calls`: what was asked and answered
//! - `server`, `body`, `request`: HTTP
//!
//! It never checks a signature, and so it refuses to listen on anything but loopback: whoever
//! reaches it can do everything.

mod account;
mod answer;
mod body;
mod calendar;
mod calls;
mod fault;
mod generate;
mod iam;
mod operation;
mod organizations;
mod random;
mod render;
mod replica;
mod report;
mod request;
mod server;
mod session;
mod sts;
mod summary;
#[cfg(test)]
mod tests;
mod world;

pub use account::{
    AccessKey, Account, AccountState, AccountStatus, Certificate, Counts, Inventory, LastUse,
    Password, Role, Slots, User,
};
pub use calls::{Call, Said};
pub use fault::{Fault, FaultKind};
pub use generate::ROLE;
pub use operation::{Operation, Service, UnknownOperation};
pub use organizations::Organization;
pub use render::{Booleans, COLUMNS, LineEnd, Rendering, Zone};
pub use report::{LIFETIME, Ready, Report};
pub use server::{Clock, Simulator};
pub use session::{SessionKind, TaskPolicy};
pub use summary::{KeyCount, Summary};
pub use world::World;
