//! Any bytes as the web configuration file: accepted or refused. A refusal is one line without hashes,
//! keys and passwords.

use exporter_toolkit::fuzzing::web_config;

/// A password in the place of a hash, a key or a section.
const SECRET: &str = "hunter2-hunter2";

/// The text before a secret.
const PLACES: [&str; 7] = [
    "basic_auth_users:\n  prometheus: ",
    "basic_auth_users: ",
    "basic_auth_users:\n  - ",
    "basic_auth_users:\n  prometheus:\n    password: ",
    "tls_server_config:\n  cert: x\n  key: ",
    "tls_server_config:\n  cert: x\n  key: |\n   ",
    "tls_server_config: ",
];

/// Checks the bytes; returns whether they are a valid web configuration file.
///
/// # Panics
///
/// If a guarantee is broken.
pub fn check(bytes: &[u8]) -> bool {
    let result = web_config(bytes, bytes);
    assert_eq!(
        result,
        web_config(bytes, bytes),
        "the same bytes give another result"
    );
    if let Err(problem) = &result {
        printable(problem);
    }
    for place in PLACES {
        let text = [place.as_bytes(), SECRET.as_bytes(), bytes].concat();
        if let Err(problem) = web_config(&text, bytes) {
            printable(&problem);
            assert!(
                !problem.contains(SECRET),
                "an error contains a secret: {problem}"
            );
        }
    }
    result.is_ok()
}

fn printable(problem: &str) {
    assert!(
        !problem.chars().any(char::is_control),
        "not printable: {problem:?}"
    );
    // It begins with the name of the wrong file: this one, or one that it names.
    let message = problem.split_once(": ").map(|(_, message)| message);
    assert!(
        message.is_some_and(|message| !message.trim().is_empty()),
        "a refusal without file or message: {problem:?}"
    );
}
