//! Writes snapshots as OpenMetrics, one after the other, at the price of what has changed between
//! them.
//!
//! The samples of accounts are kept packed, in pieces of one family and some accounts. A piece is
//! rendered again when what one of its accounts exports in the family has changed, by a new view or
//! by time alone. Nothing here knows which family depends on what: it compares what the family
//! reads from both snapshots. Families without accounts are rendered each time.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use exporter_toolkit::{MetricsWriter, PackedLines, Packer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::data::{Data, Options, Steady};
use super::{Family, catalogue};
use crate::views::Snapshot;

/// How many accounts share a piece. With fewer, there are more pieces to join at each scrape; with
/// more, a change costs more.
const ACCOUNTS: usize = 256;

/// Writes snapshots as OpenMetrics.
#[derive(Debug)]
pub struct Renderer {
    /// What the pieces show. `None` before the first rendering, and while and after one fails.
    shown: Option<Arc<Data>>,
    /// The catalogue.
    families: Vec<Pieces>,
    /// How many accounts share a piece.
    accounts: usize,
    /// Until when time alone changes nothing of these accounts.
    steady: Vec<Steady>,
}

/// The samples of one family.
#[derive(Debug)]
struct Pieces {
    family: &'static Family,
    /// The lines before the first sample; empty while there was none.
    head: String,
    /// For some accounts each. Without use where the series are of no account.
    samples: Vec<PackedLines>,
}

impl Default for Renderer {
    fn default() -> Self {
        Self::with_pieces_of(ACCOUNTS)
    }
}

impl Renderer {
    /// A renderer whose pieces have the samples of this number of accounts.
    pub(super) fn with_pieces_of(accounts: usize) -> Self {
        Self {
            shown: None,
            families: catalogue().map(Pieces::new).collect(),
            accounts,
            steady: Vec::new(),
        }
    }

    /// Writes all metrics of a snapshot.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(
        &mut self,
        snapshot: Snapshot,
        options: &Options,
        out: &mut MetricsWriter,
    ) -> fmt::Result {
        let data = Arc::new(Data::new(snapshot, options));
        self.show(&data)?;
        for pieces in &self.families {
            if pieces.family.is_per_account() {
                pieces.write(out)?;
            } else {
                encode(pieces.family, &data, 0..0, out)?;
            }
        }
        text::encode_eof(out)
    }

    /// Renders the pieces again that differ, and returns how many.
    pub(super) fn show(&mut self, data: &Arc<Data>) -> Result<usize, fmt::Error> {
        let mut rendered = 0;
        let shown = self.shown.take().filter(|shown| shown.exports_like(data));
        let count = data.len().div_ceil(self.accounts);
        for pieces in &mut self.families {
            pieces.samples.resize_with(count, PackedLines::default);
        }
        self.steady.resize_with(count, Steady::default);
        let mut packer = Packer::default();
        let mut differs = Vec::new();
        for piece in 0..count {
            let accounts = piece * self.accounts..(piece + 1) * self.accounts;
            differs.clear();
            differs.resize(self.families.len(), false);
            let steady = self.steady[piece];
            self.steady[piece] = self.compare(
                shown.as_deref(),
                data,
                accounts.clone(),
                steady,
                &mut differs,
            )?;
            for (pieces, differs) in self.families.iter_mut().zip(&differs) {
                if *differs && pieces.family.is_per_account() {
                    pieces.render(piece, data, accounts.clone(), &mut packer)?;
                    rendered += 1;
                }
            }
        }
        self.shown = Some(Arc::clone(data));
        Ok(rendered)
    }

    /// Notes the families in which some accounts differ. Takes and returns until when time alone
    /// changes nothing of them.
    fn compare(
        &self,
        shown: Option<&Data>,
        data: &Data,
        accounts: Range<usize>,
        steady: Steady,
        differs: &mut [bool],
    ) -> Result<Steady, fmt::Error> {
        let shown = shown.filter(|shown| shown.has_same_accounts(data, accounts.clone()));
        let Some(shown) = shown else {
            differs.fill(true);
            let accounts = data.accounts(accounts);
            return Ok(accounts.fold(Steady::default(), |all, of| all.and(of.steady())));
        };
        // Most accounts are neither polled nor read between two scrapes.
        let is_steady = data.is_within(steady, shown);
        let mut until = if is_steady { steady } else { Steady::default() };
        let mut records = [Vec::new(), Vec::new()];
        let both = shown
            .accounts(accounts.clone())
            .zip(data.accounts(accounts));
        for (old, new) in both.filter(|(old, new)| !(is_steady && new.has_view_of(old))) {
            until = until.and(new.steady());
            for (pieces, differs) in self.families.iter().zip(&mut *differs) {
                *differs = *differs || pieces.family.differs(&old, &new, &mut records)?;
            }
        }
        Ok(until)
    }
}

impl Pieces {
    fn new(family: &'static Family) -> Self {
        Self {
            family,
            head: String::new(),
            samples: Vec::new(),
        }
    }

    fn render(
        &mut self,
        piece: usize,
        data: &Arc<Data>,
        accounts: Range<usize>,
        packer: &mut Packer,
    ) -> fmt::Result {
        let mut text = String::new();
        encode(self.family, data, accounts, &mut text)?;
        let (head, samples) = text.split_at(head_length(&text));
        if self.head.is_empty() {
            head.clone_into(&mut self.head);
        }
        self.samples[piece] = packer.pack(samples.as_bytes()).map_err(|_| fmt::Error)?;
        Ok(())
    }

    fn write(&self, out: &mut MetricsWriter) -> fmt::Result {
        let samples = self.samples.iter().filter(|piece| !piece.is_empty());
        for (index, piece) in samples.enumerate() {
            if index == 0 {
                fmt::Write::write_str(out, &self.head)?;
            }
            out.write_packed(piece)?;
        }
        Ok(())
    }
}

/// How long the lines are that start with `#`. No sample does.
fn head_length(text: &str) -> usize {
    let lines = text.split_inclusive('\n');
    let head = lines.take_while(|line| line.starts_with('#'));
    head.map(str::len).sum()
}

/// A family with the series of some accounts, as the encoder takes it.
#[derive(Debug)]
struct Part {
    family: &'static Family,
    data: Arc<Data>,
    accounts: Range<usize>,
}

impl Collector for Part {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let accounts = self.accounts.clone();
        self.family.encode(&self.data, accounts, &mut encoder)
    }
}

/// Writes a family with the series of some accounts, and its head if there are any.
pub(super) fn encode(
    family: &'static Family,
    data: &Arc<Data>,
    accounts: Range<usize>,
    out: &mut impl fmt::Write,
) -> fmt::Result {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Part {
        family,
        data: Arc::clone(data),
        accounts,
    }));
    text::encode_registry(out, &registry)
}
