//! The project's own simulated AWS, run inside the test while the binary under test runs as a
//! child process and reaches it over loopback.

use std::sync::Arc;

use aws_root_exporter::clock::Clock;
use aws_simulator::AccountId;
use aws_simulator::{Account, Simulator, World};
use tokio::runtime::Runtime;

use super::aws;
use super::daemon::Launch;

/// The role that exists in every simulated account.
pub const ROLE: &str = "aws-root-exporter";

/// The management account, which is the caller's own.
pub const HUB: u64 = 999_000_000_001;

/// Now, in Unix seconds.
pub fn now() -> i64 {
    Clock::system().now().unix()
}

/// The id of that number.
pub fn id(number: u64) -> AccountId {
    format!("{number:012}").parse().expect("twelve digits")
}

/// An account that the caller may enter by [`ROLE`] with the external id of all tests.
pub fn account(number: u64, name: &str) -> Account {
    let created = now() - 400 * 86_400;
    Account::new(id(number), name, created).with_role(ROLE, Some(aws::EXTERNAL_ID))
}

/// A simulated AWS that listens.
pub struct Simulated {
    pub world: World,
    pub url: String,
    // Dropped in this order: the simulator's task needs the runtime.
    _simulator: Simulator,
    _runtime: Runtime,
}

impl Simulated {
    /// A world whose management account is [`HUB`], with these members.
    pub fn with(members: impl IntoIterator<Item = Account>) -> Self {
        let world = World::new(account(HUB, "management"));
        for member in members {
            world.add(member);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let clock = Arc::new(now);
        let simulator = runtime
            .block_on(Simulator::start(world.clone(), "127.0.0.1:0", clock))
            .expect("a free port");
        Self {
            world,
            url: simulator.url(),
            _simulator: simulator,
            _runtime: runtime,
        }
    }

    /// The variables that lead a daemon here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        aws::environment(
            &self.url,
            "AKIAIOSFODNN7EXAMPLE",
            "the-secret-of-the-caller",
        )
    }

    /// A daemon with this configuration that asks this AWS.
    pub fn launch(&self, config: &str) -> Launch {
        Launch::new(&[super::daemon::ANY_PORT])
            .environment(self.environment())
            .config(config)
    }
}

/// The configuration of an account that is entered by [`ROLE`].
pub fn listed(number: u64) -> String {
    let id = id(number);
    let (role, external_id) = (aws::role(&id.to_string()), aws::EXTERNAL_ID);
    format!("[[accounts]]\nid = \"{id}\"\nrole_arn = \"{role}\"\nexternal_id = \"{external_id}\"\n")
}
