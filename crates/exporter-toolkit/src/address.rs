//! An address to listen on, as Prometheus' exporters write it: `127.0.0.1:9100`, `[::1]:9100`,
//! `localhost:9100`, or `:9100` for every address of the machine.
//!
//! No name is looked up here; `listener` does that where it binds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 lets the system choose one. `[::]` serves IPv4 too, and IPv4
    /// alone where the system has no IPv6; it is what `:9100` means.
    Ip(SocketAddr),
    /// A host name and a port.
    Name {
        /// The name, in lower case.
        name: String,
        /// The port.
        port: u16,
    },
}

/// What is wrong with the text of a [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// A number alone.
    #[error(
        "has no address; write \":{0}\" for every interface, \"127.0.0.1:{0}\" for this machine alone"
    )]
    PortAlone(u16),
    /// A host without a port.
    #[error("has no port; write it like \"127.0.0.1:9100\"")]
    NoPort,
    /// An IPv6 address without its brackets.
    #[error("has an IPv6 address without brackets; write it like \"[::1]:9100\"")]
    NoBrackets,
    /// The port is not one.
    #[error("has no port from 0 to 65535 after its last colon; write it like \"127.0.0.1:9100\"")]
    Port,
    /// The host is neither an IP address nor a name.
    #[error(
        "is not an IP address or a host name and a port; write it like \"127.0.0.1:9100\", \
         \"[::1]:9100\", \"localhost:9100\" or \":9100\""
    )]
    Host,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(match text.parse() {
                Ok(port) => ListenAddressError::PortAlone(port),
                Err(_) if is_name(text) || text.parse::<IpAddr>().is_ok() => {
                    ListenAddressError::NoPort
                }
                Err(_) => ListenAddressError::Host,
            });
        };
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if bare.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) {
            return Err(ListenAddressError::NoPort);
        }
        if text.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
            return Err(ListenAddressError::NoBrackets);
        }
        let is_host = host.is_empty() || is_name(host);
        if !is_host && host.parse::<Ipv4Addr>().is_err() && !host.starts_with('[') {
            return Err(ListenAddressError::Host);
        }
        // Numbers may have a sign, ports have none.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = (port.parse().ok().filter(|_| digits)).ok_or(ListenAddressError::Port)?;
        match host {
            "" => Ok(Self::Ip((Ipv6Addr::UNSPECIFIED, port).into())),
            _ if is_host => Ok(Self::Name {
                name: host.to_ascii_lowercase(),
                port,
            }),
            _ => Err(ListenAddressError::Host),
        }
    }
}

/// Whether a text can be a host name. One whose last part is a number is meant as an IP address.
///
/// Source: RFC 1123, section 2.1; containers' names have underscores.
fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_part = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && (part.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(is_part)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name { name, port } => write!(f, "{name}:{port}"),
        }
    }
}

impl ListenAddress {
    /// Whether a listener here leaves nothing of `other` to listen on.
    ///
    /// The addresses of a name are not known here, only that `[::]` has them all. Port 0 is a new
    /// port each time.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        if self.port() != other.port() || self.port() == 0 {
            return false;
        }
        match (self, other) {
            (Self::Ip(all), _) if all.ip() == Ipv6Addr::UNSPECIFIED => true,
            (Self::Ip(all), Self::Ip(one)) if all.ip() == Ipv4Addr::UNSPECIFIED => one.is_ipv4(),
            _ => self == other,
        }
    }

    /// The address at which a client on this machine reaches it.
    #[must_use]
    pub fn from_here(&self) -> Self {
        match self {
            Self::Ip(all) if all.ip().is_unspecified() => {
                Self::Ip((Ipv4Addr::LOCALHOST, all.port()).into())
            }
            one => one.clone(),
        }
    }

    /// The port; 0 lets the system choose one.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            Self::Name { port, .. } => *port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_read_as_prometheus_exporters_read_it() {
        for (text, shown) in [
            ("127.0.0.1:9100", "127.0.0.1:9100"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:9100", "[::1]:9100"),
            ("[::]:9100", "[::]:9100"),
            (":9100", "[::]:9100"),
            (":0", "[::]:0"),
            ("localhost:9100", "localhost:9100"),
            ("Exporter.Internal:9100", "exporter.internal:9100"),
            ("exporter.internal.:9100", "exporter.internal.:9100"),
            ("aws_root-exporter:9100", "aws_root-exporter:9100"),
            ("1and1.example:65535", "1and1.example:65535"),
        ] {
            assert_eq!(address(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, error) in [
            ("9100", ListenAddressError::PortAlone(9100)),
            ("localhost", ListenAddressError::NoPort),
            ("127.0.0.1", ListenAddressError::NoPort),
            ("[::1]", ListenAddressError::NoPort),
            ("::1", ListenAddressError::NoBrackets),
            ("::1:9100", ListenAddressError::NoBrackets),
            ("fe80::1:99999", ListenAddressError::NoBrackets),
            (":", ListenAddressError::Port),
            ("localhost:", ListenAddressError::Port),
            ("localhost:http", ListenAddressError::Port),
            ("localhost:65536", ListenAddressError::Port),
            ("localhost:+80", ListenAddressError::Port),
            ("127.0.0.1:-1", ListenAddressError::Port),
            ("256.0.0.1:9100", ListenAddressError::Host),
            ("127.1:9100", ListenAddressError::Host),
            ("0x7f.1:9100", ListenAddressError::Host),
            ("*:9100", ListenAddressError::Host),
            ("-a:9100", ListenAddressError::Host),
            ("a..b:9100", ListenAddressError::Host),
            ("a b:9100", ListenAddressError::Host),
            ("[localhost]:9100", ListenAddressError::Host),
            ("http://localhost:9100", ListenAddressError::Host),
            ("localhost:9100/metrics", ListenAddressError::Port),
            ("", ListenAddressError::Host),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn an_address_includes_itself_and_every_address_those_of_its_family() {
        for (one, other, includes) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("a.example:1", "A.example:1", true),
            ("a.example:1", "b.example:1", false),
            (":1", "127.0.0.1:1", true),
            (":1", "[::1]:1", true),
            (":1", "0.0.0.0:1", true),
            (":1", "a.example:1", true),
            (":1", "[::]:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("127.0.0.1:1", ":1", false),
        ] {
            assert_eq!(
                address(one).includes(&address(other)),
                includes,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn every_address_is_reached_on_loopback() {
        for (text, reached) in [
            (":1", "127.0.0.1:1"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::1]:1", "[::1]:1"),
            ("a.example:1", "a.example:1"),
        ] {
            assert_eq!(address(text).from_here().to_string(), reached);
        }
    }
}
