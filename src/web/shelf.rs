//! Makes pages and API answers one at a time, on a thread that may take its time.
//!
//! Who asks for the same while it waits gets the same bytes, and those are never older than the
//! request: what they show was read from the store after it came. However many ask for however
//! many different pages, they take one core between them and keep no refresh and no scrape waiting.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Mutex;

use super::document::Document;
use super::negotiate::Encoding;
use super::paths::View;

/// How many documents are kept for those who wait. More are made again for whoever wants them.
const MOST: usize = 32;

/// What the documents are told apart by.
pub(super) type Key = (View, Encoding);

#[derive(Debug, Default)]
pub(super) struct Shelf {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The documents that were made while somebody waited. The lock is held while the next one is
    /// made, which is what keeps it the only one; never while a client reads.
    kept: Arc<Mutex<HashMap<Key, Kept>>>,
    /// How many requests have come. It orders requests and documents without a clock.
    requests: AtomicU64,
    /// How many requests wait, the one that is worked on among them.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Kept {
    document: Document,
    /// Requests with a lower number came before the store was read.
    serves_below: u64,
}

/// A request that waits.
struct Waiting(Arc<Inner>);

impl Waiting {
    fn new(inner: &Arc<Inner>) -> Self {
        inner.waiting.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(inner))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::SeqCst) == 1
            && let Ok(mut kept) = self.0.kept.try_lock()
        {
            // Whoever comes from now on may not have these bytes, and memory need not either.
            kept.clear();
        }
    }
}

impl Shelf {
    /// The document that `make` makes, or that another request's `make` made under the same key
    /// since this call. `make` may block.
    ///
    /// # Errors
    ///
    /// When `make` fails, or panics.
    pub async fn get<M>(&self, key: Key, make: M) -> io::Result<Option<Document>>
    where
        M: FnOnce() -> io::Result<Option<Document>> + Send + 'static,
    {
        let waiting = Waiting::new(&self.inner);
        let request = self.inner.requests.fetch_add(1, Ordering::SeqCst);
        let mut kept = Arc::clone(&self.inner.kept).lock_owned().await;
        if let Some(kept) = kept.get(&key)
            && request < kept.serves_below
        {
            return Ok(Some(kept.document.clone()));
        }
        // The lock goes along, because the thread works on when the client goes away.
        tokio::task::spawn_blocking(move || {
            let serves_below = waiting.0.requests.load(Ordering::SeqCst);
            let Some(document) = make()? else {
                return Ok(None);
            };
            if kept.len() >= MOST {
                kept.clear();
            }
            let copy = document.clone();
            kept.insert(
                key,
                Kept {
                    document: copy,
                    serves_below,
                },
            );
            // First the lock, then the place in the queue: the last to leave clears the shelf.
            drop(kept);
            drop(waiting);
            Ok(Some(document))
        })
        .await
        .map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::document::Tag;
    use super::*;

    fn document(body: &str) -> Document {
        Document {
            content_type: "text/plain",
            body: body.to_owned().into(),
            encoding: Encoding::Identity,
            tag: Tag::of(&body),
        }
    }

    const LIST: Key = (View::ApiAccounts, Encoding::Identity);
    const PACKED: Key = (View::ApiAccounts, Encoding::Gzip);

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_ask_at_once_share_documents_that_are_made_one_at_a_time() {
        let shelf = Arc::new(Shelf::default());
        let (running, made) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..50 {
            let (shelf, running, made) = (shelf.clone(), running.clone(), made.clone());
            clients.spawn(async move {
                let (key, body) = [(LIST, "plain"), (PACKED, "packed")][client % 2].clone();
                let answer = shelf
                    .get(key, move || {
                        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::sleep(Duration::from_millis(50));
                        made.fetch_add(1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(Some(document(body)))
                    })
                    .await;
                assert_eq!(answer.unwrap(), Some(document(body)));
            });
        }
        clients.join_all().await;
        let made = made.load(Ordering::SeqCst);
        assert!(made < 50, "{made} documents for 50 clients at once");
        assert!(shelf.inner.kept.lock().await.is_empty());
    }

    #[tokio::test]
    async fn what_was_made_before_a_request_is_never_its_answer() {
        let shelf = Shelf::default();
        for body in ["first", "second"] {
            let answer = shelf.get(LIST, move || Ok(Some(document(body)))).await;
            assert_eq!(answer.unwrap(), Some(document(body)));
        }
    }

    #[tokio::test]
    async fn a_failure_is_its_own_requests_alone() {
        let shelf = Shelf::default();
        let panicked = shelf.get(LIST, || panic!("a bug")).await;
        assert!(panicked.is_err());
        let failed = shelf.get(LIST, || Err(io::Error::other("no"))).await;
        assert!(failed.is_err());
        assert_eq!(shelf.inner.waiting.load(Ordering::SeqCst), 0);
        assert_eq!(shelf.get(LIST, || Ok(None)).await.unwrap(), None);
    }
}
