//! Responses that cost work: made one at a time, each once for all requests that wait for it.
//!
//! A request never gets a response that may show less than was true when the request came, unless
//! the response is younger than the cache's `keep` and its version is still current. So a crowd of
//! clients costs one rendering, and a version that changes is in the next answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::Response;
use tokio::time::Instant;

/// How many responses are held at most. Above that they are made again for whoever wants them.
const MOST: usize = 32;

/// A cache of responses by their keys.
#[derive(Debug)]
pub(crate) struct Cache<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    /// How long a response of the current version is served.
    keep: Duration,
    /// The lock is held for a look-up only.
    made: Mutex<HashMap<K, Made>>,
    /// Held while a response is made, which is what keeps that to one at a time; never while a
    /// client reads.
    making: Arc<tokio::sync::Mutex<()>>,
    /// How many requests have come. It orders requests and responses without a clock.
    requests: AtomicU64,
    /// How many requests wait, the one that is worked on among them.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Made {
    response: Response<Bytes>,
    version: u64,
    at: Time,
    /// Requests with a lower number came before the response was made.
    serves_below: u64,
}

/// A point on two clocks: the monotonic one stands still while the machine is suspended, the wall
/// clock can be set.
#[derive(Clone, Copy, Debug)]
struct Time {
    monotonic: Instant,
    wall: SystemTime,
}

impl Time {
    #[expect(
        clippy::disallowed_methods,
        reason = "no metric depends on it, and tests move the other clock"
    )]
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn is_within(self, period: Duration) -> bool {
        self.monotonic.elapsed() < period && self.wall.elapsed().is_ok_and(|age| age < period)
    }
}

impl<K: Eq + Hash> Inner<K> {
    fn made(&self) -> MutexGuard<'_, HashMap<K, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &K, request: u64, version: u64) -> Option<Response<Bytes>> {
        let made = self.made();
        let made = made.get(key)?;
        let is_current = made.version == version && made.at.is_within(self.keep);
        (request < made.serves_below || is_current).then(|| made.response.clone())
    }
}

/// A request that waits.
struct Waiting<K: Eq + Hash>(Arc<Inner<K>>);

impl<K: Eq + Hash> Waiting<K> {
    fn new(inner: &Arc<Inner<K>>) -> Self {
        inner.waiting.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(inner))
    }
}

impl<K: Eq + Hash> Drop for Waiting<K> {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            // No new request may have these, and memory need not hold them.
            let keep = self.0.keep;
            self.0.made().retain(|_, made| made.at.is_within(keep));
        }
    }
}

impl<K: Eq + Hash + Send + 'static> Cache<K> {
    /// A cache whose responses are served for `keep` while their version is current.
    pub fn new(keep: Duration) -> Self {
        Self(Arc::new(Inner {
            keep,
            made: Mutex::default(),
            making: Arc::default(),
            requests: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// The response under `key`: one that may still be served, or the one that `make` makes.
    ///
    /// `make` may block. It gets the size of the last response, and is called after `version`.
    ///
    /// # Errors
    ///
    /// When `make` fails, or panics; only this request fails then.
    pub async fn get(
        &self,
        key: K,
        version: impl Fn() -> u64 + Send + 'static,
        make: impl FnOnce(usize) -> io::Result<Response<Bytes>> + Send + 'static,
    ) -> io::Result<Response<Bytes>> {
        let waiting = Waiting::new(&self.0);
        let request = self.0.requests.fetch_add(1, Ordering::SeqCst);
        if let Some(response) = self.0.find(&key, request, version()) {
            return Ok(response);
        }
        let making = Arc::clone(&self.0.making).lock_owned().await;
        if let Some(response) = self.0.find(&key, request, version()) {
            return Ok(response);
        }
        // The lock goes along, because the thread works on when the client goes away.
        tokio::task::spawn_blocking(move || {
            let inner = &waiting.0;
            let serves_below = inner.requests.load(Ordering::SeqCst);
            let version = version();
            let at = Time::now();
            // The old bytes go before the new ones come, so that both are in memory only where a
            // client still reads the old ones.
            let old = inner.made().remove(&key);
            let size = old.map_or(0, |made| made.response.body().len());
            let response = make(size)?;
            let mut all = inner.made();
            if all.len() >= MOST {
                all.clear();
            }
            all.insert(
                key,
                Made {
                    response: response.clone(),
                    version,
                    at,
                    serves_below,
                },
            );
            drop(all);
            drop(making);
            Ok(response)
        })
        .await
        .map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(1);

    type Maker = fn() -> io::Result<Response<Bytes>>;

    async fn get(cache: &Cache<u8>, key: u8, version: u64, text: &'static str) -> Bytes {
        let make = move |_| Ok(Response::new(Bytes::from_static(text.as_bytes())));
        let response = cache.get(key, move || version, make).await;
        response.unwrap().into_body()
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_is_kept_for_a_second_and_not_longer() {
        let cache = Cache::new(KEEP);
        assert_eq!(get(&cache, 0, 0, "first").await, "first");
        tokio::time::advance(KEEP.checked_sub(Duration::from_millis(1)).unwrap()).await;
        assert_eq!(get(&cache, 0, 0, "second").await, "first");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(get(&cache, 0, 0, "third").await, "third");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_of_another_version_is_not_served() {
        let cache = Cache::new(KEEP);
        for (version, made) in [(1, "one"), (2, "two"), (1, "one again")] {
            assert_eq!(get(&cache, 0, version, made).await, made);
            assert_eq!(get(&cache, 0, version, "not made").await, made);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_key_has_its_own_response_which_goes_when_nobody_asks_for_it() {
        let cache = Cache::new(KEEP);
        assert_eq!(get(&cache, 0, 0, "plain").await, "plain");
        assert_eq!(get(&cache, 1, 0, "packed").await, "packed");
        assert_eq!(get(&cache, 0, 0, "again").await, "plain");
        tokio::time::advance(KEEP).await;
        assert_eq!(get(&cache, 1, 0, "packed anew").await, "packed anew");
        assert!(!cache.0.made().contains_key(&0));
    }

    #[tokio::test]
    async fn without_a_time_to_keep_no_response_is_older_than_its_request() {
        let cache = Cache::new(Duration::ZERO);
        for made in ["first", "second"] {
            assert_eq!(get(&cache, 0, 0, made).await, made);
        }
        assert!(cache.0.made().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_requests_at_once_share_responses_that_are_made_one_at_a_time() {
        let cache = Arc::new(Cache::new(Duration::ZERO));
        let (running, count) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..50 {
            let (cache, running, count) = (cache.clone(), running.clone(), count.clone());
            clients.spawn(async move {
                let make = move |_| {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::sleep(Duration::from_millis(50));
                    count.fetch_add(1, Ordering::SeqCst);
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(Response::new(Bytes::from_static(b"x")))
                };
                // Each with a version of its own: what counts is that it came before.
                cache.get(client % 2, move || client, make).await
            });
        }
        for response in clients.join_all().await {
            assert_eq!(response.unwrap().into_body(), "x");
        }
        let count = count.load(Ordering::SeqCst);
        assert!(count < 50, "{count} responses for 50 requests at once");
        assert!(cache.0.made().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_goes_away_lets_no_second_rendering_in() {
        let cache = Arc::new(Cache::new(KEEP));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let gone = tokio::spawn({
            let cache = cache.clone();
            async move {
                let make = move |_| {
                    started.send(()).unwrap();
                    held.recv().unwrap();
                    Ok(Response::new(Bytes::from_static(b"first")))
                };
                cache.get(0, || 0, make).await
            }
        });
        has_started.await.unwrap();
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert!(cache.0.making.try_lock().is_err());
        release.send(()).unwrap();
        assert_eq!(get(&cache, 0, 0, "next").await, "first");
    }

    #[tokio::test]
    async fn a_failure_fails_its_request_and_not_the_next() {
        let cache = Cache::new(KEEP);
        let makers: [Maker; 2] = [|| panic!("a bug"), || Err(io::Error::other("no"))];
        for make in makers {
            assert!(cache.get(0, || 0, move |_| make()).await.is_err());
        }
        assert_eq!(get(&cache, 0, 0, "next").await, "next");
    }
}
