//! Addresses that systemd holds and hands over as the process starts (socket activation): the port
//! is there before the exporter is, and stays while it is started anew.
//!
//! Source: systemd, `sd_listen_fds(3)`, `systemd.socket(5)`.

use std::io;

use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::listener::Listener;

/// `FileDescriptorName=` of the address for probes alone.
const HEALTH: &str = "health";

/// The addresses that were handed over.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For everybody, in the place of `web.listen_address`; none where none was handed over.
    pub everyone: Vec<Listener>,
    /// For probes alone, in the place of `web.health_listen_address`.
    pub probes: Option<Listener>,
}

/// Why an address that was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "systemd's socket number {number} cannot be used: {source}; its unit must have \
     ListenStream= with an address and a port, and one socket at most FileDescriptorName=health"
)]
pub struct InheritedError {
    /// Which one, counted from 1.
    pub number: usize,
    source: io::Error,
}

/// Takes the addresses that systemd has handed over to this process (`LISTEN_FDS`), once.
///
/// # Errors
///
/// When one of them is not a listening TCP socket.
pub fn inherited() -> Result<Inherited, InheritedError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut handed = ListenFd::from_env();
    let mut inherited = Inherited::default();
    for index in 0..handed.len() {
        let wrong = |source| InheritedError {
            number: index + 1,
            source,
        };
        let is_for_probes = names.next() == Some(HEALTH);
        let socket = handed
            .take_tcp_listener(index)
            .and_then(|socket| socket.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(wrong)?;
        let listener = socket
            .set_nonblocking(true)
            .and_then(|()| Listener::of(TcpListener::from_std(socket)?))
            .map_err(wrong)?;
        if !is_for_probes {
            inherited.everyone.push(listener);
        } else if inherited.probes.replace(listener).is_some() {
            return Err(wrong(io::Error::other("there is another one for probes")));
        }
    }
    Ok(inherited)
}
