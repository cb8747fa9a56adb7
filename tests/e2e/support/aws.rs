//! Stand-ins for AWS that are not ours: moto's server, and an address that never answers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use serde_json::json;

use super::process::Process;
use super::{PATIENCE, eventually, python, script};

/// The account that moto takes a caller for who entered no role.
pub const CALLER_ACCOUNT: &str = "123456789012";

/// What every configured role asks to be given as the external id.
pub const EXTERNAL_ID: &str = "e2e-external-id";

/// The role that the daemon enters in an account.
pub fn role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/aws-root-exporter")
}

/// Variables that send every AWS call to this endpoint with these credentials.
pub fn environment(endpoint: &str, id: &str, secret: &str) -> Vec<(&'static str, String)> {
    let mut variables = credentials(id, secret);
    variables.push(("AWS_ENDPOINT_URL", endpoint.to_owned()));
    variables
}

/// Variables with credentials and a region, and no word on where AWS is.
pub fn credentials(id: &str, secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// moto's server as a child process; `moto_server.py` says what it can be told.
pub struct Moto {
    process: Process,
    pub endpoint: String,
}

impl Moto {
    /// moto as it is.
    pub fn plain() -> Self {
        Self::start(&[])
    }

    /// moto whose reports and summaries know the root access keys of these accounts.
    pub fn with_root_keys(root_keys: &[(&str, &[&str])]) -> Self {
        Self::start(&["--root-keys", &to_json(root_keys)])
    }

    /// As [`Moto::with_root_keys`], and moto checks each signature and each permission: the
    /// caller may enter the roles of these accounts only, and each may do what its list names.
    pub fn guarded(root_keys: &[(&str, &[&str])], permissions: &[(&str, &[&str])]) -> Self {
        let roles: Vec<_> = permissions
            .iter()
            .map(|(account, actions)| (role(account), *actions))
            .collect();
        let roles: Vec<_> = roles.iter().map(|(arn, a)| (arn.as_str(), *a)).collect();
        Self::start(&[
            "--root-keys",
            &to_json(root_keys),
            "--guarded",
            &to_json(&roles),
        ])
    }

    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(python());
        command.arg(script("moto_server.py")).args(arguments);
        let process = Process::start(command);
        let port: u16 =
            process.wait_for("its port", |line| line.strip_prefix("port ")?.parse().ok());
        Self {
            process,
            endpoint: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Variables by which a daemon asks this moto, as the caller it knows.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (id, secret) = self.caller();
        environment(&self.endpoint, &id, &secret)
    }

    /// The caller's access key: the guarded server makes one, the open one takes any.
    pub fn caller(&self) -> (String, String) {
        self.process
            .lines()
            .iter()
            .find_map(|line| {
                let (id, secret) = line.strip_prefix("caller ")?.split_once(' ')?;
                Some((id.to_owned(), secret.to_owned()))
            })
            .unwrap_or_else(|| ("testing".to_owned(), "testing".to_owned()))
    }

    /// How often an operation was carried out in an account. AssumeRole counts in the account
    /// of the caller.
    pub fn count(&self, account: &str, operation: &str) -> usize {
        self.operations(account)
            .iter()
            .filter(|carried_out| *carried_out == operation)
            .count()
    }

    /// The operations carried out in an account, in order.
    pub fn operations(&self, account: &str) -> Vec<String> {
        self.calls()
            .into_iter()
            .filter(|call| call[0] == account)
            .map(|call| call[1].clone())
            .collect()
    }

    /// How often each role was entered, with the external id given.
    pub fn roles_entered(&self) -> BTreeMap<(String, String), usize> {
        let mut entered = BTreeMap::new();
        for call in self.calls() {
            if let [_, operation, role, external_id] = &call[..]
                && operation == "AssumeRole"
            {
                *entered
                    .entry((role.clone(), external_id.clone()))
                    .or_default() += 1;
            }
        }
        entered
    }

    fn calls(&self) -> Vec<Vec<String>> {
        self.process
            .lines()
            .iter()
            .filter_map(|line| line.strip_prefix("call "))
            .map(|call| call.split(' ').map(str::to_owned).collect())
            .collect()
    }
}

fn to_json(lists: &[(&str, &[&str])]) -> String {
    let lists: BTreeMap<_, _> = lists.iter().copied().collect();
    json!(lists).to_string()
}

/// An AWS that takes connections and never says a word.
pub struct Silence(TcpListener);

impl Silence {
    pub fn start() -> Self {
        // The system completes connections to a listener that accepts none.
        Self(listen())
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Waits for a caller, which from then on waits for an answer as long as the stream is held.
    pub fn take_caller(&self) -> TcpStream {
        self.0.set_nonblocking(true).expect("the listener is ours");
        eventually(PATIENCE, || match self.0.accept() {
            Ok((stream, _)) => Ok(stream),
            Err(error) => Err(format!("nobody calls: {error}")),
        })
    }
}

/// A listener on a port that is free.
pub fn listen() -> TcpListener {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("loopback is there")
}
