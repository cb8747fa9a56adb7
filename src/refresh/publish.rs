//! What becomes of an account's figures: shown at once, or once they are on disk; and what is kept.

use super::{Schedule, keeper};
use crate::account::AccountId;
use crate::store::State;

impl Schedule {
    /// Shows what is known of an account; what is worse than what is shown, only once it is on
    /// disk.
    pub(super) fn publish(&mut self, id: AccountId) {
        let Some(watched) = self.watched.get(&id) else {
            return;
        };
        let view = watched.view(&self.settings);
        if let Some(keeper) = &mut self.keeper {
            let shown = self
                .store
                .get(id)
                .map(|view| view.posture)
                .unwrap_or_default();
            let now = self.clock.moment();
            if keeper.changed(id, &shown, &view.posture, now) == keeper::Publish::Later {
                return;
            }
        }
        self.store.put(view);
    }

    /// A save has ended, well or not: what waited for it is shown.
    pub(super) fn saved(&mut self, saved: &keeper::Saved) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        for (id, on_disk) in keeper.ended(saved, &self.store, &self.clock) {
            let Some(watched) = self.watched.get(&id) else {
                continue;
            };
            let view = watched.view(&self.settings);
            match on_disk {
                Some(on_disk) if view.posture.is_worse_than(&on_disk) => self.publish(id),
                _ => self.store.put(view),
            }
        }
    }

    /// Everything that is to be kept.
    pub(super) fn state(&self) -> State {
        let mut accounts = self.restored.clone();
        accounts.extend(
            self.watched
                .iter()
                .filter_map(|(id, watched)| Some((*id, watched.saved()?))),
        );
        State {
            caller: self.caller,
            organization: self.organization.clone(),
            left: self.left.clone(),
            accounts,
        }
    }
}
