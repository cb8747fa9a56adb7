//! File, environment and flags become one validated [`Config`], or a list of errors that each say
//! where, what and what to do.
//!
//! Only this module has defaults. It reads its own file and nothing else: environment, flags and the
//! machine's Regions are arguments. It opens no other file, binds no address and makes no request.

mod accounts;
mod base_url;
mod error;
mod exceptions;
mod load;
mod misnamed;
mod model;
mod queue_url;
mod region;
mod region_name;
mod sections;
mod settings;
mod sources;
mod table;
mod values;

pub use base_url::BaseUrl;
pub use error::{ConfigError, ConfigErrors};
pub use load::{DEFAULT_FILE, load, parse};
pub use misnamed::{Misnamed, misnamed};
pub use model::{
    Aws, Config, Detail, Events, LOG_FORMATS, LOG_LEVELS, Log, LogFormat, MemberAccess,
    Organization, Refresh, Reload, Shard, Sources, State, Users, Web,
};
pub use queue_url::QueueUrl;
pub use region::{FoundRegion, Regions};
pub use sources::{ENVIRONMENT_PREFIX, Overrides};
pub use values::parse_duration;
