//! The project's own simulated AWS, run inside the test; the binary under test reaches it over loopback.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_simulator::{Account, AccountId, Simulator, World};
use tokio::runtime::Runtime;

use crate::daemon::{ANY_PORT, Launch};
use crate::run::Bench;

/// The role that every simulated account has.
pub const ROLE: &str = "aws-root-exporter";

/// The external id that every role requires.
pub const EXTERNAL_ID: &str = "e2e-external-id";

/// The management account, which is the caller's own.
pub const HUB: u64 = 999_000_000_001;

/// A day in seconds.
pub const DAY: i64 = 86_400;

/// Now, in Unix seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary under test reads the system's clock, and so must its AWS"
)]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// The id of that number.
pub fn id(number: u64) -> AccountId {
    AccountId::of(number)
}

/// The ARN of [`ROLE`] in an account.
pub fn role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/{ROLE}")
}

/// An account that the caller may enter by [`ROLE`] with [`EXTERNAL_ID`].
pub fn account(number: u64, name: &str) -> Account {
    Account::new(id(number), name, now() - 400 * DAY).with_role(ROLE, Some(EXTERNAL_ID))
}

/// Variables with credentials and a Region, and without an address of AWS.
pub fn credentials(id: &str, secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// Variables that send every AWS call to this endpoint with these credentials.
pub fn environment(endpoint: &str, id: &str, secret: &str) -> Vec<(&'static str, String)> {
    let mut variables = credentials(id, secret);
    variables.push(("AWS_ENDPOINT_URL", endpoint.to_owned()));
    variables
}

/// A simulated AWS that listens.
pub struct Simulated {
    /// What there is in it.
    pub world: World,
    /// Its address.
    pub url: String,
    // Dropped in this order: the simulator's task needs the runtime.
    simulator: Simulator,
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
        let simulator = runtime
            .block_on(Simulator::start(
                world.clone(),
                "127.0.0.1:0",
                Arc::new(now),
            ))
            .expect("a free port");
        Self {
            world,
            url: simulator.url(),
            simulator,
            _runtime: runtime,
        }
    }

    /// The URL of a queue of the management account, whether there is one of that name or not.
    pub fn queue_url(&self, name: &str) -> String {
        self.simulator.queue_url(name)
    }

    /// The variables that lead the binary here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (id, secret) = ("AKIAIOSFODNN7EXAMPLE", "the-secret-of-the-caller");
        environment(&self.url, id, secret)
    }

    /// A daemon with this configuration that polls this AWS.
    pub fn launch(&self, config: &str) -> Launch {
        Launch::new(&[ANY_PORT])
            .environment(self.environment())
            .config(config)
    }

    /// A folder for runs of commands that ask this AWS.
    pub fn bench(&self) -> Bench {
        Bench::new().with(self.environment())
    }
}

/// The configuration of an account that is entered by [`ROLE`].
pub fn listed(number: u64) -> String {
    let id = id(number);
    let role = role(&id.to_string());
    format!("[[accounts]]\nid = \"{id}\"\nrole_arn = \"{role}\"\nexternal_id = \"{EXTERNAL_ID}\"\n")
}
