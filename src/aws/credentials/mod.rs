//! Where credentials come from: the SDK's own providers, with what they lack.
//!
//! Each provider is made anew whenever credentials are read, so that files that changed count. It
//! reaches AWS and the instance as [`network`] says, what it runs ends with it, and what it gives is
//! checked before the SDK panics on it. The deadline is the session slot's, which drops the future.
//! No message holds more of an access key than its last four characters, nor what a program printed.

mod files;
mod network;
mod process;
mod region;
mod watch;

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::Region;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::classify::causes;
use crate::failure::{Failure, Reason};
use files::{FileError, Paths, SharedFiles};
use network::CaBundle;
use process::Run;
pub use process::end_processes;
pub use region::Machine;
pub(super) use watch::Watch;

/// The profile that is used where none is named.
const DEFAULT_PROFILE: &str = "default";

/// The last of the standard chain.
const INSTANCE: &str = "instance";

/// How long the second attempt to ask the instance's metadata may take. The SDK's own takes one
/// second, and there is metadata that is slower at times.
const SLOW_METADATA: Duration = Duration::from_secs(5);

/// The environment of the process, as far as it is text. One that is empty is not set.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(HashMap<String, String>);

impl Variables {
    fn of_process() -> Self {
        let is_text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(is_text).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// A path in which `~` is the home folder.
    fn expanded(&self, path: &str) -> PathBuf {
        let path = Path::new(path);
        match (path.strip_prefix("~"), self.get("HOME")) {
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.to_owned(),
        }
    }

    /// The profile that the SDK takes where the configuration names none.
    fn profile(&self) -> Option<&str> {
        self.get("AWS_PROFILE")
    }
}

/// Whether a text can stand in a header: the SDK panics on one that cannot.
fn is_sendable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The last four characters of an access key, by which people tell keys apart; none of a text that
/// is too short for a key.
pub(super) fn last_four(access_key: &str) -> String {
    /// Source: IAM API Reference, `AccessKey`, `AccessKeyId`.
    const SHORTEST: usize = 16;
    let end = access_key.get(access_key.len().saturating_sub(4)..);
    let end = end.filter(|_| access_key.len() >= SHORTEST && is_sendable(access_key));
    format!("…{}", end.unwrap_or_default())
}

/// Reads credentials.
pub(super) struct Sources {
    variables: Variables,
    watch: Arc<Watch>,
    /// The profile that the configuration names for the caller.
    profile: Option<String>,
    http: SharedHttpClient,
    fips: Option<bool>,
    dual_stack: Option<bool>,
}

/// How the SDK reaches AWS: what is read once, at the start.
pub(super) struct Surroundings {
    variables: Variables,
    watch: Arc<Watch>,
    files: Option<SharedFiles>,
    bundle: Option<CaBundle>,
}

impl Surroundings {
    /// Reads the environment, and the shared files for the caller's profile.
    pub fn read(profile: Option<&str>) -> Self {
        let variables = Variables::of_process();
        let watch = Watch::new(Paths::new(&variables));
        // What is wrong with a file is said when credentials are read.
        let files = watch.paths().read().ok();
        let profile = profile.or(variables.profile()).unwrap_or(DEFAULT_PROFILE);
        let bundle = CaBundle::find(&variables, files.as_ref(), profile);
        Self {
            variables,
            watch: Arc::new(watch),
            files,
            bundle,
        }
    }

    /// The shared files as the SDK takes them, and the name of a profile in them.
    pub fn for_sdk(&self, profile: Option<&str>) -> (EnvConfigFiles, String) {
        let files = self.files.as_ref();
        // The SDK would read those that cannot be read itself, and hang where they do.
        let files = files.map_or_else(files::nothing_for_sdk, |files| files.for_sdk(""));
        let profile = profile.or(self.variables.profile());
        (files, files::sdk_name(profile.unwrap_or(DEFAULT_PROFILE)))
    }

    /// What AWS's services are asked with; `None` where the SDK's own client does.
    pub fn http(&self) -> Option<SharedHttpClient> {
        network::for_services(self.bundle.as_ref())
    }

    /// What reads credentials, with FIPS and dual stack as the SDK has been set.
    pub fn sources(
        self,
        profile: Option<&str>,
        fips: Option<bool>,
        dual_stack: Option<bool>,
    ) -> Sources {
        Sources {
            http: network::for_providers(self.bundle.as_ref(), &self.variables),
            variables: self.variables,
            watch: self.watch,
            profile: profile.map(str::to_owned),
            fips,
            dual_stack,
        }
    }
}

impl Sources {
    /// Says when the shared files change.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// The caller's credentials: those of the profile that the configuration names, else what the
    /// SDK's standard chain finds.
    ///
    /// Source: AWS SDKs and Tools Reference Guide, "Understand the credential provider chain".
    pub async fn of_caller(&self, region: &str) -> Result<Credentials, Failure> {
        if let Some(profile) = &self.profile {
            return self.of_profile(region, profile).await;
        }
        let config = self.provider_config(region);
        let mut tried = Vec::new();
        // The last of the chain is tried alike, whatever it fails of.
        let mut try_one = async |name: &str, provider: &dyn ProvideCredentials| match provider
            .provide_credentials()
            .await
        {
            Ok(credentials) => Some(checked("the caller", credentials)),
            Err(error)
                if name == INSTANCE
                    || matches!(error, CredentialsError::CredentialsNotLoaded(_)) =>
            {
                tried.push(format!("{name}: {}", of_provider(&error)));
                None
            }
            Err(error) => {
                let why = format!("{name}: {}", of_provider(&error));
                Some(Err(failed("the caller", &why)))
            }
        };
        let environment = EnvironmentVariableCredentialsProvider::new();
        if let Some(found) = try_one("environment", &environment).await {
            return found;
        }
        let named = self.variables.profile();
        let profile = named.unwrap_or(DEFAULT_PROFILE);
        let files = self.files("the caller").await?;
        if files.has(profile) {
            tokens_readable("the caller", &files, profile).await?;
            let run = Run::new();
            let provider = profile_provider(&config, &files, profile, &run);
            let found = try_one(&format!("profile '{profile}'"), &provider).await;
            run.finished();
            if let Some(found) = found {
                return found;
            }
            // What comes after it in the chain may be another account's.
            if files.get(profile, "role_arn").is_some() {
                return Err(failed("the caller", &tried.join("; ")));
            }
        } else if named.is_some_and(|named| named != DEFAULT_PROFILE) {
            // What comes after it in the chain may be another account's.
            let missing = format!("AWS_PROFILE: {}", files.missing(profile));
            return Err(failed("the caller", &missing));
        }
        // The first that is named is the one that is read.
        let token_file = [
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ]
        .into_iter()
        .find_map(|variable| Some((variable, self.variables.get(variable)?)));
        if let Some((variable, path)) = token_file {
            readable("the caller", variable, path).await?;
        }
        let web_identity = WebIdentityTokenCredentialsProvider::builder();
        let container = EcsCredentialsProvider::builder().configure(&config);
        let rest: [(&str, &dyn ProvideCredentials); 3] = [
            ("web identity", &web_identity.configure(&config).build()),
            ("container", &container.build()),
            (INSTANCE, &Instance::new(&config)),
        ];
        for (name, provider) in rest {
            if let Some(found) = try_one(name, provider).await {
                return found;
            }
        }
        let none = format!(
            "none are found ({}); set AWS credentials as for any AWS tool: docs/credentials.md \
             lists the ways",
            tried.join("; ")
        );
        Err(failed("the caller", &none))
    }

    /// The credentials of a profile of the shared files, by the rules of the SDK: keys, roles, SSO,
    /// processes.
    pub async fn of_profile(&self, region: &str, profile: &str) -> Result<Credentials, Failure> {
        let whose = format!("profile '{profile}'");
        let files = self.files(&whose).await?;
        if !files.has(profile) {
            return Err(Failure::new(Reason::Credentials, files.missing(profile)));
        }
        tokens_readable(&whose, &files, profile).await?;
        let run = Run::new();
        let config = self.provider_config(region);
        let provider = profile_provider(&config, &files, profile, &run);
        let result = provider.provide_credentials().await;
        run.finished();
        let credentials = result.map_err(|error| failed(&whose, &of_provider(&error)))?;
        checked(&whose, credentials)
    }

    async fn files(&self, whose: &str) -> Result<SharedFiles, Failure> {
        // On a disk that hangs as well.
        let watch = Arc::clone(&self.watch);
        let read = tokio::task::spawn_blocking(move || watch.paths().read());
        let read = match read.await {
            Ok(read) => read.map_err(|error: FileError| error.to_string()),
            Err(_) => Err("reading the shared files broke off".to_owned()),
        };
        read.map_err(|why| failed(whose, &why))
    }

    fn provider_config(&self, region: &str) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(Region::new(region.to_owned())))
            .with_http_client(self.http.clone())
            .with_use_fips(self.fips)
            .with_use_dual_stack(self.dual_stack)
    }
}

fn profile_provider(
    config: &ProviderConfig,
    files: &SharedFiles,
    profile: &str,
    run: &Run,
) -> ProfileFileCredentialsProvider {
    ProfileFileCredentialsProvider::builder()
        .configure(config)
        .profile_files(files.for_sdk(&run.before()))
        .profile_name(files::sdk_name(profile))
        .with_custom_provider("Ec2InstanceMetadata", Instance::new(config))
        .build()
}

/// The instance's role: asked as the SDK does, and once more with more time where that timed out.
#[derive(Debug)]
struct Instance {
    quick: ImdsCredentialsProvider,
    slow: ImdsCredentialsProvider,
}

impl Instance {
    fn new(config: &ProviderConfig) -> Self {
        let provider = |client| {
            let provider = ImdsCredentialsProvider::builder().configure(config);
            provider.imds_client(client).build()
        };
        let [quick, slow] = metadata(config).map(provider);
        Self { quick, slow }
    }
}

impl ProvideCredentials for Instance {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.quick.provide_credentials().await {
                Err(error) if is_timeout(&error) => self.slow.provide_credentials().await,
                result => result,
            }
        })
    }
}

/// Clients of the instance's metadata: the SDK's own, and one that waits longer.
fn metadata(config: &ProviderConfig) -> [imds::Client; 2] {
    let client = || imds::Client::builder().configure(config);
    let slow = client()
        .connect_timeout(SLOW_METADATA)
        .read_timeout(SLOW_METADATA)
        .operation_attempt_timeout(SLOW_METADATA)
        .operation_timeout(SLOW_METADATA);
    [client().build(), slow.build()]
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let causes = causes(error);
    ["timeout", "timed out"]
        .iter()
        .any(|words| causes.contains(words))
}

/// Whether a file of tokens can be read, which the SDK does on the thread of all calls: one that
/// hangs would hold them all up.
async fn readable(whose: &str, named_by: &str, path: &str) -> Result<(), Failure> {
    let file = PathBuf::from(path);
    let read = tokio::task::spawn_blocking(move || exporter_toolkit::files::read(&file)).await;
    let why = match read {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "reading it broke off".to_owned(),
    };
    Err(failed(whose, &format!("{named_by}: {path}: {why}")))
}

async fn tokens_readable(whose: &str, files: &SharedFiles, profile: &str) -> Result<(), Failure> {
    const KEY: &str = "web_identity_token_file";
    match files.get(profile, KEY) {
        Some((path, _)) => readable(whose, KEY, path).await,
        None => Ok(()),
    }
}

/// Credentials that can be sent.
pub(super) fn checked(whose: &str, credentials: Credentials) -> Result<Credentials, Failure> {
    let token = credentials.session_token().unwrap_or_default();
    if is_sendable(credentials.access_key_id()) && is_sendable(token) {
        return Ok(credentials);
    }
    let key = last_four(credentials.access_key_id().trim());
    Err(failed(
        whose,
        &format!(
            "the access key id ({key}) or the session token holds a character that none has, such as \
             a line feed at its end"
        ),
    ))
}

fn failed(whose: &str, why: &str) -> Failure {
    Failure::new(
        Reason::Credentials,
        format!("credentials of {whose}: {why}"),
    )
}

/// What a provider says of its failure, without what a program printed: that may be a secret.
fn of_provider(error: &CredentialsError) -> String {
    // What follows is the variable's value.
    const NO_TEXT: &str = "was not valid unicode";

    let causes = causes(error);
    if let Some((what, _)) = causes.split_once(NO_TEXT) {
        return format!("{what}{NO_TEXT}; set it again as UTF-8 text");
    }
    // What of the SDK says nothing of what happened.
    let causes = [
        "the credential provider was not enabled: ",
        "an error occurred while loading credentials: ",
    ]
    .iter()
    .fold(causes.as_str(), |causes, words| {
        causes.strip_prefix(words).unwrap_or(causes)
    });
    if let Some((what, _)) = causes.split_once(" Stderr: ") {
        return format!(
            "{what} What it printed is not shown, for it may hold secrets: run it by hand, as the \
             exporter's user"
        );
    }
    // A container's URI is a credential itself.
    if let Some((what, _)) = causes.split_once(" URI for ECS provider (") {
        return format!(
            "{what} URI: AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or lead to loopback, ECS or EKS"
        );
    }
    if causes.contains("access token") || causes.contains("SSO") {
        return format!(
            "{causes}; sign in again with aws sso login, as the exporter's user; such sessions end, \
             so give a daemon a role"
        );
    }
    causes.to_owned()
}
