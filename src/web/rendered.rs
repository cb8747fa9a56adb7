//! The bytes of the metrics: made on a thread that may take its time, once for all who want them.
//!
//! No two renderings run at a time, whoever asks and whoever goes away meanwhile. What was made is
//! kept and handed out again for up to a [second](KEEP): a crowd of scrapers costs one rendering,
//! and during a storm of refreshes no more than in calm. It is not handed out past an alarm that
//! came, changed or went: then the next to ask has it made anew.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiate::Encoding;
use crate::metrics::{self, Format, Options};
use crate::views::Views;
use root_posture::Moment;

/// How long bytes are handed out while what is not alarming changes under them.
const KEEP: Duration = Duration::from_secs(1);

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

/// Of when the bytes are, and of which alarms.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsOf {
    moment: Moment,
    alarms: u64,
}

/// Bytes that were made, and for whom they are new enough.
#[derive(Debug)]
struct Rendered {
    body: Bytes,
    options: Arc<Options>,
    as_of: AsOf,
    /// Requests with a lower number came before the store was read.
    serves_below: u64,
}

impl Rendered {
    fn is_recent(&self, now: Moment) -> bool {
        now.since(self.as_of.moment) < KEEP
    }

    fn serves(&self, request: u64, options: &Arc<Options>, store: &Views) -> bool {
        Arc::ptr_eq(&self.options, options)
            && (request < self.serves_below
                || (self.is_recent(store.moment()) && self.as_of.alarms == store.alarms()))
    }
}

/// Makes the metrics' bytes.
#[derive(Debug, Default)]
pub(super) struct Renderings {
    /// The last rendering of each variant. The lock is held for a look-up only.
    kept: Mutex<[Option<Rendered>; Variant::COUNT]>,
    /// Held while bytes are made, which is what keeps that to one at a time; never while a client
    /// reads.
    making: Arc<tokio::sync::Mutex<()>>,
    /// How many requests have come. It orders requests and renderings without a clock.
    requests: AtomicU64,
}

impl Renderings {
    /// The bytes that `make` makes, or that were made before and still will do. `make` may block;
    /// it gets the size of the last bytes, and says of when the new ones are.
    ///
    /// # Errors
    ///
    /// When `make` fails, or panics.
    pub async fn get<M>(
        self: &Arc<Self>,
        variant: Variant,
        options: &Arc<Options>,
        store: &Views,
        make: M,
    ) -> io::Result<Bytes>
    where
        M: FnOnce(usize) -> io::Result<(Bytes, AsOf)> + Send + 'static,
    {
        let request = self.requests.fetch_add(1, Ordering::SeqCst);
        let place = variant.index();
        let kept = || {
            self.kept()[place]
                .as_ref()
                .filter(|rendered| rendered.serves(request, options, store))
                .map(|rendered| rendered.body.clone())
        };
        if let Some(body) = kept() {
            return Ok(body);
        }
        let making = Arc::clone(&self.making).lock_owned().await;
        if let Some(body) = kept() {
            return Ok(body);
        }
        let this = Arc::clone(self);
        let options = Arc::clone(options);
        // The lock goes along, because the thread works on when the client goes away.
        tokio::task::spawn_blocking(move || {
            let serves_below = this.requests.load(Ordering::SeqCst);
            // The old bytes go before the new ones come, so that both are held at once only where
            // a client still reads the old ones.
            let size = this.kept()[place]
                .take()
                .map_or(0, |rendered| rendered.body.len());
            let (body, as_of) = make(size)?;
            let mut kept = this.kept();
            // Neither need memory be held by a form that nobody has asked for lately.
            for other in kept.iter_mut() {
                other.take_if(|rendered| !rendered.is_recent(as_of.moment));
            }
            kept[place] = Some(Rendered {
                body: body.clone(),
                options,
                as_of,
                serves_below,
            });
            drop(kept);
            drop(making);
            Ok(body)
        })
        .await
        .map_err(io::Error::other)?
    }

    fn kept(&self) -> MutexGuard<'_, [Option<Rendered>; Variant::COUNT]> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renders what the store has now. `expected` is a guess at the size in bytes.
///
/// # Errors
///
/// When the metrics cannot be written.
pub(super) fn render(
    store: &Views,
    options: &Options,
    variant: Variant,
    expected: usize,
) -> io::Result<(Bytes, AsOf)> {
    let snapshot = store.snapshot();
    let mut bytes = Vec::with_capacity(expected + expected / 16);
    match variant.encoding {
        Encoding::Identity => {
            metrics::render(&snapshot, options, variant.format, &mut bytes)?;
        }
        Encoding::Gzip => {
            let mut text = GzEncoder::new(&mut bytes, Compression::fast());
            metrics::render(&snapshot, options, variant.format, &mut text)?;
            text.finish()?;
        }
    }
    let as_of = AsOf {
        moment: snapshot.moment,
        alarms: snapshot.alarms,
    };
    Ok((bytes.into(), as_of))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::AtomicUsize;

    use flate2::bufread::GzDecoder;

    use super::*;
    use crate::account::Account;
    use crate::clock::{Clock, Hand, Timestamp};
    use crate::views::AccountView;
    use root_posture::Source;
    use root_posture::{Metric, Posture};

    const TEXT: Variant = Variant {
        format: Format::Text,
        encoding: Encoding::Identity,
    };
    const PACKED: Variant = Variant {
        format: Format::Text,
        encoding: Encoding::Gzip,
    };

    /// Renderings of a store that changes by hand.
    struct Bench {
        renderings: Arc<Renderings>,
        store: Arc<Views>,
        options: Arc<Options>,
        hand: Hand,
    }

    impl Bench {
        fn new() -> Self {
            let (clock, hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
            Self {
                renderings: Arc::default(),
                store: Arc::new(Views::new(clock)),
                options: Arc::default(),
                hand,
            }
        }

        fn as_of(&self) -> AsOf {
            AsOf {
                moment: self.store.moment(),
                alarms: self.store.alarms(),
            }
        }

        /// Asks, and has this made where nothing that was made before will do.
        async fn ask(&self, variant: Variant, made: &'static str) -> Bytes {
            let as_of = self.as_of();
            self.renderings
                .get(variant, &self.options, &self.store, move |_| {
                    Ok((Bytes::from_static(made.as_bytes()), as_of))
                })
                .await
                .unwrap()
        }

        fn put(&self, keys: u8) {
            let account = Account {
                id: "000000000012".parse().unwrap(),
                name: String::new(),
                region: "us-east-1".to_owned(),
                access: None,
                root_session: true,
                labels: Arc::default(),
            };
            let figure = Metric {
                value: keys,
                source: Source::RootSession,
                observed: Timestamp::default(),
                fine_until: None,
            };
            self.store.put(AccountView {
                account: account.into(),
                posture: Posture {
                    keys_active: Some(figure),
                    ..Posture::default()
                },
                report: None,
                onset: root_posture::Onset::default(),
                listed: None,
                sources: Vec::new(),
            });
        }
    }

    #[test]
    fn gzip_is_one_member_that_unpacks_to_the_plain_text() {
        let Bench { store, options, .. } = Bench::new();
        for format in [Format::Text, Format::OpenMetrics] {
            let variant = |encoding| Variant { format, encoding };
            let rendered = |encoding| render(&store, &options, variant(encoding), 0).unwrap().0;
            let plain = rendered(Encoding::Identity);
            let packed = rendered(Encoding::Gzip);
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

    #[tokio::test]
    async fn bytes_are_kept_for_a_second_and_not_longer() {
        let bench = Bench::new();
        assert_eq!(bench.ask(TEXT, "first").await, "first");
        bench.put(0);
        let almost = KEEP.checked_sub(Duration::from_millis(1)).unwrap();
        bench.hand.advance(almost);
        assert_eq!(bench.ask(TEXT, "second").await, "first");
        bench.hand.advance(Duration::from_millis(1));
        assert_eq!(bench.ask(TEXT, "third").await, "third");
    }

    #[tokio::test]
    async fn bytes_are_not_handed_out_past_an_alarm_that_changed() {
        let bench = Bench::new();
        bench.put(0);
        assert_eq!(bench.ask(TEXT, "none").await, "none");
        for (keys, made) in [(1, "one"), (2, "two"), (0, "gone")] {
            bench.put(keys);
            assert_eq!(bench.ask(TEXT, made).await, made);
            assert_eq!(bench.ask(TEXT, "again").await, made, "nothing has changed");
        }
    }

    #[tokio::test]
    async fn a_reload_that_shows_other_metrics_has_them_made() {
        let mut bench = Bench::new();
        assert_eq!(bench.ask(TEXT, "before").await, "before");
        bench.options = Arc::default();
        assert_eq!(bench.ask(TEXT, "after").await, "after");
    }

    #[tokio::test]
    async fn each_form_has_its_own_bytes_which_go_when_nobody_asks() {
        let bench = Bench::new();
        assert_eq!(bench.ask(TEXT, "plain").await, "plain");
        assert_eq!(bench.ask(PACKED, "packed").await, "packed");
        assert_eq!(bench.ask(TEXT, "again").await, "plain");
        bench.hand.advance(KEEP);
        assert_eq!(bench.ask(PACKED, "packed anew").await, "packed anew");
        assert!(bench.renderings.kept()[TEXT.index()].is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_ask_at_once_share_renderings_that_never_overlap() {
        let bench = Arc::new(Bench::new());
        let (running, made) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..50 {
            let (bench, running, made) = (bench.clone(), running.clone(), made.clone());
            clients.spawn(async move {
                let as_of = bench.as_of();
                // An alarm with each request: nothing made before is good enough.
                bench.put(1 + client % 2);
                let variant = [TEXT, PACKED][usize::from(client % 2)];
                bench
                    .renderings
                    .get(variant, &bench.options, &bench.store, move |_| {
                        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::sleep(Duration::from_millis(50));
                        made.fetch_add(1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok((Bytes::from_static(b"x"), as_of))
                    })
                    .await
            });
        }
        for answer in clients.join_all().await {
            assert_eq!(answer.unwrap(), "x");
        }
        let made = made.load(Ordering::SeqCst);
        assert!(made < 50, "{made} renderings for 50 clients at once");
    }

    #[tokio::test]
    async fn a_client_that_goes_away_does_not_let_a_second_rendering_in() {
        let bench = Arc::new(Bench::new());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let gone = tokio::spawn({
            let bench = bench.clone();
            async move {
                let as_of = bench.as_of();
                bench
                    .renderings
                    .get(TEXT, &bench.options, &bench.store, move |_| {
                        started.send(()).unwrap();
                        held.recv().unwrap();
                        Ok((Bytes::from_static(b"first"), as_of))
                    })
                    .await
            }
        });
        has_started.await.unwrap();
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert!(bench.renderings.making.try_lock().is_err());
        release.send(()).unwrap();
        assert_eq!(bench.ask(TEXT, "next").await, "first");
    }

    #[tokio::test]
    async fn a_failed_rendering_fails_its_request_and_not_the_next() {
        let bench = Bench::new();
        let get = async |fail: fn() -> io::Error| {
            bench
                .renderings
                .get(TEXT, &bench.options, &bench.store, move |_| Err(fail()))
                .await
        };
        assert!(get(|| panic!("a bug")).await.is_err());
        assert!(get(|| io::Error::other("no")).await.is_err());
        assert_eq!(bench.ask(TEXT, "next").await, "next");
    }
}
