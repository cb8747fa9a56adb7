//! One address: takes connections, no more than the limits allow, and drains them at the stop.
//!
//! Nothing that a client or the system's limits do ends the accepting; only the stop does.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::connection;
use super::routes::Site;

/// How long to wait before another try when the system has no room for a connection. Short, so
/// that a scrape is not late once there is room again.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections may wait to be taken; as many as tokio lets.
const BACKLOG: u32 = 1024;

/// Who may ask, and so what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Scrapers and people: every path.
    Everyone,
    /// Probes: the health paths and nothing else.
    Probes,
}

impl Audience {
    /// The audience's name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everything",
            Self::Probes => "health",
        }
    }
}

/// An address that is bound and not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What is wrong with it, and what to do.
    pub cause: BindCause,
    source: io::Error,
}

/// What is wrong with an address, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindCause {
    /// EADDRINUSE.
    #[error(
        "the port is taken; stop the process that listens there (`ss -ltnp` names it) or choose \
         another port"
    )]
    Taken,
    /// EACCES.
    #[error("permission denied; choose a port from 1024 up, or grant CAP_NET_BIND_SERVICE")]
    Denied,
    /// EADDRNOTAVAIL.
    #[error(
        "this machine does not have that address; choose one of its own (`ip addr` lists them)"
    )]
    NotHere,
    /// Anything else, in the system's words.
    #[error("{0}; choose another address")]
    Other(String),
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        let cause = match source.kind() {
            io::ErrorKind::AddrInUse => BindCause::Taken,
            io::ErrorKind::PermissionDenied => BindCause::Denied,
            io::ErrorKind::AddrNotAvailable => BindCause::NotHere,
            _ => BindCause::Other(source.to_string()),
        };
        Self {
            address,
            cause,
            source,
        }
    }
}

/// Binds an address. Port 0 lets the system choose one; `[::]` is every address of both families.
///
/// # Errors
///
/// When the address cannot be had. The error's text is one line that names the address, the cause
/// and the remedy.
pub async fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    let bound = async {
        Listener::of(if address.ip() == Ipv6Addr::UNSPECIFIED {
            listen_on_both(address)?
        } else {
            TcpListener::bind(address).await?
        })
    };
    bound
        .await
        .map_err(|source| BindError::new(address, source))
}

/// Listens on every address: of IPv6 and of IPv4, whatever the system's default is, or of IPv4 alone
/// where the system has no IPv6.
fn listen_on_both(address: SocketAddr) -> io::Result<TcpListener> {
    let (socket, address) = match TcpSocket::new_v6() {
        Ok(socket) => {
            #[cfg(unix)]
            rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
            (socket, address)
        }
        Err(_) => (
            TcpSocket::new_v4()?,
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())),
        ),
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    pub(super) fn of(socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The address as it was bound: with a port of 0 resolved.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the sender of `stopped` is gone, then drains.
    pub(super) async fn serve(
        self,
        audience: Audience,
        site: Arc<Site>,
        mut stopped: watch::Receiver<()>,
    ) {
        let limits = site.limits().clone();
        let room = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut door = Door::default();
        loop {
            tokio::select! {
                (stream, permit) = next(&self.socket, &room, &mut door) => {
                    let serving = connection::serve(
                        stream,
                        audience,
                        Arc::clone(&site),
                        graceful.watcher(),
                        stopped.clone(),
                    );
                    connections.spawn(async move {
                        serving.await;
                        drop(permit);
                    });
                }
                Some(_) = connections.join_next() => {}
                // An error says that the sender is gone, which is the stop.
                _ = stopped.changed() => break,
            }
        }
        // Whoever connects from here on is refused by the system rather than kept waiting.
        drop(self);
        if tokio::time::timeout(limits.grace, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = connections.len(),
                "clients did not take their answers in time and are cut off"
            );
        }
        connections.shutdown().await;
    }
}

/// Waits for room, then for a connection. Cancel safe.
async fn next(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
    door: &mut Door,
) -> (TcpStream, OwnedSemaphorePermit) {
    let Ok(permit) = Arc::clone(room).acquire_owned().await else {
        // Nobody closes the semaphore.
        return std::future::pending().await;
    };
    let (stream, _) = door.accept(|| socket.accept()).await;
    (stream, permit)
}

/// Accepts in spite of errors, and logs the first of a row of them.
#[derive(Debug, Default)]
struct Door {
    stuck: bool,
}

impl Door {
    async fn accept<T, F>(&mut self, mut accept: impl FnMut() -> F) -> T
    where
        F: Future<Output = io::Result<T>>,
    {
        loop {
            match accept().await {
                Ok(accepted) => {
                    if std::mem::take(&mut self.stuck) {
                        tracing::info!("connections are accepted again");
                    }
                    return accepted;
                }
                // The client gave up while it waited: nothing is wrong here.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    // Above all EMFILE: the connection stays in the queue, so that an immediate
                    // new try would spin.
                    if !std::mem::replace(&mut self.stuck, true) {
                        tracing::warn!(
                            %error,
                            "cannot accept a connection; raise the limit of open files \
                             (LimitNOFILE) if there are too many"
                        );
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMFILE: i32 = 24;

    #[tokio::test]
    async fn accepting_survives_a_lack_of_file_descriptors_and_pauses() {
        let mut results = vec![
            Ok("a connection"),
            Err(io::Error::from_raw_os_error(EMFILE)),
            Err(io::Error::from_raw_os_error(EMFILE)),
        ];
        let mut door = Door::default();
        let start = tokio::time::Instant::now();
        let accepted = door
            .accept(|| std::future::ready(results.pop().unwrap()))
            .await;
        assert_eq!(accepted, "a connection");
        assert!(start.elapsed() >= 2 * PAUSE);
        assert!(!door.stuck);
    }

    #[tokio::test]
    async fn a_client_that_gave_up_costs_no_pause() {
        let mut results = vec![Ok(()), Err(io::ErrorKind::ConnectionAborted.into())];
        let start = tokio::time::Instant::now();
        Door::default()
            .accept(|| std::future::ready(results.pop().unwrap()))
            .await;
        assert!(start.elapsed() < PAUSE);
    }

    #[test]
    fn a_bind_error_is_one_line_with_address_cause_and_remedy() {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let text = |kind: io::ErrorKind| BindError::new(address, kind.into()).to_string();
        assert_eq!(
            text(io::ErrorKind::PermissionDenied),
            "cannot listen on 10.0.0.1:80: permission denied; choose a port from 1024 up, or \
             grant CAP_NET_BIND_SERVICE"
        );
        assert_eq!(
            text(io::ErrorKind::AddrNotAvailable),
            "cannot listen on 10.0.0.1:80: this machine does not have that address; choose one of \
             its own (`ip addr` lists them)"
        );
        assert!(text(io::ErrorKind::OutOfMemory).ends_with("; choose another address"));
    }
}
