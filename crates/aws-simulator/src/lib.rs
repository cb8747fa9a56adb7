//! A simulated AWS on loopback: IAM, STS and Organizations, with faults and a clock of your own.
//!
//! It speaks the real protocols, so that a test over it goes through all of the SDK: signing, retries,
//! parsing of answers and errors. Point `AWS_ENDPOINT_URL` at it and use any access key.
//!
//! ```
//! use std::sync::Arc;
//! use aws_simulator::{Account, Fault, FaultKind, Operation, Simulator, World};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let management = "999000000001".parse()?;
//! let now = 1_789_132_492;
//! let world = World::new(Account::new(management, "management", now));
//! let simulator = Simulator::start(world.clone(), "127.0.0.1:0", Arc::new(move || now)).await?;
//! println!("AWS_ENDPOINT_URL={}", simulator.url());
//!
//! // From now on every answer about this account says that its root user has a key …
//! world.edit(management, |account| account.root.create_key(now));
//! // … but for the next one, which is a refusal.
//! world.fault(Fault::new(FaultKind::Throttling).on(Operation::GetAccountSummary).times(1));
//! // Its calls are recorded:
//! assert_eq!(world.count(management, Operation::GetAccountSummary), 0);
//! # Ok(())
//! # }
//! ```
//!
//! It never checks a signature, and so it refuses to listen on anything but loopback: any client that
//! reaches it can do everything. It shares no code with the program that it tests, or both would agree on a
//! mistake. It has no clock: the caller passes one in.

mod answer;
mod body;
mod calendar;
mod calls;
mod context;
mod fault;
mod generate;
mod iam;
mod id;
mod model;
mod operation;
mod organizations;
mod render;
mod request;
mod server;
mod session;
mod sts;
mod summary;
mod world;

pub use calls::{Call, Reported};
pub use fault::{Fault, FaultKind};
pub use generate::ROLE;
pub use id::{AccountId, InvalidAccountId};
pub use model::{
    AccessKey, Account, AccountState, Certificate, Counts, Inventory, LIFETIME, LastUse,
    Organization, Ready, Report, Role, User,
};
pub use operation::{Operation, Service};
pub use render::COLUMNS;
pub use server::{Clock, Simulator};
pub use world::World;
