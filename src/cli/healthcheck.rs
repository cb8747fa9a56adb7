//! `healthcheck`: asks a running daemon whether it is healthy, at the address in its configuration.
//! It never asks another address.

use std::process::ExitCode;

use exporter_toolkit::HealthUrl;

use super::output::{USAGE, print};
use super::wire;
use crate::config::Config;

/// Asks a daemon. Exits with 0 when it is healthy, else prints why not and exits with 1.
pub(super) async fn run(url: HealthUrl) -> ExitCode {
    match exporter_toolkit::healthcheck(&url).await {
        Ok(health) => print(&format!("{health}\n")),
        Err(error) => {
            eprintln!("aws-root-exporter: {url}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The URL of a daemon with this configuration: the address for probes if there is one, else the
/// first.
///
/// # Errors
///
/// The exit code for wrong configuration: the web configuration file cannot be read, or the port is
/// of the system's choice.
pub(super) fn url(config: &Config) -> Result<HealthUrl, ExitCode> {
    let refused = |why: &str| {
        eprintln!("aws-root-exporter: healthcheck: {why}");
        ExitCode::from(USAGE)
    };
    let web = &config.web;
    let (address, is_tls) = if let Some(address) = &web.health_listen_address {
        (address, false)
    } else {
        let file = wire::web_config(config).map_err(|error| refused(&error.to_string()))?;
        // A valid configuration has an address.
        let first = &web.listen_addresses[0];
        (first, file.is_some_and(|file| file.serves_tls()))
    };
    if address.port() == 0 {
        return Err(refused(
            "the daemon listens on a port of the system's choice; name it with --url",
        ));
    }
    let scheme = if is_tls { "https" } else { "http" };
    let text = format!("{scheme}://{}", address.from_here());
    text.parse()
        .map_err(|error| refused(&format!("{text}: {error}; name the daemon with --url")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, parse};

    #[test]
    fn a_daemon_is_asked_where_it_listens() {
        for (listen, health, expected) in [
            ("127.0.0.1:10057", None, "http://127.0.0.1:10057/-/healthy"),
            ("0.0.0.0:9000", None, "http://127.0.0.1:9000/-/healthy"),
            ("[::]:9000", None, "http://127.0.0.1:9000/-/healthy"),
            ("10.1.2.3:9000", None, "http://10.1.2.3:9000/-/healthy"),
            (":9000", None, "http://127.0.0.1:9000/-/healthy"),
            ("localhost:9000", None, "http://localhost:9000/-/healthy"),
            (
                "127.0.0.1:1",
                Some("0.0.0.0:2"),
                "http://127.0.0.1:2/-/healthy",
            ),
        ] {
            let overrides = Overrides {
                listen_addresses: vec![listen.to_owned()],
                health_listen_address: health.map(str::to_owned),
                ..Overrides::default()
            };
            let config = parse(None, [], &overrides, &()).unwrap();
            assert_eq!(url(&config).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_daemon_with_tls_is_asked_over_tls() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let names = ["localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(file("crt"), made.cert.pem()).unwrap();
        std::fs::write(file("key"), made.signing_key.serialize_pem()).unwrap();
        let tls = "tls_server_config:\n  cert_file: crt\n  key_file: key\n";
        std::fs::write(file("web.yml"), tls).unwrap();
        let of = |health: Option<&str>| {
            let overrides = Overrides {
                web_config_file: file("web.yml").to_str().map(str::to_owned),
                health_listen_address: health.map(str::to_owned),
                ..Overrides::default()
            };
            let config = parse(None, [], &overrides, &()).unwrap();
            url(&config).map(|url| url.to_string())
        };
        assert_eq!(of(None).unwrap(), "https://127.0.0.1:10057/-/healthy");
        std::fs::remove_file(file("key")).unwrap();
        assert!(of(None).is_err());
        // The address for probes has no TLS and needs none of its files.
        let health = of(Some("127.0.0.1:2")).unwrap();
        assert_eq!(health, "http://127.0.0.1:2/-/healthy");
    }
}
