//! Requests for a reload, coalesced: at most one reload runs and at most one waits.
//!
//! Each request gets the answer of a reload that began after it came, and none is refused because
//! others wait. Requests are a counter, so a flood of them takes no memory.

use tokio::sync::watch;

/// The end of a reload, as a line for the client: that it worked, or why it did not.
pub type Reloaded = Result<String, String>;

/// Requests reloads. Clones send to the same [`ReloadRequests`].
#[derive(Clone, Debug)]
pub struct Reloads {
    requests: watch::Sender<u64>,
    answers: watch::Receiver<Answer>,
}

/// Receives the requests for a reload.
///
/// ```
/// # async fn beside_the_server(mut requests: exporter_toolkit::ReloadRequests) {
/// loop {
///     requests.next().await;
///     requests.answer(async { Ok("configuration reloaded".to_owned()) }).await;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct ReloadRequests {
    requests: watch::Receiver<u64>,
    answers: watch::Sender<Answer>,
}

/// The newest answer.
#[derive(Debug)]
struct Answer {
    /// It answers the requests up to this one.
    covers: u64,
    reloaded: Reloaded,
}

impl Reloads {
    /// A sender of requests and their receiver.
    #[must_use]
    pub fn channel() -> (Self, ReloadRequests) {
        let (count, requests) = watch::channel(0);
        let (answer, answers) = watch::channel(Answer {
            covers: 0,
            reloaded: Ok(String::new()),
        });
        let sender = Self {
            requests: count,
            answers,
        };
        let receiver = ReloadRequests {
            requests,
            answers: answer,
        };
        (sender, receiver)
    }

    /// Requests a reload, and waits for the answer of one that begins after this.
    ///
    /// # Errors
    ///
    /// When the reload failed, or the exporter stops; the text says which.
    pub async fn request(&self) -> Reloaded {
        let mut request = 0;
        self.requests.send_modify(|count| {
            *count += 1;
            request = *count;
        });
        let mut answers = self.answers.clone();
        let answer = answers.wait_for(|answer| answer.covers >= request).await;
        let answer = answer.map_err(|_| "the exporter is stopping".to_owned())?;
        answer.reloaded.clone()
    }
}

impl ReloadRequests {
    /// Waits for a request that no reload has answered. Cancel safe.
    pub async fn next(&mut self) {
        if self.requests.changed().await.is_err() {
            // No sender is left.
            std::future::pending::<()>().await;
        }
    }

    /// Runs a reload, and answers each request that came before with its end.
    pub async fn answer(&mut self, reload: impl Future<Output = Reloaded>) {
        let covers = *self.requests.borrow_and_update();
        let reloaded = reload.await;
        self.answers.send_replace(Answer { covers, reloaded });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn a_thousand_requests_while_a_reload_runs_are_all_answered_by_the_next_one() {
        let (reloads, mut requests) = Reloads::channel();
        let mut asking = JoinSet::new();
        let mut ask = |count| {
            for _ in 0..count {
                let reloads = reloads.clone();
                asking.spawn(async move { reloads.request().await });
            }
        };
        ask(1);
        requests.next().await;
        let (end, ended) = oneshot::channel();
        let running = requests.answer(async { ended.await.unwrap() });
        let meanwhile = async {
            ask(1_000);
            while *reloads.requests.borrow() < 1_001 {
                tokio::task::yield_now().await;
            }
            end.send(Err("first".to_owned())).unwrap();
        };
        tokio::join!(running, meanwhile);
        requests.next().await;
        requests.answer(async { Ok("second".to_owned()) }).await;

        let answers = asking.join_all().await;
        let first = answers.iter().filter(|answer| answer.is_err()).count();
        // The first request may get the second answer as well, which covers it too.
        assert!(first <= 1, "{first}");
        assert_eq!(answers.len(), 1_001);
        let another = requests.requests.has_changed().unwrap();
        assert!(!another, "a third reload waits");
    }

    #[tokio::test]
    async fn a_request_ends_when_the_receiver_is_gone() {
        let (reloads, requests) = Reloads::channel();
        let stop = async { drop(requests) };
        let (answer, ()) = tokio::join!(reloads.request(), stop);
        assert_eq!(answer, Err("the exporter is stopping".to_owned()));
    }
}
