//! The simulator's HTTP: one loopback port for all services.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited};
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::body;
use crate::calendar;
use crate::request::Request;
use crate::world::{Delivery, World};

/// The simulator's clock: Unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// AWS accepts no larger request of these services.
const LARGEST_REQUEST: usize = 2 << 20;

/// A simulated AWS that listens. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    world: World,
    listening: JoinHandle<()>,
}

impl Simulator {
    /// Serves `world` on `address`, `127.0.0.1:0` for any free port, with the time of `clock`.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or is not on loopback.
    pub async fn start(
        world: World,
        address: impl ToSocketAddrs,
        clock: Clock,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            let message =
                format!("{address} is not on loopback: the simulator checks no credentials");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listening = tokio::spawn(listen(listener, world.clone(), clock));
        Ok(Self {
            address,
            world,
            listening,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint of every service, `http://127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a queue of the hub, whether there is one of that name or not.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url(), self.world.hub())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The connections end with the task that owns their set.
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, world: World, clock: Clock) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, world.clone(), clock.clone()));
                }
                // Out of file descriptors, or the client is gone already: the next one may succeed.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed by a fault")]
struct Refused;

async fn serve(stream: TcpStream, world: World, clock: Clock) {
    // Without it the second half of an answer waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, &world, &clock));
    // An error is the client's leaving or a fault: there is nothing to report.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: hyper::Request<Incoming>,
    world: &World,
    clock: &Clock,
) -> Result<Response<UnsyncBoxBody<Bytes, io::Error>>, Refused> {
    let (head, content) = request.into_parts();
    let content = Limited::new(content, LARGEST_REQUEST).collect().await;
    let content = content.map_err(|_| Refused)?.to_bytes();
    let request = Request::read(&head.headers, &content);
    let mut outcome = world.respond(&request, clock());
    match outcome.delivery {
        Delivery::Refuse => return Err(Refused),
        Delivery::Never => match std::future::pending::<Infallible>().await {},
        Delivery::Whole | Delivery::Torn | Delivery::OneByteASecond => {}
    }
    if let Some(waiting) = outcome.waiting.take()
        && let Some(messages) = world.receive(&waiting.receive).await
    {
        outcome.replace(messages, &waiting.faults);
    }
    if !outcome.delay.is_zero() {
        tokio::time::sleep(outcome.delay).await;
    }
    let wire = outcome.wire;
    let mut response = Response::builder()
        .status(wire.status)
        .header(CONTENT_LENGTH, wire.body.len())
        .header(CONTENT_TYPE, wire.content_type)
        .header("x-amzn-requestid", wire.request_id);
    if let Some(error) = wire.query_error {
        response = response.header("x-amzn-query-error", error);
    }
    if let Some(date) = outcome.date {
        response = response.header(DATE, calendar::http(date));
    }
    let body = body(wire.body, outcome.delivery, outcome.in_flight);
    response.body(body).map_err(|_| Refused)
}
