//! Requests for a reload, coalesced: at most one reload runs, at most one waits, and each request
//! gets the answer of one that began after it came.
//!
//! Requests are a number that is counted up, so a flood of them takes no memory. None is ever
//! refused for not being the first.

use tokio::sync::watch;

/// How a reload went: what to say where it worked, and why where it did not.
pub type Reloaded = Result<String, String>;

/// Asks for reloads. Clones ask at the same place.
#[derive(Clone, Debug)]
pub struct Reloads {
    requests: watch::Sender<u64>,
    answers: watch::Receiver<Answer>,
}

/// Where requests for a reload arrive.
#[derive(Debug)]
pub struct ReloadRequests {
    requests: watch::Receiver<u64>,
    answers: watch::Sender<Answer>,
}

/// The newest answer.
#[derive(Debug)]
struct Answer {
    /// The newest request that it covers, and with it all before.
    covers: u64,
    reloaded: Reloaded,
}

impl Reloads {
    /// Both ends.
    #[must_use]
    pub fn channel() -> (Self, ReloadRequests) {
        let (count, requests) = watch::channel(0);
        let (answer, answers) = watch::channel(Answer {
            covers: 0,
            reloaded: Ok(String::new()),
        });
        let asking = Self {
            requests: count,
            answers,
        };
        let asked = ReloadRequests {
            requests,
            answers: answer,
        };
        (asking, asked)
    }

    /// Asks for a reload, and waits for the answer of one that begins after this.
    ///
    /// # Errors
    ///
    /// The reload failed, or the exporter stops; the message says which.
    pub async fn ask(&self) -> Reloaded {
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
    /// Waits for a request that no reload has covered. Cancel safe.
    pub async fn next(&mut self) {
        if self.requests.changed().await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Runs a reload, and gives its answer to each request that came before.
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
                asking.spawn(async move { reloads.ask().await });
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
        // Who was first may hear the second answer as well, which covers the request too.
        assert!(first <= 1, "{first}");
        assert_eq!(answers.len(), 1_001);
        let another = requests.requests.has_changed().unwrap();
        assert!(!another, "a third reload waits");
    }

    #[tokio::test]
    async fn who_waits_is_told_when_nobody_reloads_any_more() {
        let (reloads, requests) = Reloads::channel();
        let stop = async { drop(requests) };
        let (answer, ()) = tokio::join!(reloads.ask(), stop);
        assert_eq!(answer, Err("the exporter is stopping".to_owned()));
    }
}
