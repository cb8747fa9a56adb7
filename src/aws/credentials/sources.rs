//! Reads the credentials of the caller and of profiles.
//!
//! The SDK's own providers do the work. Beside them: what they run ends with them, a file that hangs
//! holds up nothing else, and credentials that would make the SDK panic are refused. The deadline is
//! that of the session slot, which drops the future.

use std::path::PathBuf;
use std::sync::Arc;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::environment::{profile_or_default, variable};
use super::files::{SharedFiles, sdk_files, sdk_name};
use super::machine::named_profile;
use super::network::{CaBundle, client, metadata};
use super::process::Run;
use super::watch::Watch;
use crate::aws::classify::causes;
use crate::failure::{Failure, Reason};

const CALLER: &str = "the caller";

/// Reads credentials.
pub(in crate::aws) struct Sources {
    watch: Arc<Watch>,
    /// Asks AWS for credentials.
    http: SharedHttpClient,
    /// Asks the instance and the container for credentials, and no proxy.
    local_http: SharedHttpClient,
    fips: Option<bool>,
    dual_stack: Option<bool>,
}

impl Sources {
    /// Reads the environment, and the shared files for the caller's profile. Returns the SDK's
    /// settings as well.
    pub async fn load(profile: Option<&str>, region: Region) -> (Self, SdkConfig) {
        let watch = Arc::new(Watch::new());
        // A problem with a file is reported when credentials are read.
        let files = SharedFiles::read().ok();
        let profile = profile_or_default(profile);
        let bundle = CaBundle::find(files.as_ref(), &profile);
        // Without contents the SDK would read the files itself, and hang where they do.
        let contents = files.map_or_else(
            || sdk_files(String::new(), String::new()),
            |files| files.for_sdk(""),
        );
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .profile_name(sdk_name(&profile))
            .profile_files(contents)
            .no_credentials();
        if bundle.is_some() {
            loader = loader.http_client(client(bundle.as_ref(), ProxyConfig::from_env()));
        }
        let config = loader.load().await;
        let sources = Self {
            watch,
            http: client(bundle.as_ref(), ProxyConfig::from_env()),
            local_http: client(bundle.as_ref(), ProxyConfig::disabled()),
            fips: config.use_fips(),
            dual_stack: config.use_dual_stack(),
        };
        (sources, config)
    }

    /// Counts the changes of the shared files.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Reads the credentials of a profile; without one, those of the SDK's standard chain.
    pub async fn read(&self, region: &str, profile: Option<&str>) -> Result<Credentials, Failure> {
        let Some(profile) = profile else {
            return self.read_chain(region).await;
        };
        let owner = format!("profile '{profile}'");
        let files = shared_files(&owner).await?;
        if !files.has(profile) {
            return Err(Failure::new(Reason::Credentials, files.missing(profile)));
        }
        let provided = self.provide(region, &owner, &files, profile).await?;
        let credentials = provided.map_err(|error| failed(&owner, &describe(&error)))?;
        checked(&owner, credentials)
    }

    /// Tries the SDK's standard chain in its order: the first provider that has credentials decides.
    ///
    /// Source: AWS SDKs and Tools Reference Guide, "Understand the credential provider chain".
    async fn read_chain(&self, region: &str) -> Result<Credentials, Failure> {
        let mut tried = Vec::new();
        let mut accept = |name: &str, provided: Provided| match provided {
            Ok(credentials) => checked(CALLER, credentials).map(Some),
            Err(error) => {
                let problem = format!("{name}: {}", describe(&error));
                // The instance is the last, whatever its problem.
                let goes_on = matches!(error, CredentialsError::CredentialsNotLoaded(_));
                if !goes_on && name != "instance" {
                    return Err(failed(CALLER, &problem));
                }
                tried.push(problem);
                Ok(None)
            }
        };
        let environment = EnvironmentVariableCredentialsProvider::new();
        if let Some(found) = accept("environment", environment.provide_credentials().await)? {
            return Ok(found);
        }
        let profile = profile_or_default(None);
        let files = shared_files(CALLER).await?;
        if files.has(&profile) {
            let provided = self.provide(region, CALLER, &files, &profile).await?;
            if let Some(found) = accept(&format!("profile '{profile}'"), provided)? {
                return Ok(found);
            }
            // A later provider may have another account's credentials.
            if files.get(&profile, "role_arn").is_some() {
                return Err(failed(CALLER, &tried.join("; ")));
            }
        } else if named_profile().is_some() {
            // As above.
            let missing = format!("AWS_PROFILE: {}", files.missing(&profile));
            return Err(failed(CALLER, &missing));
        }
        let config = self.config(region, &self.http);
        let local = self.config(region, &self.local_http);
        let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config);
        let rest: [(_, _, &dyn ProvideCredentials); 3] = [
            (
                "web identity",
                Some("AWS_WEB_IDENTITY_TOKEN_FILE"),
                &web_identity.build(),
            ),
            (
                "container",
                Some("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
                &container(&local),
            ),
            ("instance", None, &instance(&local)),
        ];
        for (name, token_file, provider) in rest {
            if let Some(token_file) = token_file
                && let Some(path) = variable(token_file)
            {
                check_token_file(CALLER, token_file, &path).await?;
            }
            if let Some(found) = accept(name, provider.provide_credentials().await)? {
                return Ok(found);
            }
        }
        let none = format!(
            "none are found ({}); set AWS credentials as for any AWS tool: docs/credentials.md \
             lists the ways",
            tried.join("; ")
        );
        Err(failed(CALLER, &none))
    }

    /// Runs the SDK's provider for a profile: keys, roles, SSO, processes.
    async fn provide(
        &self,
        region: &str,
        owner: &str,
        files: &SharedFiles,
        profile: &str,
    ) -> Result<Provided, Failure> {
        const TOKEN_FILE: &str = "web_identity_token_file";
        if let Some((path, _)) = files.get(profile, TOKEN_FILE) {
            check_token_file(owner, TOKEN_FILE, path).await?;
        }
        let run = Run::new();
        let local = self.config(region, &self.local_http);
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&self.config(region, &self.http))
            .profile_files(files.for_sdk(&run.before()))
            .profile_name(sdk_name(profile))
            .with_custom_provider("Ec2InstanceMetadata", instance(&local))
            .with_custom_provider("EcsContainer", container(&local))
            .build();
        let result = provider.provide_credentials().await;
        run.finished();
        Ok(result)
    }

    /// The settings of one provider. They are made for one reading, for they keep the contents of files.
    fn config(&self, region: &str, http: &SharedHttpClient) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(Region::new(region.to_owned())))
            .with_http_client(http.clone())
            .with_use_fips(self.fips)
            .with_use_dual_stack(self.dual_stack)
    }
}

async fn shared_files(owner: &str) -> Result<SharedFiles, Failure> {
    // On a thread of its own: the disk may hang.
    let read = tokio::task::spawn_blocking(SharedFiles::read).await;
    read.unwrap_or_else(|_| Err("reading the shared files was aborted".to_owned()))
        .map_err(|problem| failed(owner, &problem))
}

fn instance(local: &ProviderConfig) -> ImdsCredentialsProvider {
    let provider = ImdsCredentialsProvider::builder().configure(local);
    provider.imds_client(metadata(local)).build()
}

fn container(local: &ProviderConfig) -> EcsCredentialsProvider {
    EcsCredentialsProvider::builder().configure(local).build()
}

/// Fails where a file of tokens cannot be read. The SDK reads it on the thread of all calls, and one
/// that hangs would hold them all up.
async fn check_token_file(owner: &str, named_by: &str, path: &str) -> Result<(), Failure> {
    let file = PathBuf::from(path);
    let problem =
        match tokio::task::spawn_blocking(move || exporter_toolkit::files::read(&file)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "reading it was aborted".to_owned(),
        };
    Err(failed(owner, &format!("{named_by}: {path}: {problem}")))
}

/// Refuses credentials that cannot be sent: the SDK panics on a text that cannot be a header.
pub(in crate::aws) fn checked(
    owner: &str,
    credentials: Credentials,
) -> Result<Credentials, Failure> {
    let token = credentials.session_token().unwrap_or_default();
    if is_header(credentials.access_key_id()) && is_header(token) {
        return Ok(credentials);
    }
    let key = last_four(credentials.access_key_id().trim());
    Err(failed(
        owner,
        &format!(
            "the access key id ({key}) or the session token holds a character that none has, such as \
             a line feed at its end"
        ),
    ))
}

fn is_header(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The last four characters of an access key, which identify it to people; none of a text that
/// is too short for a key.
pub(in crate::aws) fn last_four(access_key: &str) -> String {
    /// Source: IAM API Reference, `AccessKey`, `AccessKeyId`.
    const SHORTEST: usize = 16;
    let end = access_key.get(access_key.len().saturating_sub(4)..);
    let end = end.filter(|_| access_key.len() >= SHORTEST && is_header(access_key));
    format!("…{}", end.unwrap_or_default())
}

fn failed(owner: &str, problem: &str) -> Failure {
    let message = format!("credentials of {owner}: {problem}");
    Failure::new(Reason::Credentials, message)
}

/// A provider's failure in words, without what a program printed: that may be a secret.
fn describe(error: &CredentialsError) -> String {
    // The value of the variable follows.
    const NO_TEXT: &str = "was not valid unicode";

    let causes = causes(error);
    if let Some((what, _)) = causes.split_once(NO_TEXT) {
        return format!("{what}{NO_TEXT}; set it again as UTF-8 text");
    }
    // Words of the SDK that say nothing about the problem.
    let causes = causes.trim_start_matches("the credential provider was not enabled: ");
    let causes = causes.trim_start_matches("an error occurred while loading credentials: ");
    if let Some((what, _)) = causes.split_once(" Stderr: ") {
        return format!(
            "{what} What it printed is not shown, for it may hold secrets: run it by hand, as the \
             exporter's user"
        );
    }
    // A container's URI is itself a credential.
    if let Some((what, _)) = causes.split_once(" URI for ECS provider (") {
        return format!(
            "{what} URI: AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or lead to loopback, ECS \
             or EKS"
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
