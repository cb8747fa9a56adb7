//! One address: takes connections, no more than the limits allow, and drains them at the stop.
//!
//! Nothing that a client or the system's limits do ends the accepting; only the stop does. Where
//! there is no room, the connection that is most dispensable gives way: one whose last request was
//! refused, or that has asked nothing yet, before any other, and of those the one that has waited
//! longest. So clients that only hold connections keep no scraper out.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::timeout;

use super::connection::{self, Progress};
use super::routes::Site;
use crate::address::ListenAddress;

/// How long to wait before another try when the system has no room for a connection. Short, so
/// that a scrape is not late once there is room again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long it may take to find what a name stands for. Two attempts of the usual resolver.
const LOOKUP: Duration = Duration::from_secs(10);

/// How many connections the system keeps until they are accepted, as tokio has it elsewhere.
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

/// What a listener is for, and who can reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub audience: Audience,
    /// Whether only this machine reaches it.
    pub is_loopback: bool,
    /// The host name that stands for its address in the configuration.
    pub name: Option<Arc<str>>,
}

/// An address that is bound and not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// The host name that it was found by.
    name: Option<Arc<str>>,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}")]
pub struct BindError {
    /// The address.
    pub address: String,
    /// What is wrong with it, and what to do.
    pub cause: BindCause,
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
    /// EAFNOSUPPORT.
    #[error("this system does not have that family of addresses; choose one of the other")]
    NoFamily,
    /// A name that stands for other machines' addresses.
    #[error(
        "the name stands for {0}, and this machine does not have that; choose a name or an address \
         of its own (`ip addr` lists them)"
    )]
    NoneHere(String),
    /// A name that stands for nothing.
    #[error("the name has no address: {0}; check how it is written, or write an IP address")]
    NoAddress(String),
    /// Who knows names does not answer.
    #[error(
        "the name was not found within {} s; check this machine's DNS, or write an IP address",
        LOOKUP.as_secs()
    )]
    NoAnswer,
    /// Anything else, in the system's words.
    #[error("{0}; choose another address")]
    Other(String),
}

impl BindCause {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::AddrNotAvailable => Self::NotHere,
            #[cfg(unix)]
            _ if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => {
                Self::NoFamily
            }
            _ => Self::Other(error.to_string()),
        }
    }

    /// Whether it is the machine that lacks the address.
    fn is_absence(&self) -> bool {
        matches!(self, Self::NotHere | Self::NoFamily)
    }
}

impl BindError {
    fn new(address: impl fmt::Display, cause: BindCause) -> Self {
        Self {
            address: address.to_string(),
            cause,
        }
    }
}

/// Listens on an address: on all that a name stands for, as far as this machine has them.
///
/// # Errors
///
/// When nothing can be had, or something is in the way. The error's text is one line that names
/// the address, the cause and the remedy.
pub async fn listen(address: &ListenAddress) -> Result<Vec<Listener>, BindError> {
    let (name, port) = match address {
        ListenAddress::Ip(address) => return Ok(vec![bind(*address).await?]),
        ListenAddress::Name { name, port } => (name.as_str(), *port),
    };
    let lookup = tokio::net::lookup_host((name, port));
    let found = found(lookup, LOOKUP).await;
    let found = found.map_err(|cause| BindError::new(address, cause))?;
    let mut listeners = Vec::new();
    let mut absent = Vec::new();
    for one in found {
        match bind(one).await {
            Ok(listener) => listeners.push(Listener {
                name: Some(Arc::from(name)),
                ..listener
            }),
            Err(error) if error.cause.is_absence() => absent.push(one.ip().to_string()),
            Err(error) => {
                let place = format!("{address} ({})", error.address);
                return Err(BindError::new(place, error.cause));
            }
        }
    }
    let absent = absent.join(" and ");
    if listeners.is_empty() {
        return Err(BindError::new(address, BindCause::NoneHere(absent)));
    }
    if !absent.is_empty() {
        tracing::warn!(
            %address,
            absent,
            "the name to listen on stands for an address too that this machine does not have"
        );
    }
    Ok(listeners)
}

/// The addresses that a lookup finds, each once.
async fn found(
    lookup: impl Future<Output = io::Result<impl Iterator<Item = SocketAddr>>>,
    within: Duration,
) -> Result<Vec<SocketAddr>, BindCause> {
    let found = timeout(within, lookup)
        .await
        .map_err(|_| BindCause::NoAnswer)?
        .map_err(|error| BindCause::NoAddress(error.to_string()))?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(BindCause::NoAddress("nothing was found".to_owned()));
    }
    Ok(addresses)
}

/// Binds an address. Port 0 lets the system choose one. `[::]` serves IPv4 as well, and IPv4 alone
/// where the system has no IPv6.
///
/// # Errors
///
/// When the address cannot be had. The error's text is one line that names the address, the cause
/// and the remedy.
pub async fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    let bound = if address.ip() == Ipv6Addr::UNSPECIFIED {
        match bind_both_families(address) {
            Err(error) if BindCause::of(&error).is_absence() => {
                tracing::info!(%address, "this system has no IPv6; listening on IPv4 alone");
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
            }
            bound => bound,
        }
    } else {
        TcpListener::bind(address).await
    };
    bound
        .and_then(Listener::of)
        .map_err(|error| BindError::new(address, BindCause::of(&error)))
}

/// Binds `[::]` so that IPv4 is served whatever the system's default is (`net.ipv6.bindv6only`).
fn bind_both_families(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    SockRef::from(&socket).set_only_v6(false)?;
    // As tokio does it: connections of a former process that are not gone yet block no port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    pub(super) fn of(socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            name: None,
        })
    }

    /// The address as it was bound: with a port of 0 resolved.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn port(&self, audience: Audience) -> Port {
        Port {
            audience,
            is_loopback: self.address.ip().to_canonical().is_loopback(),
            name: self.name.clone(),
        }
    }

    /// Answers until the sender of `stopped` is gone, then drains.
    pub(super) async fn serve(
        self,
        audience: Audience,
        site: Arc<Site>,
        mut stopped: watch::Receiver<()>,
    ) {
        let port = self.port(audience);
        let mut connections = Connections::default();
        let mut tls = site.guard(audience).map(|guard| guard.tls_changes());
        let mut door = Door::default();
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => {
                        door.opens();
                        let progress = Arc::new(Progress::begun());
                        let serving =
                            connection::serve(stream, port.clone(), Arc::clone(&site), Arc::clone(&progress));
                        let newest = connections.add(progress, serving);
                        let room = connections.make_room(newest, &site);
                        tokio::select! {
                            () = room => {}
                            _ = stopped.changed() => break,
                        }
                    }
                    Err(error) if is_the_clients(&error) => {}
                    Err(error) => {
                        // Above all EMFILE: the connection stays in the queue, so that an immediate
                        // new try would spin.
                        door.sticks(&error);
                        connections.evict(None, &site);
                        let _ = timeout(PAUSE, stopped.changed()).await;
                    }
                },
                () = connections.one_ends(), if !connections.tasks.is_empty() => {}
                () = changed(&mut tls) => connections.end_all(Progress::has_begun),
                // An error says that the sender is gone, which is the stop.
                _ = stopped.changed() => break,
            }
        }
        // Whoever connects from here on is refused by the system rather than kept waiting.
        drop(self);
        connections.end_all(|_| true);
        connections.drain(site.limits().grace).await;
    }
}

/// Waits for other TLS settings than those that the connections were opened by.
async fn changed(tls: &mut Option<watch::Receiver<()>>) {
    let changed = match tls {
        Some(tls) => tls.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

/// The connections of a listener.
#[derive(Debug, Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: HashMap<Id, (Arc<Progress>, AbortHandle)>,
}

impl Connections {
    fn add(
        &mut self,
        progress: Arc<Progress>,
        serving: impl Future<Output = ()> + Send + 'static,
    ) -> Id {
        let task = self.tasks.spawn(serving);
        let id = task.id();
        self.open.insert(id, (progress, task));
        id
    }

    /// Waits until one ends. Cancel safe.
    async fn one_ends(&mut self) {
        if let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.open.remove(&id);
    }

    /// Waits until there are no more than the limits allow.
    async fn make_room(&mut self, newest: Id, site: &Site) {
        loop {
            // Connections that have ended take no room.
            while let Some(ended) = self.tasks.try_join_next_with_id() {
                self.forget(ended);
            }
            if self.tasks.len() <= site.limits().connections {
                return;
            }
            self.evict(Some(newest), site);
            // Where an answer is under way on each, one of them may be dispensable soon.
            let _ = timeout(PAUSE, self.one_ends()).await;
        }
    }

    /// Closes the connection that is most dispensable, if any is, but never the newest.
    fn evict(&mut self, newest: Option<Id>, site: &Site) {
        let others = self.open.iter().filter(|(id, _)| Some(**id) != newest);
        let ranked = others.filter_map(|(_, (progress, task))| Some((progress.rank()?, task)));
        if let Some((_, task)) = ranked.min_by_key(|(rank, _)| *rank) {
            task.abort();
            site.count_evicted();
        }
    }

    /// Ends each of these as soon as no answer is under way on it.
    fn end_all(&self, which: impl Fn(&Progress) -> bool) {
        let these = self.open.values().filter(|(progress, _)| which(progress));
        for (progress, task) in these {
            if progress.is_waiting() {
                task.abort();
            } else {
                progress.end_after_answer();
            }
        }
    }

    /// Waits until all have ended, and cuts off those that take longer.
    async fn drain(mut self, grace: Duration) {
        let all_end = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(grace, all_end).await.is_err() {
            tracing::warn!(
                connections = self.tasks.len(),
                "clients did not take their answers in time and are cut off"
            );
        }
        self.tasks.shutdown().await;
    }
}

/// Whether a client gave up while it waited: nothing is wrong here.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Whether connections can be accepted; logs the first of a row of failures.
#[derive(Debug, Default)]
struct Door {
    is_stuck: bool,
}

impl Door {
    fn opens(&mut self) {
        if std::mem::take(&mut self.is_stuck) {
            tracing::info!("connections are accepted again");
        }
    }

    fn sticks(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_stuck, true) {
            tracing::warn!(
                %error,
                "cannot accept a connection; raise the limit of open files (LimitNOFILE) if there \
                 are too many"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_address_of_a_name_is_found_once_and_none_is_a_cause_of_its_own() {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let several = vec![address(1), address(2), address(1)];
        let lookup = std::future::ready(Ok(several.into_iter()));
        let each = found(lookup, LOOKUP).await;
        assert_eq!(each, Ok(vec![address(1), address(2)]));
        let nothing = std::future::ready(Ok(std::iter::empty()));
        let nothing = found(nothing, LOOKUP).await;
        assert!(
            matches!(nothing, Err(BindCause::NoAddress(_))),
            "{nothing:?}"
        );
        let late = std::future::pending::<io::Result<std::iter::Empty<_>>>();
        assert_eq!(found(late, PAUSE).await, Err(BindCause::NoAnswer));
    }

    #[test]
    fn a_bind_error_is_one_line_with_address_cause_and_remedy() {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let text =
            |kind: io::ErrorKind| BindError::new(address, BindCause::of(&kind.into())).to_string();
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
