//! A receiver of Alertmanager's webhooks, in the place of a pager.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use test_support::server::Server;

/// One alert of one notification.
#[derive(Clone, Debug)]
pub struct Notification {
    pub at: Instant,
    pub receiver: String,
    pub status: String,
    pub labels: Value,
    pub annotations: Value,
}

impl Notification {
    /// Whether it has this status of that alert.
    pub fn is(&self, status: &str, alert: &str) -> bool {
        self.status == status && self.labels["alertname"] == alert
    }
}

/// Listens until the test ends.
pub struct Webhook {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Notification>>>,
}

impl Webhook {
    pub fn start() -> Self {
        let received = Arc::<Mutex<Vec<Notification>>>::default();
        let list = Arc::clone(&received);
        let server = Server::start(move |request| {
            let message: Value = serde_json::from_str(&request.body).unwrap_or_default();
            list.lock().unwrap().extend(notifications(&message));
            (200, String::new())
        });
        Self {
            address: server.address,
            received,
        }
    }

    /// All notifications so far.
    pub fn received(&self) -> Vec<Notification> {
        self.received.lock().unwrap().clone()
    }
}

fn notifications(message: &Value) -> Vec<Notification> {
    let at = Instant::now();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let alerts = message["alerts"].as_array().into_iter().flatten();
    let notification = |alert| Notification {
        at,
        receiver: text(message, "receiver"),
        status: text(alert, "status"),
        labels: alert["labels"].clone(),
        annotations: alert["annotations"].clone(),
    };
    alerts.map(notification).collect()
}
