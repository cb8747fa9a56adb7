//! A bound address: what it is for, and how an address or a name is bound.
//!
//! Accepts nothing; `accept` does. No address is bound that was not configured.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

use crate::address::ListenAddress;

/// How long a name may take to look up. Two attempts of the usual resolver.
const LOOKUP: Duration = Duration::from_secs(10);

/// How many connections the system queues until they are accepted; tokio's own value.
const BACKLOG: u32 = 1024;

/// The clients that a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Scrapers and people: every path.
    Everyone,
    /// Health probes: the health paths and nothing else.
    Probes,
}

impl Audience {
    /// The paths that are served, for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everything",
            Self::Probes => "health",
        }
    }
}

/// A listener as its connections need to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub audience: Audience,
    /// Whether only this machine reaches it.
    pub is_loopback: bool,
    /// The host name by which it was configured.
    pub name: Option<Arc<str>>,
}

/// An address that is bound and not served yet.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    address: SocketAddr,
    /// The host name by which it was configured.
    name: Option<Arc<str>>,
}

/// Why an address cannot be listened on, on one line: the address, the cause, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {problem}")]
pub struct BindError {
    address: String,
    problem: String,
}

impl BindError {
    pub(crate) fn new(address: &impl ToString, problem: impl Into<String>) -> Self {
        Self {
            address: address.to_string(),
            problem: problem.into(),
        }
    }

    fn of(address: &impl ToString, error: &io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "the port is taken; stop the process that listens there (`ss -ltnp` names it) or \
                 choose another port"
            }
            io::ErrorKind::PermissionDenied => {
                "permission denied; choose a port from 1024 up, or grant CAP_NET_BIND_SERVICE"
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine does not have that address; choose one of its own (`ip addr` lists \
                 them)"
            }
            _ if is_absent(error) => {
                "this system does not have that family of addresses; choose one of the other"
            }
            _ => return Self::new(address, format!("{error}; choose another address")),
        };
        Self::new(address, problem)
    }
}

/// Whether the machine lacks the address or its family.
fn is_absent(error: &io::Error) -> bool {
    let no_family = Some(Errno::AFNOSUPPORT.raw_os_error());
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == no_family
}

/// Binds an address; of a name, each of its addresses that this machine has.
pub(crate) async fn listen(address: &ListenAddress) -> Result<Vec<Listener>, BindError> {
    let (name, port) = match address {
        ListenAddress::Ip(ip) => {
            let bound = bind(*ip).await;
            return Ok(vec![bound.map_err(|error| BindError::of(address, &error))?]);
        }
        ListenAddress::Name { name, port } => (name.as_str(), *port),
    };
    let lookup = tokio::net::lookup_host((name, port));
    let found = distinct(lookup, LOOKUP).await;
    let found = found.map_err(|problem| BindError::new(address, problem))?;
    let mut listeners = Vec::new();
    let mut absent = Vec::new();
    for one in found {
        match bind(one).await {
            Ok(listener) => listeners.push(Listener {
                name: Some(Arc::from(name)),
                ..listener
            }),
            Err(error) if is_absent(&error) => absent.push(one.ip().to_string()),
            Err(error) => return Err(BindError::of(&format!("{address} ({one})"), &error)),
        }
    }
    let absent = absent.join(" and ");
    if listeners.is_empty() {
        let problem = format!(
            "the name has the address {absent}, and this machine does not; choose a name or an \
             address of its own (`ip addr` lists them)"
        );
        return Err(BindError::new(address, problem));
    }
    if !absent.is_empty() {
        tracing::warn!(
            %address,
            absent,
            "the name to listen on also has an address that this machine does not have"
        );
    }
    Ok(listeners)
}

/// The addresses that a lookup finds, each once.
async fn distinct(
    lookup: impl Future<Output = io::Result<impl Iterator<Item = SocketAddr>>>,
    within: Duration,
) -> Result<Vec<SocketAddr>, String> {
    let none = |why: &str| {
        format!("the name has no address: {why}; check how it is written, or write an IP address")
    };
    let found = timeout(within, lookup).await.map_err(|_| {
        let seconds = within.as_secs();
        format!(
            "the name was not found within {seconds} s; check this machine's DNS, or write an IP \
             address"
        )
    })?;
    let mut addresses = Vec::new();
    for address in found.map_err(|error| none(&error.to_string()))? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(none("nothing was found"));
    }
    Ok(addresses)
}

async fn bind(address: SocketAddr) -> io::Result<Listener> {
    if address.ip() != Ipv6Addr::UNSPECIFIED {
        return Listener::of(TcpListener::bind(address).await?);
    }
    match bind_both_families(address) {
        Err(error) if is_absent(&error) => {
            tracing::info!(%address, "this system has no IPv6; listening on IPv4 alone");
            let address = (Ipv4Addr::UNSPECIFIED, address.port());
            Listener::of(TcpListener::bind(address).await?)
        }
        bound => Listener::of(bound?),
    }
}

/// Binds `[::]` so that IPv4 is served whatever the system's default is (`net.ipv6.bindv6only`).
fn bind_both_families(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    SockRef::from(&socket).set_only_v6(false)?;
    // As tokio does: what is left of a former process's connections blocks no port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    pub(crate) fn of(socket: TcpListener) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            name: None,
        })
    }

    /// The bound address, with the port that the system chose for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self, audience: Audience) -> Endpoint {
        Endpoint {
            audience,
            is_loopback: self.address.ip().to_canonical().is_loopback(),
            name: self.name.clone(),
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
        let each = distinct(lookup, LOOKUP).await;
        assert_eq!(each, Ok(vec![address(1), address(2)]));
        let nothing = std::future::ready(Ok(std::iter::empty()));
        let nothing = distinct(nothing, LOOKUP).await;
        assert!(nothing.unwrap_err().contains("nothing was found"));
        let late = std::future::pending::<io::Result<std::iter::Empty<_>>>();
        let late = distinct(late, Duration::from_millis(1)).await.unwrap_err();
        assert!(late.contains("was not found within"), "{late}");
    }

    #[test]
    fn a_bind_error_is_one_line_with_address_cause_and_remedy() {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let text = |kind: io::ErrorKind| BindError::of(&address, &kind.into()).to_string();
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
