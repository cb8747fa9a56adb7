//! `POST /-/reload`: asks whoever owns the configuration to read it again, and waits for the word.

use tokio::sync::{mpsc, oneshot};

/// How a reload went: what to say where it worked, and why where it did not.
pub type Reloaded = Result<String, String>;

/// A request to read the configuration again, with the place for the word.
pub type ReloadRequest = oneshot::Sender<Reloaded>;

/// The way to whoever reloads.
#[derive(Clone, Debug)]
pub struct Reloads(mpsc::Sender<ReloadRequest>);

impl Reloads {
    /// The two ends of the way.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (sender, receiver) = mpsc::channel(8);
        (Self(sender), receiver)
    }

    /// Asks, and waits.
    pub(super) async fn ask(&self) -> Reloaded {
        let stopping = || "the exporter is stopping".to_owned();
        let (word, heard) = oneshot::channel();
        self.0.send(word).await.map_err(|_| stopping())?;
        heard.await.map_err(|_| stopping())?
    }
}
