//! A server over views, small accounts to put into them, and a client.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::{Access, Account};
use aws_root_exporter::activity::{Activities, Activity, RootEvent, SignIn};
use aws_root_exporter::clock::{Clock, Hand, Moment, Timestamp};
use aws_root_exporter::metrics;
use aws_root_exporter::site::Site;
use aws_root_exporter::views::{AccountCounts, AccountView, Views};
use exporter_toolkit::{Listeners, Settings};
use root_posture::Source;
use root_posture::{Metric, Posture};

use test_support::http::{self, Response};

/// When the servers of the tests start: 2027-01-15T08:00:00Z.
pub const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

pub struct Server {
    pub address: SocketAddr,
    pub store: Arc<Views>,
    pub hand: Hand,
}

impl Server {
    pub async fn start(accounts: impl IntoIterator<Item = AccountView>) -> Self {
        let (clock, hand) = Clock::manual(NOW);
        let store = Arc::new(Views::new(clock));
        let mut monitored = 0;
        for view in accounts {
            store.put(view);
            monitored += 1;
        }
        store.exporter.note(|view| {
            view.accounts = Some(AccountCounts {
                monitored,
                ..AccountCounts::default()
            });
            view.attempted = monitored;
            view.interval = Duration::from_secs(60);
            view.reload.record(true, NOW);
        });
        let options = metrics::Options::default();
        let site = Site::new(Arc::clone(&store), "/metrics", options);
        let any = ["127.0.0.1:0".parse().unwrap()];
        let listeners = Listeners::open(&any, None).await.unwrap();
        let address = listeners.everyone[0].local_addr();
        let server = exporter_toolkit::Server::new(Arc::new(site), Settings::default());
        tokio::spawn(server.serve(listeners, pending()));
        Self {
            address,
            store,
            hand,
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, "").await
    }

    /// `headers` are whole lines, each with its line end.
    pub async fn ask(&self, method: &str, path: &str, headers: &str) -> Response {
        let (method, path, address) = (method.to_owned(), path.to_owned(), self.address);
        let headers = headers.to_owned();
        // The client blocks, and the server runs on this thread.
        let ask = move || {
            let headers: Vec<_> = headers
                .lines()
                .filter_map(|it| it.split_once(": "))
                .collect();
            http::request(&method, address, &path, &headers).unwrap()
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }
}

pub fn json(answer: &Response) -> serde_json::Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// An account of which nothing is known.
pub fn account(id: &str, name: &str) -> AccountView {
    AccountView::unknown(Arc::new(Account {
        id: id.parse().unwrap(),
        name: name.to_owned(),
        region: "us-east-1".to_owned(),
        access: Some(Access::Caller),
        root_session: false,
        labels: Arc::default(),
        exceptions: Arc::default(),
        details: Arc::default(),
    }))
}

/// The same account with so many active keys, by a summary of now. A zero is believed for a
/// minute.
pub fn with_keys(view: AccountView, keys: u8) -> AccountView {
    let figure = Metric {
        value: keys,
        source: Source::AccountSummary,
        observed: NOW,
        fine_until: (keys == 0).then(|| Moment::from_millis(60_000)),
    };
    AccountView {
        posture: Posture {
            keys_active: Some(figure),
            keys_present: Some(figure),
            ..view.posture
        },
        ..view
    }
}

/// The id of the key that [`created`] is about.
pub const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// Root creates a key on the console, with MFA, so many seconds before [`NOW`].
pub fn created(ago: i64) -> Activity {
    Activity {
        id: format!("0b68c53f-66cf-4b01-a0c5-{ago:012}"),
        at: Timestamp::from_unix(NOW.unix() - ago),
        event: RootEvent::CreateAccessKey,
        name: "CreateAccessKey".to_owned(),
        service: "iam.amazonaws.com".to_owned(),
        region: "us-east-1".to_owned(),
        address: "198.51.100.7".to_owned(),
        client: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0".to_owned(),
        by: SignIn::Console,
        mfa: Some(true),
        key: Some(KEY.to_owned()),
        user: None,
        error: None,
    }
}

/// The same account, after root did this.
pub fn after(view: AccountView, activities: impl IntoIterator<Item = Activity>) -> AccountView {
    let mut kept = Activities::clone(&view.activities);
    for activity in activities {
        kept.add(activity);
    }
    AccountView {
        activities: Arc::new(kept),
        ..view
    }
}

/// An account with an active key, which a summary shows first now and did not a minute ago.
pub fn with_new_key(id: &str, name: &str) -> AccountView {
    let mut view = with_keys(account(id, name), 1);
    view.onset.seen = Some(NOW);
    view.onset.none_at = Some(NOW.minus(Duration::from_secs(60)));
    view
}
