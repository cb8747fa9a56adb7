//! Which files are valid: as Prometheus' own tool judges them, and what is refused in one line.

use crate::server::{Authority, Folder};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

fn folder() -> Folder {
    let authority = Authority::new();
    Folder::new()
        .certificate("server", &authority)
        .certificate("other", &authority)
        .authority("ca", &authority)
}

#[cfg(feature = "tools")]
#[test]
fn promtool_accepts_the_same_files() {
    let hash = bcrypt::hash("x", 4).unwrap();
    let folder = folder();
    for text in [
        String::new(),
        TLS.to_owned(),
        format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"),
        format!(
            "{TLS}  client_auth_type: RequireAnyClientCert\n  min_version: TLS13\n  max_version: TLS13\n"
        ),
        format!(
            "{TLS}  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n  \
             - TLS_AES_128_GCM_SHA256\n  curve_preferences: [CurveP256, X25519]\n  \
             prefer_server_cipher_suites: false\nhttp_server_config:\n  http2: false\n  headers:\n    \
             X-Frame-Options: deny\nbasic_auth_users:\n  a: {hash}\n  b: {hash}\n"
        ),
    ] {
        folder.write("web.yml", &text);
        let checked = std::process::Command::new("promtool")
            .args(["check", "web-config", "web.yml"])
            .current_dir(folder.path())
            .output()
            .expect("promtool is missing: run `make test`, which installs it");
        assert!(checked.status.success(), "{text}\n{checked:?}");
        folder
            .open()
            .unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
}

#[test]
fn an_invalid_file_is_refused_in_one_line_that_says_what_to_do() {
    let folder = folder();
    folder.write("empty.pem", "nothing");
    for (text, says) in [
        (
            "tls_server_config: {cert_file: server.crt}\n".to_owned(),
            "key_file: is missing",
        ),
        (
            "tls_server_config: {client_auth_type: NoClientCert}\n".to_owned(),
            "cert_file: is missing",
        ),
        (
            TLS.replace("server.crt", "none.crt"),
            "none.crt: cannot be read",
        ),
        (
            TLS.replace("server.crt", "empty.pem"),
            "empty.pem: has no certificate",
        ),
        (
            TLS.replace("server.key", "empty.pem"),
            "empty.pem: has no private key",
        ),
        (
            TLS.replace("server.key", "other.key"),
            "other.key: is not the key of the certificate",
        ),
        (format!("{TLS}  cert: x\n"), "both cert and cert_file"),
        (format!("{TLS}  min_version: TLS11\n"), "TLS12 or TLS13"),
        (
            format!("{TLS}  min_version: TLS13\n  max_version: TLS12\n"),
            "above max_version",
        ),
        (format!("{TLS}  max_version: SSL3\n"), "\"SSL3\" is unknown"),
        (
            format!("{TLS}  client_auth_type: Maybe\n"),
            "\"Maybe\" is unknown",
        ),
        (
            format!("{TLS}  client_ca_file: ca.crt\n"),
            "requests no certificate",
        ),
        (
            format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n"),
            "client_ca_file: is missing",
        ),
        (
            format!("{TLS}  client_auth_type: RequestClientCert\n  client_allowed_sans: [a]\n"),
            "client_allowed_sans: needs",
        ),
        (
            format!("{TLS}  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: []\n"),
            "is empty",
        ),
        (
            format!("{TLS}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"),
            "is not offered here",
        ),
        (
            format!("{TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12\n"),
            "cipher_suites",
        ),
        (
            format!("{TLS}  curve_preferences: [CurveP521]\n"),
            "is not offered here",
        ),
        (
            "basic_auth_users: {prometheus: secret}\n".to_owned(),
            "not a bcrypt hash",
        ),
        ("basic_auth_user: {}\n".to_owned(), "basic_auth_user"),
        ("tls_server_config: [\n".to_owned(), "line"),
    ] {
        folder.write("web.yml", &text);
        let Err(error) = folder.open() else {
            panic!("this is accepted:\n{text}");
        };
        assert!(error.contains(says), "{text}\n{error}");
        assert!(
            !error.contains('\n') && !error.contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn a_hash_that_would_keep_a_core_busy_for_hours_is_refused() {
    for (cost, good) in [("14", true), ("15", false), ("31", false)] {
        let hash = format!("$2y${cost}$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG");
        let folder = Folder::new().web(&format!("basic_auth_users: {{prometheus: {hash}}}\n"));
        let opened = folder.open();
        assert_eq!(opened.is_ok(), good, "{cost}");
        if let Err(error) = opened {
            assert!(
                error.contains(&format!("cost {cost} ")) && error.contains("14"),
                "{error}"
            );
        }
    }
}
