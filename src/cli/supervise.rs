//! The tasks of the daemon: none of them may end before the daemon stops.
//!
//! A task that ended is never restarted, because it may have left the others in a wrong state. The
//! process ends instead; systemd or Kubernetes restarts it, and it reads its state file.

use std::collections::HashMap;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info, warn};

/// How long the tasks may take to end once the daemon stops.
const GRACE: Duration = Duration::from_secs(4);

/// The tasks that run.
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    stop: watch::Sender<bool>,
}

impl Tasks {
    pub fn new() -> Self {
        Self {
            running: JoinSet::new(),
            names: HashMap::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Resolves once the daemon stops.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stop.subscribe();
        async move {
            // An error means that the sender is gone, which is a stop as well.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    }

    /// Runs a task that finishes its work after [`Self::stopped`] and then ends by itself.
    pub fn run(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.run_on(&Handle::current(), name, task);
    }

    /// [`Self::run`] on another runtime.
    pub fn run_on(
        &mut self,
        runtime: &Handle,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.running.spawn_on(task, runtime);
        self.names.insert(handle.id(), name);
    }

    /// Runs a task that is dropped when the daemon stops.
    pub fn run_until_stopped(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let stopped = self.stopped();
        self.run(name, async move {
            tokio::select! {
                () = stopped => {}
                () = task => {}
            }
        });
    }

    /// Waits for a signal or the end of a task, whichever comes first, and stops all tasks.
    ///
    /// # Errors
    ///
    /// The task that ended or panicked.
    pub async fn supervise(
        mut self,
        signal: impl Future<Output = &'static str>,
    ) -> Result<(), &'static str> {
        let stopped = tokio::select! {
            signal = signal => {
                info!(signal, "stopping");
                Ok(())
            }
            Some(ended) = self.running.join_next_with_id() => {
                let (task, how) = self.end_of(ended);
                error!(task, how, "a task of the exporter ended; stopping with exit code 1");
                Err(task)
            }
        };
        self.stop.send_replace(true);
        let rest = async {
            while let Some(ended) = self.running.join_next_with_id().await {
                let panicked = ended.is_err();
                let (task, how) = self.end_of(ended);
                if panicked {
                    error!(task, how, "a task of the exporter panicked while stopping");
                }
            }
        };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            let tasks: Vec<_> = self.names.into_values().collect();
            warn!(?tasks, "not everything stopped in time; exiting anyway");
        }
        stopped
    }

    /// Which task ended, and how. The message of a panic is on standard error already. It is not
    /// logged, because it could contain anything.
    fn end_of(&mut self, ended: Result<(Id, ()), JoinError>) -> (&'static str, &'static str) {
        let (id, how) = match ended {
            Ok((id, ())) => (id, "it returned"),
            Err(error) => (error.id(), "it panicked"),
        };
        (self.names.remove(&id).unwrap_or("unknown"), how)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_task_that_returns_or_panics_stops_the_daemon_and_is_named() {
        let mut tasks = Tasks::new();
        tasks.run("web", tasks.stopped());
        tasks.run_until_stopped("discovery", pending());
        tasks.run("schedule", ready(()));
        assert_eq!(tasks.supervise(pending()).await, Err("schedule"));

        let mut tasks = Tasks::new();
        tasks.run("web", tasks.stopped());
        tasks.run_until_stopped("reloader", async { panic!("as the test wants it") });
        assert_eq!(tasks.supervise(pending()).await, Err("reloader"));
    }

    #[tokio::test]
    async fn a_signal_stops_the_tasks_and_waits_until_they_have_finished() {
        let mut tasks = Tasks::new();
        let (done, finishes) = tokio::sync::oneshot::channel();
        let stopped = tasks.stopped();
        tasks.run("schedule", async {
            stopped.await;
            tokio::task::yield_now().await;
            done.send(()).unwrap();
        });
        tasks.run_until_stopped("discovery", pending());
        assert_eq!(tasks.supervise(ready("SIGTERM")).await, Ok(()));
        finishes.await.expect("the schedule has finished");
    }
}
