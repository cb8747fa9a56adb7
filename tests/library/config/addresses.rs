//! Addresses to listen on: their forms in each source, and those that exclude each other.

use aws_root_exporter::config::{Config, Overrides, parse};

use super::{load_environment, load_file};

#[test]
fn addresses_have_the_same_form_in_every_source() {
    let shown = ["[::1]:1", "[::]:2", "localhost:3"];
    let listed = r#"["[::1]:1", ":2", "LocalHost:3"]"#;
    let addresses = |config: Config| -> Vec<String> {
        let addresses = config.web.listen_addresses.iter();
        addresses.map(ToString::to_string).collect()
    };
    let file = format!("web.listen_address = {listed}");
    assert_eq!(addresses(load_file(&file, &[]).unwrap()), shown);
    for text in [listed, "[::1]:1, :2, localhost:3"] {
        let environment = [("AWS_ROOT_EXPORTER__WEB__LISTEN_ADDRESS", text)];
        assert_eq!(addresses(load_environment(&environment).unwrap()), shown);
    }
    let overrides = Overrides {
        listen_addresses: ["[::1]:1", ":2", "localhost:3"].map(str::to_owned).to_vec(),
        ..Overrides::default()
    };
    assert_eq!(addresses(parse(None, [], &overrides, &()).unwrap()), shown);
    for text in ["[::]:1", ":1"] {
        let environment = [
            ("AWS_ROOT_EXPORTER__WEB__LISTEN_ADDRESS", text),
            ("AWS_ROOT_EXPORTER__WEB__HEALTH_LISTEN_ADDRESS", "[::1]:4"),
        ];
        let config = load_environment(&environment).unwrap();
        assert_eq!(config.web.health_listen_address, "[::1]:4".parse().ok());
        assert_eq!(addresses(config), ["[::]:1"]);
    }
}

#[test]
fn errors_about_addresses_have_place_value_and_fix() {
    for (text, line) in [
        (
            "web.listen_address = [\"127.0.0.1:1\", \"10057\"]",
            "web.listen_address[1]: \"10057\" has no address; write \":10057\" for every \
             interface, \"127.0.0.1:10057\" for this machine alone",
        ),
        (
            "web.listen_address = \"http://localhost:10057\"",
            "web.listen_address: \"http://localhost:10057\" is not an IP address or a host name \
             and a port; write it like \"127.0.0.1:9100\", \"[::1]:9100\", \
             \"localhost:9100\" or \":9100\"",
        ),
        (
            "web.listen_address = [\"localhost:10057\", \":10057\"]",
            "web.listen_address[0]: \"localhost:10057\" is part of \"[::]:10057\", which is \
             listed too; remove it",
        ),
        (
            "web.listen_address = \":10057\"\nweb.health_listen_address = \"[::1]:10057\"",
            "web.health_listen_address: \"[::1]:10057\" has the port of web.listen_address, \
             \"[::]:10057\"; give it a port of its own",
        ),
        (
            "web.listen_address = [10057]",
            "web.listen_address[0]: 10057 is a number; put it in quotes: \"10057\"",
        ),
        (
            "web.listen_address = [\"[::1]:1\", \"[::1]:1\"]",
            "web.listen_address[1]: \"[::1]:1\" is listed twice; remove one",
        ),
        (
            "web.health_listen_address = \"127.0.0.1:10057\"",
            "web.health_listen_address: \"127.0.0.1:10057\" is web.listen_address too; give it a \
             port of its own",
        ),
    ] {
        let error = load_file(text, &[]).unwrap_err();
        assert_eq!(error, format!("config.toml: {line}"), "\n{text}");
    }
}
