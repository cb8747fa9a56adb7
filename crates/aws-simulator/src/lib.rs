//! A simulated AWS on loopback: IAM, STS, Organizations, SQS and the events of CloudTrail, with faults and a
//! clock of your own.
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
//! # Queues and events
//!
//! The hub can have SQS queues ([`World::create_queue`]), and CloudTrail's events can be delivered to them
//! ([`World::trail`]) as if every account had the program's two rules: the echo of each `GetAccountSummary`
//! that the program calls, what root does, and tampering. Calls that are answered cause events by
//! themselves; what people do has events when it is done by [`World::root`] or [`World::tamper`], and none
//! when a test edits the account.
//!
//! ```
//! # use aws_simulator::{Account, Actor, QueueSettings, Trail, World};
//! # let management = "999000000001".parse().unwrap();
//! # let now = 1_789_132_492;
//! # let world = World::new(Account::new(management, "management", now));
//! let queue = world.create_queue("events", QueueSettings::default());
//! world.trail(Trail::to("events"));
//! let root = world.root(management, Actor::console("203.0.113.9").with_mfa(), now);
//! let key = root.create_key().unwrap();
//! assert!(queue.bodies()[0].contains(&key));
//! ```
//!
//! # What it is not
//!
//! It never checks a signature, and so it refuses to listen on anything but loopback: any client that
//! reaches it can do everything. It shares no code with the program that it tests, or both would agree on a
//! mistake. It has no clock: the caller passes one in.
//! Only what is a matter of waiting follows real time: delays, lags, long polls, visibility timeouts.

mod actor;
mod answer;
mod body;
mod calendar;
mod calls;
mod context;
mod event;
mod fault;
mod generate;
mod iam;
mod id;
mod model;
mod operation;
mod organizations;
mod queue;
mod recorded;
mod render;
mod request;
mod server;
mod session;
mod sqs;
mod sts;
mod summary;
mod trail;
mod world;

pub use actor::{Actor, RootUser, Tampering};
pub use calls::{Call, Reported};
pub use fault::{Fault, FaultKind};
pub use generate::ROLE;
pub use id::{AccountId, InvalidAccountId};
pub use model::{
    AccessKey, Account, AccountState, Certificate, Counts, Inventory, LIFETIME, LastUse,
    Organization, Ready, Report, Role, User,
};
pub use operation::{Operation, Service};
pub use queue::{QueueCounts, QueueSettings};
pub use render::COLUMNS;
pub use server::{Clock, Simulator};
pub use trail::{Trail, TrailCounts};
pub use world::{Queue, World};
