//! All addresses of a server: those that systemd hands over, in the place of the configured ones.
//!
//! With socket activation the port is open before the exporter starts, and stays open over restarts.
//!
//! Source: systemd, `sd_listen_fds(3)`, `systemd.socket(5)`.

use std::io;

use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::address::ListenAddress;
use crate::listener::{BindError, Listener, listen};

/// `FileDescriptorName=` of the socket for health probes.
const HEALTH: &str = "health";

/// The bound addresses of a server.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Those that serve every path.
    pub everyone: Vec<Listener>,
    /// Those that serve `/-/healthy` and `/-/ready` alone, without TLS or passwords.
    pub probes: Vec<Listener>,
}

impl Listeners {
    /// Binds `addresses`, and `health` for health probes; of a name, each of its addresses that this
    /// machine has.
    ///
    /// Sockets that systemd hands over (`LISTEN_FDS`) come in the place of `addresses`; one with
    /// `FileDescriptorName=health` comes in the place of `health`.
    ///
    /// # Errors
    ///
    /// When one of them cannot be bound, or is no listening TCP socket.
    pub async fn open(
        addresses: &[ListenAddress],
        health: Option<&ListenAddress>,
    ) -> Result<Self, BindError> {
        let mut listeners = Self::inherited()?;
        if listeners.everyone.is_empty() {
            for address in addresses {
                listeners.everyone.extend(listen(address).await?);
            }
        }
        if let (true, Some(address)) = (listeners.probes.is_empty(), health) {
            listeners.probes = listen(address).await?;
        }
        Ok(listeners)
    }

    fn inherited() -> Result<Self, BindError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = ListenFd::from_env();
        let mut listeners = Self::default();
        for index in 0..sockets.len() {
            let unusable = |error: io::Error| {
                BindError::new(
                    &format_args!("systemd's socket number {}", index + 1),
                    format!(
                        "{error}; its unit must have ListenStream= with an address and a port, and \
                         one socket at most FileDescriptorName=health"
                    ),
                )
            };
            let is_for_probes = names.next() == Some(HEALTH);
            let socket = sockets
                .take_tcp_listener(index)
                .and_then(|socket| socket.ok_or_else(|| io::ErrorKind::NotFound.into()))
                .map_err(unusable)?;
            let listener = socket
                .set_nonblocking(true)
                .and_then(|()| Listener::of(TcpListener::from_std(socket)?))
                .map_err(unusable)?;
            if !is_for_probes {
                listeners.everyone.push(listener);
            } else if listeners.probes.is_empty() {
                listeners.probes.push(listener);
            } else {
                return Err(unusable(io::Error::other(
                    "there is another one for probes",
                )));
            }
        }
        Ok(listeners)
    }
}
