//! The bytes of the metrics: made on a thread that may take its time, once for all who wait.
//!
//! No two renderings of the same variant run at a time, whoever asks and whoever goes away
//! meanwhile. An answer is never older than its request: what it shows was read from the store
//! after the request came. To hand out older bytes, change [`Renderings::get`] and nothing else.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Mutex;

use super::negotiate::Encoding;
use crate::metrics::{self, Format};
use crate::store::Store;

/// How much text goes into the gzip encoder at once.
const CHUNK: usize = 64 * 1024;

/// In which form the metrics are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    pub format: Format,
    pub encoding: Encoding,
}

impl Variant {
    const COUNT: usize = 4;

    fn index(self) -> usize {
        let format = match self.format {
            Format::OpenMetrics => 0,
            Format::Text => 1,
        };
        let encoding = match self.encoding {
            Encoding::Identity => 0,
            Encoding::Gzip => 1,
        };
        2 * format + encoding
    }
}

/// Bytes that were made, and for whom they are new enough.
#[derive(Debug)]
struct Rendered {
    body: Bytes,
    /// Requests with a lower number came before the store was read.
    serves_below: u64,
}

/// Makes the metrics' bytes.
#[derive(Debug, Default)]
pub(super) struct Renderings {
    /// The last rendering of each variant. The lock is held while the next one is made, which is
    /// what keeps it the only one; never while a client reads.
    last: [Arc<Mutex<Option<Rendered>>>; Variant::COUNT],
    /// How many requests have come. It orders requests and renderings without a clock.
    requests: AtomicU64,
}

impl Renderings {
    /// The bytes that `make` makes, or that another request's `make` made of the same variant
    /// since this call. `make` may block; it gets the size of the last bytes.
    ///
    /// # Errors
    ///
    /// When `make` fails, or panics.
    pub async fn get<M>(self: &Arc<Self>, variant: Variant, make: M) -> io::Result<Bytes>
    where
        M: FnOnce(usize) -> io::Result<Bytes> + Send + 'static,
    {
        let request = self.requests.fetch_add(1, Ordering::SeqCst);
        let mut last = Arc::clone(&self.last[variant.index()]).lock_owned().await;
        if let Some(rendered) = last.as_ref()
            && request < rendered.serves_below
        {
            return Ok(rendered.body.clone());
        }
        let this = Arc::clone(self);
        // The lock goes along, because the thread works on when the client goes away.
        tokio::task::spawn_blocking(move || {
            let serves_below = this.requests.load(Ordering::SeqCst);
            // The old bytes go before the new ones come, so that both are held at once only where
            // a client still reads the old ones.
            let size = last.take().map_or(0, |rendered| rendered.body.len());
            let body = make(size)?;
            *last = Some(Rendered {
                body: body.clone(),
                serves_below,
            });
            Ok(body)
        })
        .await
        .map_err(io::Error::other)?
    }
}

/// Renders what the store has now. `expected` is a guess at the size in bytes.
///
/// # Errors
///
/// When the metrics cannot be written.
pub(super) fn render(
    store: &Store,
    options: &metrics::Options,
    variant: Variant,
    expected: usize,
) -> io::Result<Bytes> {
    let snapshot = store.snapshot();
    let mut bytes = Vec::with_capacity(expected + expected / 16);
    match variant.encoding {
        Encoding::Identity => {
            metrics::render(&snapshot, options, variant.format, &mut bytes)?;
        }
        Encoding::Gzip => {
            let mut text =
                BufWriter::with_capacity(CHUNK, GzEncoder::new(&mut bytes, Compression::fast()));
            metrics::render(&snapshot, options, variant.format, &mut text)?;
            text.flush()?;
            text.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .finish()?;
        }
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use flate2::bufread::GzDecoder;

    use super::*;
    use crate::clock::{Clock, Timestamp};

    const TEXT: Variant = Variant {
        format: Format::Text,
        encoding: Encoding::Identity,
    };

    #[test]
    fn gzip_is_one_member_that_unpacks_to_the_plain_text() {
        let (clock, _) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let store = Store::new(clock);
        let options = metrics::Options::default();
        for format in [Format::Text, Format::OpenMetrics] {
            let variant = |encoding| Variant { format, encoding };
            let plain = render(&store, &options, variant(Encoding::Identity), 0).unwrap();
            let packed = render(&store, &options, variant(Encoding::Gzip), 0).unwrap();
            let mut member = GzDecoder::new(&packed[..]);
            let mut unpacked = Vec::new();
            member.read_to_end(&mut unpacked).unwrap();
            assert!(member.into_inner().is_empty(), "nothing follows the member");
            let without_own_figures = |text: &[u8]| -> Vec<String> {
                String::from_utf8(text.to_vec())
                    .unwrap()
                    .lines()
                    .filter(|line| !line.starts_with("process_"))
                    .map(ToOwned::to_owned)
                    .collect()
            };
            assert_eq!(without_own_figures(&unpacked), without_own_figures(&plain));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_ask_at_once_share_renderings_that_never_overlap() {
        let renderings = Arc::new(Renderings::default());
        let (running, made) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut clients = tokio::task::JoinSet::new();
        let (ask, asked) = (renderings.clone(), made.clone());
        for _ in 0..50 {
            let (renderings, running, made) = (ask.clone(), running.clone(), made.clone());
            clients.spawn(async move {
                renderings
                    .get(TEXT, move |_| {
                        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::sleep(Duration::from_millis(100));
                        made.fetch_add(1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(Bytes::from_static(b"x"))
                    })
                    .await
            });
        }
        for answer in clients.join_all().await {
            assert_eq!(answer.unwrap(), "x");
        }
        let made = asked.load(Ordering::SeqCst);
        assert!(made < 50, "{made} renderings for 50 clients at once");
    }

    #[tokio::test]
    async fn bytes_made_before_a_request_are_never_its_answer() {
        let renderings = Arc::new(Renderings::default());
        for expected in ["first", "second"] {
            let body = renderings
                .get(TEXT, move |_| Ok(Bytes::from_static(expected.as_bytes())))
                .await
                .unwrap();
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn a_client_that_goes_away_does_not_let_a_second_rendering_in() {
        let renderings = Arc::new(Renderings::default());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let gone = tokio::spawn({
            let renderings = renderings.clone();
            async move {
                renderings
                    .get(TEXT, move |_| {
                        started.send(()).unwrap();
                        held.recv().unwrap();
                        Ok(Bytes::new())
                    })
                    .await
            }
        });
        has_started.await.unwrap();
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert!(renderings.last[TEXT.index()].try_lock().is_err());
        release.send(()).unwrap();
        let body = renderings
            .get(TEXT, |_| Ok(Bytes::from_static(b"next")))
            .await;
        assert_eq!(body.unwrap(), "next");
    }

    #[tokio::test]
    async fn a_failed_rendering_fails_its_request_and_not_the_next() {
        let renderings = Arc::new(Renderings::default());
        let panicked = renderings.get(TEXT, |_| panic!("a bug")).await;
        assert!(panicked.is_err());
        let failed = renderings.get(TEXT, |_| Err(io::Error::other("no"))).await;
        assert!(failed.is_err());
        let body = renderings.get(TEXT, |_| Ok(Bytes::new())).await;
        assert!(body.is_ok());
    }
}
