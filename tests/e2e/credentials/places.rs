//! Where requests to AWS go: Regions and their sources, partitions, and trusted certificates.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::*;
use test_support::server::{Answer, Request, Server, instance};

/// An AWS that refuses every call with this code.
fn refusing(code: &'static str) -> Server {
    Server::start(move |_| refusal(403, code))
}

fn refusal(status: u16, code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>The words of AWS\
         </Message></Error><RequestId>1</RequestId></ErrorResponse>"
    );
    (status, body)
}

fn with_keys(launch: Launch) -> Launch {
    launch.environment([
        ("AWS_ACCESS_KEY_ID", OLD.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "the-secret-of-a-file".to_owned()),
    ])
}

#[test]
fn the_region_comes_from_the_sdk_s_own_order() {
    let config = "[profile gov]\nregion = us-gov-west-1\n[default]\nregion = eu-west-1\n";
    let gov = ("AWS_PROFILE", "gov");
    let variable = ("AWS_REGION", "ap-south-1");
    let metadata = instance(Duration::ZERO, OLD, "sa-east-1");
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    let case = |settings, files, variables: &[_], region, from| {
        let variables = variables.to_vec();
        (settings, files, variables, region, from)
    };
    let cases = [
        case(
            "aws.region = \"ca-central-1\"\n",
            config,
            &[gov, variable],
            "ca-central-1",
            "aws.region",
        ),
        case("", config, &[gov, variable], "ap-south-1", "AWS_REGION"),
        case("", config, &[gov], "us-gov-west-1", "profile 'gov' in "),
        case(
            "aws.profile = \"gov\"\n",
            config,
            &[],
            "us-gov-west-1",
            "profile 'gov' in ",
        ),
        case("", config, &[], "eu-west-1", "profile 'default' in "),
        case("", "", &[], "sa-east-1", "the instance's metadata"),
        case("", "", &[off], "us-east-1", "the default"),
    ];
    for (settings, files, variables, region, from) in cases {
        let aws = refusing("InvalidClientTokenId");
        let metadata = [
            ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url()),
        ];
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let launch = with_keys(launch_at(&aws.url(), settings))
            .environment(metadata)
            .environment(variables);
        let files = format!(
            "{files}{}",
            if settings.contains("profile") {
                "[profile gov]\naws_access_key_id = AKIA\naws_secret_access_key = the-secret-of-a-file\n"
            } else {
                ""
            }
        );
        write(&launch.path(".aws/config"), &files);
        let daemon = launch.start();
        let line = said(
            &daemon,
            &["InvalidClientTokenId", "the likely cause is the Region"],
        );
        assert!(
            line.contains(&format!("{region} (")) && line.contains(from),
            "{line}"
        );
        let asked = aws.requests();
        assert!(
            asked.iter().all(|request| request.region() == region),
            "{region}: {asked:?}"
        );
        end(daemon);
    }
}

#[test]
fn an_account_s_profile_decides_its_region() {
    let aws = refusing("InvalidClientTokenId");
    let config = "[[accounts]]\nid = \"000000000101\"\nprofile = \"gov\"\n";
    let launch =
        launch_at(&aws.url(), config).environment([("AWS_REGION", "eu-west-1".to_owned())]);
    let text = "[profile gov]\nregion = us-gov-east-1\naws_access_key_id = AKIA\n\
                aws_secret_access_key = the-secret-of-a-file\n";
    write(&launch.path(".aws/config"), text);
    let daemon = launch.start();
    said(&daemon, &["us-gov-east-1", "aws-us-gov"]);
    let is_there = |request: &Request| request.region() == "us-gov-east-1";
    assert!(aws.requests().iter().all(is_there));
    end(daemon);
}

#[test]
fn refusals_because_of_the_region_say_so() {
    let organization = "[organization]\nenabled = true\naccess = \"root\"\ninterval = \"1s\"\n";
    for (status, code, operation) in [
        (403, "InvalidClientTokenId", "GetCallerIdentity"),
        (403, "RegionDisabledException", "AssumeRole"),
        (400, "InvalidAction", "AssumeRoot"),
    ] {
        let aws = Simulated::with([account(101, "member")]);
        let relay = relay(&aws, operation, status, code);
        let listed = if operation == "AssumeRole" {
            test_support::simulated::listed(101)
        } else {
            String::new()
        };
        let config = format!("{QUICK}{organization}{listed}");
        let daemon = with_keys(launch_at(&relay.url(), &config)).start();
        let line = said(
            &daemon,
            &[
                code,
                "the likely cause is the Region, us-east-1 (the default",
            ],
        );
        assert!(!line.contains("centralized root access"), "{line}");
        assert!(!line.contains("trust policy"), "{line}");
        assert!(!line.contains(OLD), "{line}");
        end(daemon);
    }
}

/// An AWS that refuses one operation, and passes on every other.
fn relay(aws: &Simulated, operation: &str, status: u16, code: &'static str) -> Server {
    let action = format!("Action={operation}&");
    let (_, address) = aws.url.split_once("://").unwrap();
    let address = address.parse().unwrap();
    Server::start(move |request| {
        if request.body.contains(&action) {
            return refusal(status, code);
        }
        test_support::server::pass_on(address, request)
    })
}

#[test]
fn a_check_names_the_region_and_refuses_one_without_a_partition() {
    let good = Launch::new(&["--config.check"])
        .environment([("AWS_REGION", "cn-north-1".to_owned())])
        .finish();
    assert_eq!(good.code, 0, "{good:?}");
    assert!(
        good.output()
            .join("\n")
            .contains("Region cn-north-1 (AWS_REGION)"),
        "{good:?}"
    );
    let wrong = Launch::new(&["--config.check"])
        .config("aws.region = \"moon-base-1\"\n")
        .finish();
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let errors = wrong.errors().join("\n");
    assert!(errors.contains("aws.region: moon-base-1"), "{errors}");
    let bundle = Launch::new(&["--config.check"])
        .environment([("AWS_CA_BUNDLE", "/no/such/bundle.pem".to_owned())])
        .finish();
    assert_eq!(bundle.code, 0, "{bundle:?}");
    let errors = bundle.errors().join("\n");
    assert!(
        errors.contains("warning: the CA bundle /no/such/bundle.pem (AWS_CA_BUNDLE)"),
        "{errors}"
    );
}

#[test]
fn a_ca_bundle_is_trusted_wherever_it_is_named_and_a_hint_where_it_is_not() {
    let aws = Simulated::with([account(101, "member")]);
    let tls = Tls::before(&aws);
    let profile = "[default]\nca_bundle = ~/corporate.pem\n";
    for (variables, files) in [
        (&[("AWS_CA_BUNDLE", "corporate.pem")][..], ""),
        (&[("SSL_CERT_FILE", "corporate.pem")], ""),
        (&[], profile),
    ] {
        let launch = with_keys(launch_at(&tls.url, QUICK));
        write(&launch.path("corporate.pem"), &tls.authority);
        write(&launch.path(".aws/config"), files);
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let daemon = launch.environment(variables).start();
        read_again(&aws, HUB);
        end(daemon);
    }
    let daemon = with_keys(launch_at(&tls.url, QUICK)).start();
    said(
        &daemon,
        &["network", "UnknownIssuer", "AWS_CA_BUNDLE", "SSL_CERT_FILE"],
    );
    end(daemon);
}

#[test]
fn a_ca_bundle_that_appears_or_changes_later_is_read() {
    let aws = Simulated::with([account(101, "member")]);
    let (tls, other) = (Tls::before(&aws), Tls::before(&aws));
    let wrong = Some(&*other.authority);
    for (at_first, words) in [
        (
            None,
            "the CA bundle corporate.pem (AWS_CA_BUNDLE) cannot be read",
        ),
        (
            Some("no PEM"),
            "the CA bundle corporate.pem (AWS_CA_BUNDLE) holds no certificate",
        ),
        (wrong, "invalid peer certificate"),
    ] {
        let launch = with_keys(launch_at(&tls.url, QUICK))
            .environment([("AWS_CA_BUNDLE", "corporate.pem".to_owned())]);
        let bundle = launch.path("corporate.pem");
        if let Some(text) = at_first {
            write(&bundle, text);
        }
        let daemon = launch.start();
        said(&daemon, &["network", words]);
        write(&bundle, &format!("{}{}", other.authority, tls.authority));
        read_again(&aws, HUB);
        end(daemon);
    }
}

/// A server before a simulated AWS that speaks TLS, with a certificate of an authority of its own.
struct Tls {
    url: String,
    /// The authority's certificate.
    authority: String,
    _runtime: tokio::runtime::Runtime,
}

impl Tls {
    fn before(aws: &Simulated) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (_, to) = aws.url.split_once("://").unwrap();
        let to = to.to_owned();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, to) = (acceptor.clone(), to.clone());
                tokio::spawn(async move {
                    let mut from = acceptor.accept(stream).await?;
                    let mut to = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await
                });
            }
        });
        Self {
            url: format!("https://localhost:{port}"),
            authority,
            _runtime: runtime,
        }
    }
}
