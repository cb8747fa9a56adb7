//! The table of `README.md` says of each key of web.yml what is so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

use std::collections::BTreeSet;

use exporter_toolkit::WebConfig;

const README: &str = include_str!("../README.md");
const TLS: &str = "tls_server_config.";

/// The keys of the table, each with an accepted and a refused example.
fn rows() -> Vec<[&'static str; 3]> {
    let lines = README
        .lines()
        .skip_while(|line| !line.starts_with("| key |"));
    lines
        .skip(2)
        .take_while(|line| line.starts_with("| "))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
            let [key, _, accepted, refused] = cells[..] else {
                panic!("four cells, please: {line}");
            };
            [key, accepted, refused].map(|cell| cell.trim().trim_matches('`'))
        })
        .collect()
}

#[test]
fn each_example_is_accepted_or_refused_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let other = rcgen::KeyPair::generate().unwrap();
    write("server.crt", &certificate);
    write("ca.crt", &certificate);
    write("server.key", &key);
    write("other.key", &other.serialize_pem());
    let both = format!("{certificate}{key}").replace('\n', "\\n");
    for [key, accepted, refused] in rows() {
        for (example, is_good) in [(accepted, true), (refused, false)] {
            let mut text = example.replace("PEM", &format!("\"{both}\""));
            if key.starts_with(TLS) {
                let has_own = ["cert", "key"].iter().any(|own| example.starts_with(own));
                let beside = ["cert_file: server.crt, key_file: server.key, ", ""];
                let beside = beside[usize::from(has_own)];
                text = format!("tls_server_config: {{{beside}{text}}}\n");
            }
            write("web.yml", &text);
            let opened = WebConfig::open(&folder.path().join("web.yml"));
            assert_eq!(opened.is_ok(), is_good, "{key}: {example}: {opened:?}");
        }
    }
}

#[test]
fn each_key_that_is_read_has_a_row() {
    let source = include_str!("../src/web_config/yaml.rs");
    let fields = source.lines().filter_map(|line| {
        let field = line.trim().strip_prefix("pub ")?;
        let (name, kind) = field.split_once(": Option<")?;
        let is_section = kind.contains("Section") || name == "headers";
        (!is_section).then(|| name.to_owned())
    });
    let headers = include_str!("../src/web_config/rules.rs");
    let headers = headers.split("const HEADERS").nth(1).unwrap();
    let headers = headers
        .split("];")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| {
            let name = line.trim().strip_prefix("(\"")?;
            Some(name.split('"').next().unwrap().to_owned())
        });
    let known: BTreeSet<_> = fields.chain(headers).chain(["http2".to_owned()]).collect();
    let documented: BTreeSet<_> = rows()
        .iter()
        .map(|[key, ..]| key.rsplit('.').next().unwrap().to_owned())
        .collect();
    assert_eq!(documented, known);
}
