//! Work on many accounts at the same time, with a progress bar.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::account::Account;

const BAR: usize = 30;

/// Works on each account, on at most `concurrency` of them at the same time. Returns the results in
/// the order of the accounts' ids.
pub(super) async fn for_each<T, W>(
    accounts: Vec<Arc<Account>>,
    concurrency: usize,
    work: impl Fn(Arc<Account>) -> W,
) -> Vec<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let total = accounts.len();
    let mut waiting = accounts.into_iter();
    let mut running = JoinSet::new();
    let mut results = Vec::with_capacity(total);
    loop {
        progress(results.len(), total);
        while running.len() < concurrency
            && let Some(account) = waiting.next()
        {
            let (id, work) = (account.id, work(account));
            running.spawn(async move { (id, work.await) });
        }
        match running.join_next().await {
            Some(Ok(result)) => results.push(result),
            // A panic is a defect, and must not lose the account unnoticed.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        }
    }
    results.sort_by_key(|(id, _)| *id);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Shows a terminal how many accounts are done; clears the line at the end.
fn progress(done: usize, total: usize) {
    let mut err = std::io::stderr();
    if total < 2 || !err.is_terminal() {
        return;
    }
    let line = if done == total {
        format!("\r{:1$}\r", "", BAR + 40)
    } else {
        let filled = "#".repeat(done * BAR / total);
        format!("\r[{filled:<BAR$}] {done} of {total} accounts")
    };
    // Whether it can be shown decides nothing.
    let _ = err.write_all(line.as_bytes()).and_then(|()| err.flush());
}
