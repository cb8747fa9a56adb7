//! What people do in an account by hand: it changes the account, and CloudTrail records it.

use serde_json::{Value, json};

use crate::calendar;
use crate::event::{self, BROWSER, Event, EventError, Kind, SessionContext};
use crate::id::AccountId;
use crate::model::{AccessKey, Account, unique_id};
use crate::trail::{ECHO_RULE, ROOT_RULE};
use crate::world::World;

/// Who acts: from where, with what, and whether with MFA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    address: String,
    client: String,
    access_key: Option<String>,
    mfa: bool,
}

impl Actor {
    /// Somebody with a browser at that address, without MFA.
    #[must_use]
    pub fn console(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            client: BROWSER.to_owned(),
            access_key: None,
            mfa: false,
        }
    }

    /// Somebody with the AWS CLI and an access key at that address.
    #[must_use]
    pub fn access_key(address: impl Into<String>, access_key: impl Into<String>) -> Self {
        Self {
            client: "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux lang/python#3.13".to_owned(),
            access_key: Some(access_key.into()),
            ..Self::console(address)
        }
    }

    fn is_on_console(&self) -> bool {
        self.access_key.is_none()
    }

    /// The same with that user agent.
    #[must_use]
    pub fn client(mut self, user_agent: impl Into<String>) -> Self {
        self.client = user_agent.into();
        self
    }

    /// The same with MFA.
    #[must_use]
    pub fn with_mfa(mut self) -> Self {
        self.mfa = true;
        self
    }
}

/// A change that ends or weakens the delivery of an account's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// Ends delivery.
    StopLogging,
    /// Ends delivery.
    DeleteTrail,
    /// Changes the trail; delivery goes on.
    UpdateTrail,
    /// Leaves management events out: ends delivery.
    PutEventSelectors,
    /// Ends delivery by the rule of that name.
    DisableRule(String),
    /// Ends delivery by the rule of that name.
    DeleteRule(String),
    /// Changes the rule of that name; delivery goes on.
    PutRule(String),
    /// Ends delivery by the rule of that name.
    RemoveTargets(String),
}

impl Tampering {
    fn name(&self) -> &'static str {
        match self {
            Self::StopLogging => "StopLogging",
            Self::DeleteTrail => "DeleteTrail",
            Self::UpdateTrail => "UpdateTrail",
            Self::PutEventSelectors => "PutEventSelectors",
            Self::DisableRule(_) => "DisableRule",
            Self::DeleteRule(_) => "DeleteRule",
            Self::PutRule(_) => "PutRule",
            Self::RemoveTargets(_) => "RemoveTargets",
        }
    }

    fn service(&self) -> &'static str {
        match self {
            Self::StopLogging | Self::DeleteTrail | Self::UpdateTrail | Self::PutEventSelectors => {
                "cloudtrail"
            }
            Self::DisableRule(_)
            | Self::DeleteRule(_)
            | Self::PutRule(_)
            | Self::RemoveTargets(_) => "events",
        }
    }

    fn request(&self, account: AccountId) -> Value {
        let trail = format!("arn:aws:cloudtrail:us-east-1:{account}:trail/management-events");
        match self {
            Self::StopLogging | Self::DeleteTrail | Self::UpdateTrail => json!({"name": trail}),
            Self::PutEventSelectors => json!({
                "trailName": trail,
                "eventSelectors": [{
                    "readWriteType": "WriteOnly",
                    "includeManagementEvents": false,
                    "dataResources": [],
                    "excludeManagementEventSources": [],
                }],
            }),
            Self::DisableRule(rule) | Self::DeleteRule(rule) => json!({"name": rule}),
            Self::PutRule(rule) => json!({"name": rule, "state": "ENABLED"}),
            Self::RemoveTargets(rule) => json!({"rule": rule, "ids": ["hub"]}),
        }
    }
}

/// The root user of an account, in somebody's hands. See [`World::root`].
///
/// Each method changes the account, if the action does, and has CloudTrail record it.
#[derive(Clone, Debug)]
pub struct RootUser {
    world: World,
    account: AccountId,
    actor: Actor,
    now: i64,
}

impl World {
    /// The root user of an account, as `actor` uses it at `now` (Unix seconds).
    ///
    /// What [`World::edit`] changes is recorded nowhere; this is the way to have events.
    #[must_use]
    pub fn root(&self, account: AccountId, actor: Actor, now: i64) -> RootUser {
        RootUser {
            world: self.clone(),
            account,
            actor,
            now,
        }
    }

    /// Has the session of a role tamper with the delivery of an account's events.
    ///
    /// # Panics
    ///
    /// When there is no such account.
    pub fn tamper(
        &self,
        account: AccountId,
        role: &str,
        actor: &Actor,
        tampering: &Tampering,
        now: i64,
    ) {
        let key = actor.access_key.clone();
        let key = key.unwrap_or_else(|| unique_id("ASIASIM"));
        let identity = event::role_identity(account, role, "someone", &key, now);
        self.apply(account, identity, actor, tampering, now);
    }

    fn apply(
        &self,
        account: AccountId,
        identity: Value,
        actor: &Actor,
        tampering: &Tampering,
        now: i64,
    ) {
        let event = Event {
            account,
            at: now,
            service: tampering.service().to_owned(),
            name: tampering.name().to_owned(),
            identity,
            address: actor.address.clone(),
            user_agent: actor.client.clone(),
            request: tampering.request(account),
            response: Value::Null,
            error: None,
            kind: Kind::ApiCall {
                request_id: self.request_id(),
                from_console: actor.is_on_console(),
            },
        };
        // A trail reports its own end. A rule may have stopped before the event arrives that says so.
        let is_of_trail = tampering.service() == "cloudtrail";
        if is_of_trail {
            self.act(account, |_| ((), Some(event.clone())));
        }
        self.delivery(|delivery| {
            let stopped = delivery.stopped(account);
            match tampering {
                Tampering::StopLogging | Tampering::DeleteTrail | Tampering::PutEventSelectors => {
                    stopped.all = true;
                }
                Tampering::DisableRule(rule)
                | Tampering::DeleteRule(rule)
                | Tampering::RemoveTargets(rule) => {
                    stopped.root |= rule == ROOT_RULE;
                    stopped.echo |= rule == ECHO_RULE;
                }
                Tampering::UpdateTrail | Tampering::PutRule(_) => {}
            }
        });
        if !is_of_trail {
            self.act(account, |_| ((), Some(event)));
        }
    }
}

impl RootUser {
    fn identity(&self) -> Value {
        let actor = &self.actor;
        if let Some(key) = &actor.access_key {
            return event::root_identity(self.account, key, None);
        }
        let session = SessionContext {
            began: self.now,
            mfa: actor.mfa,
            assumed: false,
        };
        let key = unique_id("ASIASIM");
        event::root_identity(self.account, &key, Some(session))
    }

    fn event(&self, service: &str, name: &str, request: Value, response: Value) -> Event {
        Event {
            account: self.account,
            at: self.now,
            service: service.to_owned(),
            name: name.to_owned(),
            identity: self.identity(),
            address: self.actor.address.clone(),
            user_agent: self.actor.client.clone(),
            request,
            response,
            error: None,
            kind: Kind::ApiCall {
                request_id: self.world.request_id(),
                from_console: self.actor.is_on_console(),
            },
        }
    }

    /// An event of the sign-in service, before there is a session.
    fn sign_in_event(&self, name: &str, result: &str) -> Event {
        let is_login = name == "ConsoleLogin";
        let additional = is_login.then(|| {
            json!({
                "LoginTo": "https://console.aws.amazon.com/console/home?nc2=h_ct&src=header-signin",
                "MobileVersion": "No",
                "MFAUsed": if self.actor.mfa { "Yes" } else { "No" },
            })
        });
        Event {
            identity: event::root_identity(self.account, "", None),
            kind: Kind::SignIn { additional },
            ..self.event("signin", name, Value::Null, json!({ name: result }))
        }
    }

    /// Changes the account and records `event`, if the change was one.
    fn change<R>(&self, change: impl FnOnce(&mut Account) -> Option<R>, event: Event) -> Option<R> {
        self.world.act(self.account, |account| {
            let result = change(account);
            let event = result.is_some().then_some(event);
            (result, event)
        })
    }

    /// Creates an active access key and returns its id; `None`, and no event, when there are two already.
    ///
    /// # Panics
    ///
    /// As all these methods, when there is no such account.
    #[must_use = "the id is None when there was no room for the key"]
    pub fn create_key(&self) -> Option<String> {
        let now = self.now;
        let mut event = self.event("iam", "CreateAccessKey", Value::Null, Value::Null);
        self.world.act(self.account, move |account| {
            let Some(id) = account.root.create_key(now) else {
                return (None, None);
            };
            event.response = json!({"accessKey": {
                "accessKeyId": id,
                "status": "Active",
                "createDate": calendar::long(now),
            }});
            (Some(id), Some(event))
        })
    }

    /// Activates a key; whether there is one of that id.
    #[must_use = "false when there is no such key"]
    pub fn activate_key(&self, id: &str) -> bool {
        self.set_key(id, true)
    }

    /// Deactivates a key; whether there is one of that id.
    #[must_use = "false when there is no such key"]
    pub fn deactivate_key(&self, id: &str) -> bool {
        self.set_key(id, false)
    }

    fn set_key(&self, id: &str, active: bool) -> bool {
        let status = if active { "Active" } else { "Inactive" };
        let request = json!({"accessKeyId": id, "status": status});
        let event = self.event("iam", "UpdateAccessKey", request, Value::Null);
        let set = |account: &mut Account| {
            let mut keys = account.root.keys.iter_mut().flatten();
            keys.find(|key| key.id == id).map(|key| key.active = active)
        };
        self.change(set, event).is_some()
    }

    /// Deletes a key; whether there was one of that id.
    #[must_use = "false when there is no such key"]
    pub fn delete_key(&self, id: &str) -> bool {
        let request = json!({"accessKeyId": id});
        let event = self.event("iam", "DeleteAccessKey", request, Value::Null);
        let delete = |account: &mut Account| {
            let has_id =
                |slot: &&mut Option<AccessKey>| slot.as_ref().is_some_and(|key| key.id == id);
            let slot = account.root.keys.iter_mut().find(has_id)?;
            slot.take()
        };
        self.change(delete, event).is_some()
    }

    /// Uploads a signing certificate and returns its id; `None`, and no event, when there are two already.
    #[must_use = "the id is None when there was no room for the certificate"]
    pub fn upload_certificate(&self) -> Option<String> {
        let event = self.event("iam", "UploadSigningCertificate", Value::Null, Value::Null);
        let now = self.now;
        self.change(|account| account.root.upload_certificate(now), event)
    }

    /// Signs in on the console.
    pub fn sign_in(&self) {
        let now = self.now;
        let event = self.sign_in_event("ConsoleLogin", "Success");
        let sign_in = |account: &mut Account| {
            account.root.password_last_used = Some(now);
            Some(())
        };
        self.change(sign_in, event);
    }

    /// Tries to sign in on the console with a wrong password.
    pub fn fail_to_sign_in(&self) {
        let error = EventError {
            code: None,
            message: "Failed authentication".to_owned(),
        };
        let event = Event {
            error: Some(error),
            ..self.sign_in_event("ConsoleLogin", "Failure")
        };
        self.change(|_| Some(()), event);
    }

    /// Sets another password (`PasswordUpdated`).
    pub fn change_password(&self) {
        self.set_password("PasswordUpdated");
    }

    /// Sets a password by way of the account's email address (`PasswordRecoveryCompleted`).
    pub fn recover_password(&self) {
        self.set_password("PasswordRecoveryCompleted");
    }

    fn set_password(&self, name: &str) {
        let now = self.now;
        let event = self.sign_in_event(name, "Success");
        let set = |account: &mut Account| {
            account.root.password = true;
            account.root.password_last_changed = Some(now);
            Some(())
        };
        self.change(set, event);
    }

    /// Sets another email address (`EmailUpdated`).
    pub fn change_email(&self) {
        let event = self.sign_in_event("EmailUpdated", "Success");
        self.change(|_| Some(()), event);
    }

    /// Enables an MFA device.
    pub fn enable_mfa(&self) {
        self.set_mfa("EnableMFADevice", true);
    }

    /// Deactivates the MFA device.
    pub fn deactivate_mfa(&self) {
        self.set_mfa("DeactivateMFADevice", false);
    }

    fn set_mfa(&self, name: &str, on: bool) {
        let request = json!({
            "userName": "AWS ROOT USER",
            "serialNumber": format!("arn:aws:iam::{}:mfa/root-account-mfa-device", self.account),
        });
        let event = self.event("iam", name, request, Value::Null);
        let set = |account: &mut Account| {
            account.root.mfa = on;
            Some(())
        };
        self.change(set, event);
    }

    /// Calls any operation of any service (`ec2`, `s3`), which changes nothing here.
    pub fn call(&self, service: &str, operation: &str, request: Value) {
        let event = self.event(service, operation, request, Value::Null);
        self.change(|_| Some(()), event);
    }

    /// The same, but AWS refuses it with that error code.
    pub fn fail_to_call(&self, service: &str, operation: &str, request: Value, code: &str) {
        let error = EventError {
            code: Some(code.to_owned()),
            message: format!("{operation} was refused"),
        };
        let event = Event {
            error: Some(error),
            ..self.event(service, operation, request, Value::Null)
        };
        self.change(|_| Some(()), event);
    }

    /// Tampers with the delivery of the account's events.
    pub fn tamper(&self, tampering: &Tampering) {
        let identity = self.identity();
        let (world, actor) = (&self.world, &self.actor);
        world.apply(self.account, identity, actor, tampering, self.now);
    }
}
