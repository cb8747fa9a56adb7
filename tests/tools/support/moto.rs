//! moto's server, an emulator of AWS that is not ours.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;
use test_support::process::Process;
use test_support::program::venv;
use test_support::simulated::{environment, role};

use super::script;

/// The account that a caller without a role has in moto.
pub const CALLER_ACCOUNT: &str = "123456789012";

/// The access key of the scripts of this suite.
const SCRIPT_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// moto's server as a child process; `moto_server.py` says its options.
pub struct Moto {
    process: Process,
    pub endpoint: String,
}

impl Moto {
    /// moto without options.
    pub fn plain() -> Self {
        Self::start(&[])
    }

    /// moto whose reports and summaries show the root access keys of these accounts.
    pub fn with_root_keys(root_keys: &[(&str, &[&str])]) -> Self {
        Self::start(&["--root-keys", &to_json(root_keys)])
    }

    /// As [`Moto::with_root_keys`], and moto checks each signature and each permission: the caller may
    /// enter the roles of these accounts only, and each role permits the actions of its list.
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

    /// moto that checks each signature and each permission of a caller with this policy, and has queues
    /// with these messages in the caller's account.
    pub fn with_caller(policy: &str, queues: &[(&str, &[&str])]) -> Self {
        let queues = to_json(queues);
        let queues = ["--queues", &queues];
        Self::start(&[&["--guarded", "{}", "--caller-policy", policy], &queues[..]].concat())
    }

    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(venv("python"));
        command.arg(script("moto_server.py")).args(arguments);
        let process = Process::start(command);
        let port: u16 =
            process.wait_for("its port", |line| line.strip_prefix("port ")?.parse().ok());
        Self {
            process,
            endpoint: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Variables that send a daemon's calls to this moto, with its caller's credentials.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (id, secret) = self.caller();
        environment(&self.endpoint, &id, &secret)
    }

    /// The caller's access key: the guarded server makes one, the open one accepts any.
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

    /// The ids of the requests of an operation of IAM that were answered in an account, in order, as the
    /// answers' headers have them.
    pub fn request_ids(&self, account: &str, operation: &str) -> Vec<String> {
        let answers = self.said("answer ").into_iter();
        let answers = answers.filter(|answer| answer[0] == account && answer[1] == operation);
        answers.map(|mut answer| answer.remove(2)).collect()
    }

    /// The operations of SQS that others than the scripts of this suite have called, in order.
    pub fn queue_operations(&self) -> Vec<String> {
        let calls = self.said("queue ").into_iter();
        let calls = calls.filter(|call| call[0] != SCRIPT_KEY);
        calls.map(|mut call| call.remove(1)).collect()
    }

    fn calls(&self) -> Vec<Vec<String>> {
        self.said("call ")
    }

    /// The words of the lines of output that begin so.
    fn said(&self, beginning: &str) -> Vec<Vec<String>> {
        let lines = self.process.lines();
        let lines = lines.iter().filter_map(|line| line.strip_prefix(beginning));
        let words = lines.map(|line| line.split(' ').map(str::to_owned).collect());
        words.collect()
    }
}

fn to_json(lists: &[(&str, &[&str])]) -> String {
    let lists: BTreeMap<_, _> = lists.iter().copied().collect();
    json!(lists).to_string()
}
