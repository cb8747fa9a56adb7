//! The project's own simulated AWS, run inside the test while the binary reaches it over loopback.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_simulator::AccountId;
use aws_simulator::{Account, Simulator, World};
use tokio::runtime::Runtime;

use crate::support::Bench;

/// The caller's own account, which is the management account.
pub const HUB: u64 = 999_000_000_001;

/// The role in every account, and what it asks for.
pub const ROLE: &str = "aws-root-exporter";
pub const EXTERNAL_ID: &str = "an-external-id";

pub const DAY: i64 = 86_400;

pub fn id(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

/// Now, in Unix seconds: the binary under test reads the system's clock, and so must its AWS.
#[allow(
    clippy::disallowed_methods,
    reason = "the simulator has no clock of its own"
)]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// An account without root keys that can be entered by the role.
pub fn account(number: u64) -> Account {
    let created = now() - 400 * DAY;
    Account::new(id(number), format!("account-{number}"), created)
        .with_role(ROLE, Some(EXTERNAL_ID))
}

/// A simulated AWS that listens.
pub struct Simulated {
    pub world: World,
    url: String,
    // Dropped in this order: the simulator's task needs the runtime.
    _simulator: Simulator,
    _runtime: Runtime,
}

impl Simulated {
    pub fn with(members: impl IntoIterator<Item = u64>) -> Self {
        let world = World::new(account(HUB));
        for member in members {
            world.add(account(member));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let simulator = runtime
            .block_on(Simulator::start(
                world.clone(),
                "127.0.0.1:0",
                Arc::new(now),
            ))
            .unwrap();
        Self {
            world,
            url: simulator.url(),
            _simulator: simulator,
            _runtime: runtime,
        }
    }

    /// A bench whose binary asks this AWS.
    pub fn bench(&self) -> Bench {
        Bench::new().with([
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "the-caller-s-secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ])
    }
}

/// The configuration that lists these accounts, each entered by its role.
pub fn listed(numbers: impl IntoIterator<Item = u64>) -> String {
    let entry = |number| {
        let id = id(number);
        format!(
            "[[accounts]]\nid = \"{id}\"\nrole_arn = \"arn:aws:iam::{id}:role/{ROLE}\"\n\
             external_id = \"{EXTERNAL_ID}\"\n"
        )
    };
    numbers.into_iter().map(entry).collect()
}

/// The configuration that watches the organization, with `access`.
pub fn organization(access: &str) -> String {
    format!(
        "[organization]\nenabled = true\naccess = \"{access}\"\nexternal_id = \"{EXTERNAL_ID}\"\n"
    )
}
