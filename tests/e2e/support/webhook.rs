//! What a pager would be sent: a receiver of Alertmanager's webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use super::aws::listen;

/// One alert of one notification.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Instant,
    pub receiver: String,
    pub status: String,
    pub labels: Value,
    pub annotations: Value,
}

impl Told {
    /// Whether it says this of that alert.
    pub fn says(&self, status: &str, alert: &str) -> bool {
        self.status == status && self.labels["alertname"] == alert
    }
}

/// Listens until the test ends.
pub struct Webhook {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Webhook {
    pub fn start() -> Self {
        let listener = listen();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        thread::spawn(move || serve(&listener, &heard));
        Self { address, told }
    }

    /// All that was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

fn serve(listener: &TcpListener, heard: &Mutex<Vec<Told>>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        // A connection that breaks is Alertmanager's to try again.
        if let Ok(body) = take(stream)
            && let Ok(message) = serde_json::from_slice::<Value>(&body)
        {
            let at = Instant::now();
            let alerts = message["alerts"].as_array().cloned().unwrap_or_default();
            heard
                .lock()
                .unwrap()
                .extend(alerts.iter().map(|alert| Told {
                    at,
                    receiver: text(&message, "receiver"),
                    status: text(alert, "status"),
                    labels: alert["labels"].clone(),
                    annotations: alert["annotations"].clone(),
                }));
        }
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The body of one request, which is answered and closed.
fn take(stream: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(body)
}
