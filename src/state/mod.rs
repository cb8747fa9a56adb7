//! stub
use crate::views::*;
use root_posture::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
#[derive(Clone, Debug)]
pub struct SavedAccount {
    pub record: Record,
    pub onset: Onset,
    pub report: Option<Arc<ReportView>>,
    pub listed: Option<Arc<ListedKeys>>,
    pub report_due: Option<Moment>,
    pub last_success: BTreeMap<Source, Timestamp>,
}
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub caller: Option<AccountId>,
    pub organization: Option<Arc<KnownOrganization>>,
    pub left: BTreeMap<AccountId, Left>,
}
#[derive(Clone, Debug, Default)]
pub struct State {
    pub meta: Meta,
    pub accounts: BTreeMap<AccountId, SavedAccount>,
}
#[derive(Clone, Debug)]
pub struct Gate(pub Arc<Views>);
impl Gate {
    pub fn showing(views: Arc<Views>) -> Self {
        Self(views)
    }
    pub fn publish(&self, _saved: SavedAccount, view: AccountView) {
        self.0.put(view);
    }
    pub fn restore(&self, view: AccountView) {
        self.0.put(view);
    }
    pub fn remove(&self, id: AccountId) {
        self.0.remove(id);
    }
    pub fn meta(&self, _meta: Meta) {}
}
