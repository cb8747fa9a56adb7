//! From a request to its answer.
//!
//! Paths are compared whole and as they came: nothing is decoded, joined or looked up on a disk,
//! so nothing can be escaped from. Every answer is counted under a handler of a fixed set.

use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HOST, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ServerConfig;

use super::document::Document;
use super::guard::{Refusal, WebConfig, WebConfigError};
use super::listener::{Audience, Port};
use super::negotiate::{self, Encoding};
use super::origin;
use super::paths::{Paths, View};
use super::rendered::{self, Renderings, Variant};
use super::{Limits, Reloads, Settings, api, pages};
use crate::metrics;
use crate::views::Views;
use root_posture::Moment;

pub(super) const HEALTHY: &str = "/-/healthy";
const READY: &str = "/-/ready";
const RELOAD: &str = "/-/reload";

/// How long the schedule may go without a turn; it turns every few seconds even when nothing is due.
const STANDSTILL: Duration = Duration::from_secs(60);

/// What a client without a password is told, and how [`super::probe()`] knows who answers.
pub(super) const CHALLENGE: &str = "Basic realm=\"aws-root-exporter\", charset=\"UTF-8\"";

/// What requests are answered from.
#[derive(Debug)]
pub struct Site {
    store: Arc<Views>,
    telemetry_path: String,
    /// Replaced by a reload. Held for cloning a pointer only.
    metrics: RwLock<Arc<metrics::Options>>,
    limits: Limits,
    guard: Option<Arc<WebConfig>>,
    reloads: Option<Reloads>,
    /// `web.max_requests`.
    requests: Semaphore,
    renderings: Arc<Renderings>,
    paths: Paths,
}

impl Site {
    /// A site that shows what is in the store.
    #[must_use]
    pub fn new(store: Arc<Views>, settings: Settings) -> Self {
        let requests = match settings.max_requests {
            0 => Semaphore::MAX_PERMITS,
            some => some.min(Semaphore::MAX_PERMITS),
        };
        Self {
            paths: Paths::new(Arc::clone(&store), &settings.telemetry_path),
            store,
            telemetry_path: settings.telemetry_path,
            metrics: RwLock::new(Arc::new(settings.metrics)),
            limits: settings.limits,
            guard: None,
            reloads: settings.reloads,
            requests: Semaphore::new(requests),
            renderings: Arc::default(),
        }
    }

    /// The site behind the TLS and the passwords of a web configuration file.
    #[must_use]
    pub fn guarded_by(self, guard: Option<Arc<WebConfig>>) -> Self {
        Self { guard, ..self }
    }

    /// Reads the web configuration file again, where there is one.
    ///
    /// # Errors
    ///
    /// When it is not good, or takes long to read; then nothing changes.
    pub async fn reload_web_config(&self) -> Result<(), WebConfigError> {
        match &self.guard {
            Some(guard) => guard.reload().await,
            None => Ok(()),
        }
    }

    /// What stands before the paths that an audience sees. Probes see nothing worth it.
    pub(super) fn guard(&self, audience: Audience) -> Option<&Arc<WebConfig>> {
        match audience {
            Audience::Everyone => self.guard.as_ref(),
            Audience::Probes => None,
        }
    }

    /// What an address lacks that machines beyond this one can reach; `None` where nothing does.
    pub(super) fn left_open(&self, port: &Port) -> Option<&'static str> {
        if port.audience == Audience::Probes || port.is_loopback {
            return None;
        }
        let has = |what: fn(&WebConfig) -> bool| self.guard.as_deref().is_some_and(what);
        match (has(WebConfig::serves_tls), has(WebConfig::asks_who_it_is)) {
            (true, true) => None,
            (true, false) => Some("anybody can ask here, without a password or a certificate"),
            (false, true) => Some("passwords and answers go in the clear here, without TLS"),
            (false, false) => Some("anybody can ask and listen here, without TLS and password"),
        }
    }

    /// Shows the metrics differently from now on.
    pub fn set_metrics(&self, options: metrics::Options) {
        *self.metrics.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts a connection that was closed to make room for another.
    pub(super) fn count_evicted(&self) {
        self.store.exporter.evicted();
    }

    fn options(&self) -> Arc<metrics::Options> {
        Arc::clone(&self.metrics.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a request that was refused before it had a path.
    pub(super) fn count_refused(&self, code: u16) {
        self.store.exporter.served(Route::Nothing.handler(), code);
    }

    fn route(&self, audience: Audience, path: &str, query: &str) -> Route {
        match (audience, path) {
            (_, HEALTHY) => Route::Healthy,
            (_, READY) => Route::Ready,
            (Audience::Everyone, RELOAD) if self.reloads.is_some() => Route::Reload,
            (Audience::Everyone, path) if path == self.telemetry_path => Route::Metrics,
            (Audience::Everyone, path) => View::at(path, query).map_or(Route::Nothing, Route::View),
            _ => Route::Nothing,
        }
    }

    async fn metrics(&self, headers: &HeaderMap) -> Reply {
        let variant = Variant {
            format: negotiate::format(headers),
            encoding: negotiate::encoding(headers),
        };
        let store = Arc::clone(&self.store);
        let options = self.options();
        let shown = Arc::clone(&options);
        let made = self
            .renderings
            .get(variant, &options, &self.store, move |expected| {
                rendered::render(&store, &shown, variant, expected)
            })
            .await;
        match made {
            Ok(body) => {
                let mut reply = Reply::new(StatusCode::OK, variant.format.content_type(), body)
                    .with(VARY, "Accept, Accept-Encoding");
                if variant.encoding == Encoding::Gzip {
                    reply = reply.with(CONTENT_ENCODING, "gzip");
                }
                reply
            }
            Err(error) => {
                tracing::error!(%error, "the metrics could not be rendered");
                Reply::text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the metrics could not be rendered; the log says why",
                )
            }
        }
    }

    async fn view(&self, view: View, headers: &HeaderMap) -> Reply {
        let is_page = view.is_page();
        let reply = match self.paths.get(view, negotiate::encoding(headers)).await {
            Ok(Some(document)) => Reply::document(document, headers),
            Ok(None) if is_page => match pages::missing() {
                Ok(page) => Reply::new(StatusCode::NOT_FOUND, pages::HTML, page.into()),
                Err(error) => return Reply::unmade(&error),
            },
            Ok(None) => Reply::new(StatusCode::NOT_FOUND, api::JSON, api::missing()),
            Err(error) => return Reply::unmade(&error),
        };
        if is_page { reply.guarded() } else { reply }
    }

    async fn reload(&self) -> Reply {
        let word = match &self.reloads {
            Some(reloads) => reloads.ask().await,
            None => Err("there is nothing to reload".to_owned()),
        };
        match word {
            Ok(done) => Reply::text(StatusCode::OK, done),
            Err(why) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, why),
        }
    }

    fn healthy(&self) -> Reply {
        // A schedule that has not turned yet counts from the start of the process.
        let last = self.store.exporter.last_turn().unwrap_or_default();
        let still = self.store.moment().since(last);
        if still <= STANDSTILL {
            return Reply::text(StatusCode::OK, "OK");
        }
        let since = self.store.now().minus(still);
        Reply::text(
            StatusCode::SERVICE_UNAVAILABLE,
            format_args!(
                "the schedule has not turned since {since}, for {} s: restart the exporter",
                still.as_secs()
            ),
        )
    }

    fn ready(&self) -> Reply {
        // Of the view only the lag depends on the moment.
        let view = self.store.exporter.view(Moment::default());
        match view.accounts {
            None => Reply::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the account list is not known yet",
            ),
            Some(counts) if view.attempted < counts.monitored => Reply::text(
                StatusCode::SERVICE_UNAVAILABLE,
                format_args!(
                    "{} of {} accounts looked at",
                    view.attempted, counts.monitored
                ),
            ),
            Some(_) => Reply::text(StatusCode::OK, "OK"),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Metrics,
    View(View),
    Healthy,
    Ready,
    Reload,
    Nothing,
}

impl Route {
    /// The value of the label `handler`.
    fn handler(&self) -> &'static str {
        match self {
            Self::View(view) => view.handler(),
            Self::Metrics => "metrics",
            Self::Healthy => "healthy",
            Self::Ready => "ready",
            Self::Reload => "reload",
            Self::Nothing => "other",
        }
    }

    /// The methods it answers, as `Allow` lists them.
    fn methods(&self) -> &'static str {
        match self {
            Self::Reload => "POST",
            _ => "GET, HEAD",
        }
    }
}

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub port: Port,
    /// The TLS settings that it was opened by.
    pub tls: Option<Arc<ServerConfig>>,
}

/// The web configuration has changed: a client may not be let in any more that was when it opened
/// its connection. It is closed without an answer, so that who may still come just comes again.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection was opened by a web configuration that has changed since")]
pub(super) struct Outdated;

/// Answers a request that the web configuration lets in, and refuses any other, whatever its path.
pub(super) async fn answer<B: Body>(
    site: &Site,
    peer: &Peer,
    request: Request<B>,
) -> Result<Response<Full<Bytes>>, Outdated> {
    let audience = peer.port.audience;
    if peer.port.is_loopback {
        let options = site.options();
        if !origin::is_for_loopback(
            &request,
            peer.port.name.as_deref(),
            options.external_url.as_deref(),
        ) {
            let reply = Reply::text(
                StatusCode::MISDIRECTED_REQUEST,
                "this address answers for localhost and web.external_url only; correct the Host \
                 header, or set web.external_url",
            );
            site.count_refused(StatusCode::MISDIRECTED_REQUEST.as_u16());
            return Ok(reply.with(CONNECTION, "close").0);
        }
    }
    let Some(guard) = site.guard(audience) else {
        return Ok(answer_admitted(site, audience, request).await);
    };
    let rules = guard.current().await;
    if rules.tls.as_ref().map(Arc::as_ptr) != peer.tls.as_ref().map(Arc::as_ptr) {
        return Err(Outdated);
    }
    let mut response = match rules.admit(request.headers()).await {
        Ok(()) => answer_admitted(site, audience, request).await,
        Err(refusal) => {
            let reply = refused(refusal).closing_after(&request);
            site.count_refused(reply.0.status().as_u16());
            reply.0
        }
    };
    for (name, value) in &rules.headers {
        response.headers_mut().insert(name, value.clone());
    }
    Ok(response)
}

fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::TooMany => Reply::text(
            StatusCode::TOO_MANY_REQUESTS,
            "more requests than rate_limit allows; try again in a second",
        )
        .with(RETRY_AFTER, "1"),
        // Who has no password has no use for the connection, and others may have.
        Refusal::Unauthorized => Reply::text(StatusCode::UNAUTHORIZED, "user and password, please")
            .with(WWW_AUTHENTICATE, CHALLENGE)
            .with(CONNECTION, "close"),
        Refusal::Busy => Reply::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many passwords are being verified; try again in a second",
        )
        .with(RETRY_AFTER, "1"),
    }
}

/// Answers a request and counts the answer.
///
/// Of a request's body nothing is read. A connection on which one was announced is closed after
/// the answer, for what follows there may be the body.
async fn answer_admitted<B: Body>(
    site: &Site,
    audience: Audience,
    request: Request<B>,
) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let route = site.route(audience, uri.path(), uri.query().unwrap_or_default());
    let reply = match refusal(site, &route, &request) {
        Some(reply) => reply,
        None => match &route {
            Route::Healthy => site.healthy(),
            Route::Ready => site.ready(),
            Route::Reload => {
                match origin::foreign(request.headers(), site.options().external_url.as_deref()) {
                    Some(why) => Reply::text(StatusCode::FORBIDDEN, why),
                    None => site.reload().await,
                }
            }
            // The permit is given back when the bytes are made. One that were held while the
            // client reads would let slow clients lock out the scrapers.
            Route::Metrics | Route::View(_) => match site.requests.try_acquire() {
                Err(_) => Reply::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too many requests at once (web.max_requests); try again in a second",
                )
                .with(RETRY_AFTER, "1"),
                Ok(_permit) => match &route {
                    Route::View(view) => site.view(view.clone(), request.headers()).await,
                    _ => site.metrics(request.headers()).await,
                },
            },
            Route::Nothing => Reply::text(StatusCode::NOT_FOUND, "there is nothing here"),
        },
    };
    let reply = reply.closing_after(&request);
    site.store
        .exporter
        .served(route.handler(), reply.0.status().as_u16());
    reply.0
}

/// Why a request is not even tried.
fn refusal<B: Body>(site: &Site, route: &Route, request: &Request<B>) -> Option<Reply> {
    // RFC 9112, 3.2: exactly one Host, which HTTP/1.0 did not know.
    if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1
    {
        return Some(Reply::text(
            StatusCode::BAD_REQUEST,
            "a request must have one Host header",
        ));
    }
    if request.body().size_hint().lower() > site.limits.body_bytes {
        return Some(Reply::text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "no request here needs a body",
        ));
    }
    let methods = route.methods();
    let allowed = methods
        .split(", ")
        .any(|method| method == request.method().as_str());
    if *route != Route::Nothing && !allowed {
        return Some(
            Reply::text(
                StatusCode::METHOD_NOT_ALLOWED,
                format_args!("this path answers {methods} only"),
            )
            .with(ALLOW, methods),
        );
    }
    None
}

/// An answer in the making. hyper adds Content-Length and leaves out the body for HEAD.
struct Reply(Response<Full<Bytes>>);

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        Self(response)
            .with(CONTENT_TYPE, content_type)
            // Which accounts have a root key is nothing for a cache on the way.
            .with(CACHE_CONTROL, "no-store")
            .with(X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    /// A page or an answer of the API, or that the client has it already.
    fn document(document: Document, headers: &HeaderMap) -> Self {
        let (status, body) = if document.tag.is_known_to(headers) {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, document.body)
        };
        let mut reply = Self::new(status, document.content_type, body)
            .with(VARY, "Accept-Encoding")
            // For the reader's own use, and never without asking whether it is still true.
            .with(CACHE_CONTROL, "private, no-cache");
        if document.encoding == Encoding::Gzip {
            reply = reply.with(CONTENT_ENCODING, "gzip");
        }
        reply.0.headers_mut().insert(ETAG, document.tag.header());
        reply
    }

    fn unmade(error: &std::io::Error) -> Self {
        tracing::error!(%error, "a page could not be made");
        Self::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this could not be made; the log says why",
        )
    }

    /// What a browser may do with a page.
    fn guarded(mut self) -> Self {
        self.0
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, pages::content_security_policy());
        self.with(REFERRER_POLICY, "no-referrer")
            .with(X_FRAME_OPTIONS, "DENY")
    }

    /// One line of text.
    fn text(status: StatusCode, line: impl Display) -> Self {
        Self::new(
            status,
            "text/plain; charset=utf-8",
            format!("{line}\n").into(),
        )
    }

    /// Closes the connection where a body follows that nobody reads.
    fn closing_after<B: Body>(self, request: &Request<B>) -> Self {
        if request.body().is_end_stream() {
            return self;
        }
        self.with(CONNECTION, "close")
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        self
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::clock::{Clock, Hand};
    use crate::views::AccountCounts;
    use root_posture::Timestamp;

    fn site(telemetry_path: &str, max_requests: usize) -> Site {
        site_with_hand(telemetry_path, max_requests).0
    }

    fn site_with_hand(telemetry_path: &str, max_requests: usize) -> (Site, Hand) {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let site = Site::new(
            Arc::new(Views::new(clock)),
            Settings {
                telemetry_path: telemetry_path.to_owned(),
                max_requests,
                metrics: metrics::Options::default(),
                limits: Limits::default(),
                reloads: None,
            },
        );
        (site, hand)
    }

    async fn get(site: &Site, path: &str) -> Response<Full<Bytes>> {
        get_as(site, Audience::Everyone, path).await
    }

    async fn get_as(site: &Site, audience: Audience, path: &str) -> Response<Full<Bytes>> {
        let request = Request::get(path)
            .header(HOST, "localhost")
            .body(Full::<Bytes>::default())
            .unwrap();
        let peer = Peer {
            port: port(audience, true),
            tls: None,
        };
        answer(site, &peer, request).await.unwrap()
    }

    fn port(audience: Audience, is_loopback: bool) -> Port {
        Port {
            audience,
            is_loopback,
            name: None,
        }
    }

    #[test]
    fn an_address_that_strangers_reach_lacks_something_and_loopback_and_probes_do_not() {
        let site = site("/metrics", 1);
        let lacks = |audience, is_loopback| site.left_open(&port(audience, is_loopback));
        assert_eq!(lacks(Audience::Everyone, true), None);
        assert!(lacks(Audience::Everyone, false).is_some());
        assert_eq!(lacks(Audience::Probes, false), None);
    }

    #[tokio::test]
    async fn more_requests_than_allowed_are_told_to_come_back_and_probes_are_not() {
        let site = site("/metrics", 2);
        let under_way = site.requests.try_acquire_many(2).unwrap();
        for path in ["/metrics", "/"] {
            let response = get(&site, path).await;
            assert_eq!(response.status(), 503, "{path}");
            assert_eq!(response.headers()[RETRY_AFTER], "1", "{path}");
        }
        assert_eq!(get(&site, HEALTHY).await.status(), 200);
        drop(under_way);
        assert_eq!(get(&site, "/metrics").await.status(), 200);
        assert_eq!(site.requests.available_permits(), 2);
    }

    #[tokio::test]
    async fn max_requests_of_zero_is_no_limit() {
        assert_eq!(get(&site("/metrics", 0), "/metrics").await.status(), 200);
    }

    #[tokio::test]
    async fn a_schedule_that_has_not_turned_for_a_minute_is_not_healthy() {
        let (site, hand) = site_with_hand("/metrics", 1);
        for turns in [false, true] {
            if turns {
                site.store.exporter.turned(site.store.moment());
            }
            hand.advance(Duration::from_secs(60));
            assert_eq!(get(&site, HEALTHY).await.status(), 200, "{turns}");
            hand.advance(Duration::from_secs(1));
            for audience in [Audience::Everyone, Audience::Probes] {
                let reply = get_as(&site, audience, HEALTHY).await;
                assert_eq!(reply.status(), 503, "{turns}");
                let line = reply.into_body().collect().await.unwrap().to_bytes();
                let since = site.store.now().minus(Duration::from_secs(61));
                let expected = format!(
                    "the schedule has not turned since {since}, for 61 s: restart the exporter\n"
                );
                assert_eq!(line, expected, "{turns}");
            }
        }
    }

    #[tokio::test]
    async fn ready_comes_when_every_account_was_looked_at() {
        let site = site("/metrics", 1);
        let note = |monitored, looked_at| {
            site.store.exporter.note(|view| {
                view.accounts = Some(AccountCounts {
                    monitored,
                    excluded: 7,
                    inactive: 7,
                });
                view.attempted = looked_at;
            });
        };
        assert_eq!(get(&site, READY).await.status(), 503);
        note(2, 1);
        assert_eq!(get(&site, READY).await.status(), 503);
        note(2, 2);
        assert_eq!(get(&site, READY).await.status(), 200);
        note(0, 0);
        assert_eq!(get(&site, READY).await.status(), 200);
    }

    #[tokio::test]
    async fn a_page_of_another_site_cannot_reload() {
        let (reloads, mut requests) = Reloads::channel();
        let site = Site {
            reloads: Some(reloads),
            ..site("/metrics", 1)
        };
        let ask = async |name: &'static str, value: &'static str| {
            let request = Request::post(RELOAD)
                .header(HOST, "localhost:9100")
                .header(name, value)
                .body(Full::<Bytes>::default())
                .unwrap();
            let peer = Peer {
                port: port(Audience::Everyone, true),
                tls: None,
            };
            answer(&site, &peer, request).await.unwrap().status()
        };
        assert_eq!(ask("origin", "https://evil.example").await, 403);
        assert_eq!(ask("sec-fetch-site", "cross-site").await, 403);
        assert_eq!(ask("content-type", "text/plain").await, 403);
        let reload = async {
            requests.next().await;
            requests.answer(async { Ok("done".to_owned()) }).await;
        };
        let own = ask("origin", "http://localhost:9100");
        assert_eq!(tokio::join!(own, reload).0, 200);
    }

    #[test]
    fn a_telemetry_path_may_take_the_root_but_not_the_probes() {
        let route = |telemetry: &str, path| site(telemetry, 1).route(Audience::Everyone, path, "");
        assert_eq!(route("/", "/"), Route::Metrics);
        assert_eq!(route("/probe/metrics", "/metrics"), Route::Nothing);
        assert_eq!(route("/probe/metrics", "/probe/metrics"), Route::Metrics);
        assert_eq!(route(HEALTHY, HEALTHY), Route::Healthy);
    }

    #[test]
    fn probes_see_the_health_paths_only() {
        let site = site("/metrics", 1);
        let route = |path| site.route(Audience::Probes, path, "");
        assert_eq!(route(HEALTHY), Route::Healthy);
        assert_eq!(route(READY), Route::Ready);
        assert_eq!(route("/metrics"), Route::Nothing);
        assert_eq!(route("/"), Route::Nothing);
    }

    #[tokio::test]
    async fn every_answer_is_counted_by_handler_and_code() {
        let site = site("/metrics", 1);
        for path in ["/metrics", "/", HEALTHY, READY, "/nowhere", "/else"] {
            get(&site, path).await;
        }
        site.count_refused(431);
        let requests = site.store.snapshot().exporter.requests;
        assert_eq!(
            requests.into_iter().collect::<Vec<_>>(),
            [
                (("healthy", 200), 1),
                (("metrics", 200), 1),
                (("other", 404), 2),
                (("other", 431), 1),
                (("overview", 200), 1),
                (("ready", 503), 1),
            ]
        );
    }
}
