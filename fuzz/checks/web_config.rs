//! Any bytes as the web configuration file: good or refused, and a refusal is one line that holds
//! no hash, no key and no password.

use exporter_toolkit::fuzzing::web_config;

/// A password where a hash, a key or a section belongs.
const SECRET: &str = "hunter2-hunter2";

/// Where a secret stands in the file.
const PLACES: [&str; 7] = [
    "basic_auth_users:\n  prometheus: ",
    "basic_auth_users: ",
    "basic_auth_users:\n  - ",
    "basic_auth_users:\n  prometheus:\n    password: ",
    "tls_server_config:\n  cert: x\n  key: ",
    "tls_server_config:\n  cert: x\n  key: |\n   ",
    "tls_server_config: ",
];

/// Whether the bytes are a good web configuration file.
///
/// # Panics
///
/// When a promise is broken.
pub fn check(bytes: &[u8]) -> bool {
    let judged = web_config(bytes, bytes);
    assert_eq!(
        judged,
        web_config(bytes, bytes),
        "the same bytes say the same"
    );
    if let Err(problem) = &judged {
        printable(problem);
    }
    for place in PLACES {
        let text = [place.as_bytes(), SECRET.as_bytes(), bytes].concat();
        if let Err(problem) = web_config(&text, bytes) {
            printable(&problem);
            assert!(!problem.contains(SECRET), "a secret is told: {problem}");
        }
    }
    judged.is_ok()
}

fn printable(problem: &str) {
    assert!(
        !problem.chars().any(char::is_control),
        "a line cannot be printed: {problem:?}"
    );
    // It begins with the file that is wrong, be it one that the file names.
    let said = problem.split_once(": ").map(|(_, said)| said);
    assert!(
        said.is_some_and(|said| !said.trim().is_empty()),
        "a refusal says where and what: {problem:?}"
    );
}
