//! From a request to its answer.
//!
//! Paths are compared whole and as they came: nothing is decoded, joined or looked up on a disk, so
//! there is nothing to escape from. Every answer is counted under one of a fixed set of handlers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_ENCODING, HOST, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ServerConfig;

use crate::body::EncodedBody;
use crate::body::Encoding;
use crate::cache::Cache;
use crate::exporter::{Exporter, Page};
use crate::format::Format;
use crate::listener::{Audience, Endpoint};
use crate::negotiate;
use crate::origin;
use crate::reload::Reloads;
use crate::reply::Reply;
use crate::settings::{Limits, Settings};
use crate::web_config::{Refusal, WebConfig};

pub(crate) const HEALTHY: &str = "/-/healthy";
const READY: &str = "/-/ready";
const RELOAD: &str = "/-/reload";

/// The challenge to a client without a password, by which `healthcheck` recognizes a server of
/// this crate.
pub(crate) const CHALLENGE: &str = "Basic realm=\"exporter\", charset=\"UTF-8\"";

/// How long metrics of the same version are served.
const KEEP: Duration = Duration::from_secs(1);

/// What requests are answered from.
pub(crate) struct Site {
    pub exporter: Arc<dyn Exporter>,
    settings: Settings,
    /// `max_requests`.
    requests: Semaphore,
    metrics: Cache<(Format, Encoding)>,
    /// By path and query. A cache of their own: no page keeps a scrape waiting.
    pages: Cache<(String, Encoding)>,
}

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub endpoint: Endpoint,
    /// The TLS settings with which it was opened.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Site {
    pub fn new(exporter: Arc<dyn Exporter>, settings: Settings) -> Self {
        let requests = match settings.max_requests {
            0 => Semaphore::MAX_PERMITS,
            some => some.min(Semaphore::MAX_PERMITS),
        };
        Self {
            exporter,
            settings,
            requests: Semaphore::new(requests),
            metrics: Cache::new(KEEP),
            pages: Cache::new(Duration::ZERO),
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The web configuration that an audience must satisfy. Health probes see nothing secret.
    pub fn web_config(&self, audience: Audience) -> Option<&Arc<WebConfig>> {
        match audience {
            Audience::Everyone => self.settings.web_config.as_ref(),
            Audience::Probes => None,
        }
    }

    /// Which protection an address lacks that other machines reach.
    pub fn missing_protection(&self, endpoint: &Endpoint) -> Option<&'static str> {
        if endpoint.audience == Audience::Probes || endpoint.is_loopback {
            return None;
        }
        let has =
            |what: fn(&WebConfig) -> bool| self.settings.web_config.as_deref().is_some_and(what);
        match (has(WebConfig::serves_tls), has(WebConfig::authenticates)) {
            (true, true) => None,
            (true, false) => Some("any client is answered, without a password or a certificate"),
            (false, true) => Some("passwords and answers are sent without TLS"),
            (false, false) => Some("any client is answered, without TLS and without a password"),
        }
    }

    /// Counts a request that was refused before it had a path.
    pub fn count_refused(&self, status: StatusCode) {
        let handler = Route::Nothing.handler();
        self.exporter.request_answered(handler, status.as_u16());
    }

    /// Answers a request that the web configuration admits, and refuses any other, whatever its path.
    ///
    /// `None` where the TLS settings have changed since the connection was opened, and may not admit
    /// its client any more. It must end; a client that is still admitted connects again.
    pub async fn answer<B: Body>(
        &self,
        peer: &Peer,
        request: Request<B>,
    ) -> Option<Response<Bytes>> {
        let endpoint = &peer.endpoint;
        let external = self.exporter.external_url();
        if endpoint.is_loopback
            && !origin::is_for_loopback(&request, endpoint.name.as_deref(), external.as_ref())
        {
            let reply = Reply::text(
                StatusCode::MISDIRECTED_REQUEST,
                "this address answers for localhost and the host of the external URL only; correct \
                 the Host header, or configure the external URL",
            );
            self.count_refused(StatusCode::MISDIRECTED_REQUEST);
            return Some(reply.with(CONNECTION, "close").0);
        }
        let Some(config) = self.web_config(endpoint.audience) else {
            return Some(self.answer_admitted(endpoint.audience, request).await);
        };
        let rules = config.current().await;
        if rules.tls.as_ref().map(Arc::as_ptr) != peer.tls.as_ref().map(Arc::as_ptr) {
            return None;
        }
        let mut response = match rules.admit(request.headers()).await {
            Ok(()) => self.answer_admitted(endpoint.audience, request).await,
            Err(refusal) => {
                let response = refused(refusal).closing_after(&request).0;
                self.count_refused(response.status());
                response
            }
        };
        for (name, value) in &rules.headers {
            response.headers_mut().insert(name, value.clone());
        }
        Some(response)
    }

    /// Answers a request and counts the answer.
    ///
    /// A request's body is not read. A connection on which one was announced is closed after the
    /// answer, for what follows there may be the body.
    async fn answer_admitted<B: Body>(
        &self,
        audience: Audience,
        request: Request<B>,
    ) -> Response<Bytes> {
        let uri = request.uri();
        let route = self.route(audience, uri.path(), uri.query().unwrap_or_default());
        let handler = route.handler();
        let reply = match self.unfit(&route, &request) {
            Some(reply) => reply,
            None => self.respond(route, &request).await,
        };
        let response = reply.closing_after(&request).0;
        self.exporter
            .request_answered(handler, response.status().as_u16());
        response
    }

    fn route(&self, audience: Audience, path: &str, query: &str) -> Route {
        match (audience, path, &self.settings.reloads) {
            (_, HEALTHY, _) => Route::Healthy,
            (_, READY, _) => Route::Ready,
            (Audience::Probes, ..) => Route::Nothing,
            (_, RELOAD, Some(reloads)) => Route::Reload(reloads.clone()),
            (_, path, _) if path == self.settings.telemetry_path => Route::Metrics,
            (_, path, _) => (self.exporter.page(path, query)).map_or(Route::Nothing, Route::Page),
        }
    }

    /// Why a request is not answered at its route.
    fn unfit<B: Body>(&self, route: &Route, request: &Request<B>) -> Option<Reply> {
        // RFC 9112, 3.2: exactly one Host, which HTTP/1.0 did not know.
        let hosts = request.headers().get_all(HOST).iter().count();
        if request.version() == Version::HTTP_11 && hosts != 1 {
            let line = "a request must have one Host header";
            return Some(Reply::text(StatusCode::BAD_REQUEST, line));
        }
        if request.body().size_hint().lower() > self.settings.limits.body_bytes {
            let line = "no request here needs a body";
            return Some(Reply::text(StatusCode::PAYLOAD_TOO_LARGE, line));
        }
        let methods = route.methods();
        let mut allowed = methods.split(", ");
        if matches!(route, Route::Nothing) || allowed.any(|one| one == request.method().as_str()) {
            return None;
        }
        let line = format_args!("this path answers {methods} only");
        Some(Reply::text(StatusCode::METHOD_NOT_ALLOWED, line).with(ALLOW, methods))
    }

    async fn respond<B: Body>(&self, route: Route, request: &Request<B>) -> Reply {
        match route {
            Route::Healthy => health(self.exporter.health()),
            Route::Ready => health(self.exporter.readiness()),
            Route::Reload(reloads) => {
                let external = self.exporter.external_url();
                match origin::cross_site(request.headers(), external.as_ref()) {
                    Some(why) => Reply::text(StatusCode::FORBIDDEN, why),
                    None => reload(&reloads).await,
                }
            }
            // The permit is given back when the bytes are made. If it were held while the client
            // reads, slow clients could lock out the scrapers.
            Route::Metrics | Route::Page(_) => match (self.requests.try_acquire(), route) {
                (Ok(_permit), Route::Page(page)) => self.page(page, request).await,
                (Ok(_permit), _) => self.metrics(request.headers()).await,
                (Err(_), _) => Reply::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too many requests at once; try again in a second",
                )
                .with(RETRY_AFTER, "1"),
            },
            Route::Nothing => match self.exporter.not_found(request.uri().path()) {
                Some(page) => self.page(page, request).await,
                None => Reply::text(StatusCode::NOT_FOUND, "there is nothing here"),
            },
        }
    }

    async fn metrics(&self, headers: &HeaderMap) -> Reply {
        let (format, encoding) = (negotiate::format(headers), negotiate::encoding(headers));
        let exporter = Arc::clone(&self.exporter);
        let make = move |size| {
            let body = EncodedBody::new(encoding, size);
            let body = format.write(body, |out| exporter.write_metrics(out))?;
            let reply = Reply::new(StatusCode::OK, format.content_type(), body)
                .with(VARY, "Accept, Accept-Encoding");
            Ok(encoded(reply, encoding).0)
        };
        let key = (format, encoding);
        rendered(self.metrics.get(key, self.version(), make).await)
    }

    async fn page<B>(&self, page: Page, request: &Request<B>) -> Reply {
        let encoding = negotiate::encoding(request.headers());
        let make = move |_| {
            let (head, plain) = (page.render)()?.into_parts();
            let mut body = EncodedBody::new(encoding, plain.len());
            body.write(&plain)?;
            let response = Response::from_parts(head, body.finish());
            let reply = Reply::of(response).with(VARY, "Accept-Encoding");
            Ok(encoded(reply, encoding).0)
        };
        let key = (request.uri().to_string(), encoding);
        rendered(self.pages.get(key, self.version(), make).await)
    }

    fn version(&self) -> impl Fn() -> u64 + Send + use<> {
        let exporter = Arc::clone(&self.exporter);
        move || exporter.version()
    }
}

/// What is at a path.
enum Route {
    Metrics,
    Page(Page),
    Healthy,
    Ready,
    Reload(Reloads),
    Nothing,
}

impl Route {
    /// The handler under which answers are counted.
    fn handler(&self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Page(page) => page.handler,
            Self::Healthy => "healthy",
            Self::Ready => "ready",
            Self::Reload(_) => "reload",
            Self::Nothing => "other",
        }
    }

    /// The methods it answers, as `Allow` lists them.
    fn methods(&self) -> &'static str {
        match self {
            Self::Reload(_) => "POST",
            _ => "GET, HEAD",
        }
    }
}

fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::TooMany => Reply::text(
            StatusCode::TOO_MANY_REQUESTS,
            "more requests than rate_limit allows; try again in a second",
        )
        .with(RETRY_AFTER, "1"),
        // A client without a password has no use for the connection, and others may have.
        Refusal::Unauthorized => Reply::text(
            StatusCode::UNAUTHORIZED,
            "a user and a password are required",
        )
        .with(WWW_AUTHENTICATE, CHALLENGE)
        .with(CONNECTION, "close"),
        Refusal::Busy => Reply::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many passwords are being verified; try again in a second",
        )
        .with(RETRY_AFTER, "1"),
    }
}

fn health(health: Result<(), String>) -> Reply {
    match health {
        Ok(()) => Reply::text(StatusCode::OK, "OK"),
        Err(why) => Reply::text(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn reload(reloads: &Reloads) -> Reply {
    match reloads.request().await {
        Ok(done) => Reply::text(StatusCode::OK, done),
        Err(why) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, why),
    }
}

fn encoded(reply: Reply, encoding: Encoding) -> Reply {
    match encoding {
        Encoding::Identity => reply,
        Encoding::Gzip => reply.with(CONTENT_ENCODING, "gzip"),
    }
}

fn rendered(made: io::Result<Response<Bytes>>) -> Reply {
    made.map_or_else(
        |error| {
            tracing::error!(%error, "an answer could not be rendered");
            let line = "the answer could not be rendered; the log says why";
            Reply::text(StatusCode::INTERNAL_SERVER_ERROR, line)
        },
        Reply,
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::{self, Write as _};
    use std::sync::Mutex;

    use http_body_util::Full;

    use super::*;
    use crate::format::MetricsWriter;

    /// An exporter of one page whose health is in doubt.
    #[derive(Default)]
    struct Doubtful {
        answered: Mutex<Vec<(&'static str, u16)>>,
    }

    impl Exporter for Doubtful {
        fn write_metrics(&self, out: &mut MetricsWriter) -> fmt::Result {
            out.write_str("# EOF\n")
        }

        fn readiness(&self) -> Result<(), String> {
            Err("1 of 2 read".to_owned())
        }

        fn page(&self, path: &str, _: &str) -> Option<Page> {
            (path == "/").then(|| Page::new("front", || Ok(Response::new("front".into()))))
        }

        fn request_answered(&self, handler: &'static str, status: u16) {
            self.answered.lock().unwrap().push((handler, status));
        }
    }

    fn site(settings: Settings) -> Site {
        Site::new(Arc::new(Doubtful::default()), settings)
    }

    fn endpoint(audience: Audience, is_loopback: bool) -> Endpoint {
        Endpoint {
            audience,
            is_loopback,
            name: None,
        }
    }

    async fn send(site: &Site, audience: Audience, request: Request<()>) -> Response<Bytes> {
        let peer = Peer {
            endpoint: endpoint(audience, true),
            tls: None,
        };
        let request = request.map(|()| Full::<Bytes>::default());
        site.answer(&peer, request).await.unwrap()
    }

    async fn get(site: &Site, path: &str) -> Response<Bytes> {
        let request = Request::get(path)
            .header(HOST, "localhost")
            .body(())
            .unwrap();
        send(site, Audience::Everyone, request).await
    }

    #[test]
    fn an_address_that_other_machines_reach_lacks_protection_and_others_do_not() {
        let site = site(Settings::default());
        let lacks =
            |audience, is_loopback| site.missing_protection(&endpoint(audience, is_loopback));
        assert_eq!(lacks(Audience::Everyone, true), None);
        assert!(lacks(Audience::Everyone, false).is_some());
        assert_eq!(lacks(Audience::Probes, false), None);
    }

    #[tokio::test]
    async fn more_requests_than_allowed_get_503_and_health_probes_do_not() {
        let site = site(Settings {
            max_requests: 2,
            ..Settings::default()
        });
        let in_progress = site.requests.try_acquire_many(2).unwrap();
        for path in ["/metrics", "/"] {
            let response = get(&site, path).await;
            assert_eq!(response.status(), 503, "{path}");
            assert_eq!(response.headers()[RETRY_AFTER], "1", "{path}");
        }
        assert_eq!(get(&site, HEALTHY).await.status(), 200);
        drop(in_progress);
        assert_eq!(get(&site, "/metrics").await.status(), 200);
        assert_eq!(site.requests.available_permits(), 2);
    }

    #[tokio::test]
    async fn zero_requests_at_once_is_no_limit() {
        let site = site(Settings {
            max_requests: 0,
            ..Settings::default()
        });
        assert_eq!(get(&site, "/metrics").await.status(), 200);
    }

    #[tokio::test]
    async fn what_is_missing_from_readiness_is_its_line() {
        let response = get(&site(Settings::default()), READY).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.body(), "1 of 2 read\n");
    }

    #[tokio::test]
    async fn a_page_of_another_site_cannot_reload() {
        let (reloads, mut requests) = Reloads::channel();
        let site = site(Settings {
            reloads: Some(reloads),
            ..Settings::default()
        });
        let post = async |name: &'static str, value: &'static str| {
            let request = Request::post(RELOAD)
                .header(HOST, "localhost:9100")
                .header(name, value)
                .body(())
                .unwrap();
            send(&site, Audience::Everyone, request).await.status()
        };
        assert_eq!(post("origin", "https://evil.example").await, 403);
        assert_eq!(post("sec-fetch-site", "cross-site").await, 403);
        assert_eq!(post("content-type", "text/plain").await, 403);
        let reload = async {
            requests.next().await;
            requests.answer(async { Ok("done".to_owned()) }).await;
        };
        let own = post("origin", "http://localhost:9100");
        assert_eq!(tokio::join!(own, reload).0, 200);
    }

    #[test]
    fn the_metrics_may_take_a_page_s_path_but_not_the_health_paths() {
        let handler = |telemetry: &str, path| {
            let telemetry_path = telemetry.to_owned();
            let site = site(Settings {
                telemetry_path,
                ..Settings::default()
            });
            site.route(Audience::Everyone, path, "").handler()
        };
        assert_eq!(handler("/metrics", "/"), "front");
        assert_eq!(handler("/", "/"), "metrics");
        assert_eq!(handler("/probe/metrics", "/metrics"), "other");
        assert_eq!(handler("/probe/metrics", "/probe/metrics"), "metrics");
        assert_eq!(handler(HEALTHY, HEALTHY), "healthy");
    }

    #[test]
    fn health_probes_see_the_health_paths_only() {
        let site = site(Settings::default());
        let handler = |path| site.route(Audience::Probes, path, "").handler();
        assert_eq!(handler(HEALTHY), "healthy");
        assert_eq!(handler(READY), "ready");
        assert_eq!(handler("/metrics"), "other");
        assert_eq!(handler("/"), "other");
    }

    #[tokio::test]
    async fn every_answer_is_counted_by_handler_and_status() {
        let exporter = Arc::new(Doubtful::default());
        let site = Site::new(exporter.clone(), Settings::default());
        for path in ["/metrics", "/", HEALTHY, READY, "/nowhere"] {
            get(&site, path).await;
        }
        site.count_refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(
            *exporter.answered.lock().unwrap(),
            [
                ("metrics", 200),
                ("front", 200),
                ("healthy", 200),
                ("ready", 503),
                ("other", 404),
                ("other", 431),
            ]
        );
    }
}
