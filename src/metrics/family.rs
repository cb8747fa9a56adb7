//! What a family is: one value that holds its name, its meaning and how its series are written.
//!
//! No family is declared here, and nothing here knows what any of them means.

use std::fmt;

use prometheus_client::encoding::EncodeCounterValue;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabel, EncodeLabelSet, LabelSetEncoder,
    MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry;

use super::facts::{Facts, Shown};
use root_posture::Timestamp;

/// The type of a family.
///
/// Families called `*_info` are gauges, for the type `info` does not exist in text 0.0.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only grows while the process runs.
    Counter,
    /// Observations in buckets.
    Histogram,
    /// A value without a type (`unknown` in OpenMetrics, `untyped` in text 0.0.4).
    Unknown,
}

impl Kind {
    /// The type's name, as OpenMetrics writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Unknown => "unknown",
        }
    }

    fn metric_type(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
            Self::Histogram => MetricType::Histogram,
            Self::Unknown => MetricType::Unknown,
        }
    }
}

/// The unit of a family. Its name carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The unit's name, as it stands in the family's.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }

    fn registered(self) -> registry::Unit {
        match self {
            Self::Seconds => registry::Unit::Seconds,
            Self::Bytes => registry::Unit::Bytes,
        }
    }
}

/// How far a family can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Name and meaning change only with an entry in the changelog and a new major version.
    Stable,
    /// Name or meaning may change with an entry in the changelog.
    Experimental,
}

impl Stability {
    /// The word for it in `docs/metrics.md`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Experimental => "experimental",
        }
    }
}

/// The part of the catalogue a family belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The root user, an account.
    Root,
    /// Accounts, evidence and refreshes.
    Account,
    /// The IAM users of an account in numbers.
    Users,
    /// The IAM users of an account by name.
    UserDetail,
    /// The exporter itself.
    Exporter,
    /// The exporter's process.
    Process,
}

impl Section {
    /// All of them, in the order of the catalogue.
    pub const ALL: [Self; 6] = [
        Self::Root,
        Self::Account,
        Self::Users,
        Self::UserDetail,
        Self::Exporter,
        Self::Process,
    ];
}

/// A family of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name as people query it: with the unit, and with `_total` for a counter.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// The unit, where the name carries one.
    pub unit: Option<Unit>,
    /// What the figure is, where it comes from and how old it can be. One line.
    pub help: &'static str,
    /// The names of the labels, in the order in which the series give their values.
    pub labels: &'static [&'static str],
    /// How far it can be relied on.
    pub stability: Stability,
    /// Where it belongs.
    pub section: Section,
    /// How its series are written.
    pub(super) samples: Samples,
}

/// How the series of a family are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Samples {
    /// For each account in turn.
    PerAccount(fn(&Shown<'_>, &mut Series<'_, '_>) -> fmt::Result),
    /// Once, whatever the accounts.
    Once(fn(&Facts, &mut Series<'_, '_>) -> fmt::Result),
}

impl Family {
    /// Writes the family, or nothing when it has no series.
    pub(super) fn encode(
        &self,
        facts: &Facts,
        descriptor: &mut DescriptorEncoder<'_>,
    ) -> fmt::Result {
        let unit = self.unit.map(Unit::registered);
        let mut series = Series {
            family: self,
            unit: unit.as_ref(),
            descriptor: Some(descriptor),
            metric: None,
        };
        match self.samples {
            Samples::PerAccount(write) => facts
                .accounts()
                .try_for_each(|shown| write(&shown, &mut series)),
            Samples::Once(write) => write(facts, &mut series),
        }
    }

    /// The name without the suffixes that the encoder appends by unit and type.
    fn stem(&self) -> &'static str {
        let name = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            _ => self.name,
        };
        self.unit
            .and_then(|unit| name.strip_suffix(unit.as_str()))
            .map_or(name, |stem| stem.strip_suffix('_').unwrap_or(stem))
    }
}

/// Writes the series of one family. The family's head is written with the first of them.
pub(super) struct Series<'a, 'b> {
    family: &'a Family,
    unit: Option<&'a registry::Unit>,
    /// Taken with the first series.
    descriptor: Option<&'a mut DescriptorEncoder<'b>>,
    metric: Option<MetricEncoder<'a>>,
}

impl<'a> Series<'a, '_> {
    /// One series of a gauge. The label values stand in the order of [`Family::labels`].
    pub fn gauge<const N: usize>(
        &mut self,
        values: [&str; N],
        value: impl EncodeGaugeValue + Copy,
    ) -> fmt::Result {
        self.gauge_with(values, &[], value)
    }

    /// Like [`Series::gauge`], where a value is known.
    pub fn known<const N: usize>(
        &mut self,
        values: [&str; N],
        value: Option<impl EncodeGaugeValue + Copy>,
    ) -> fmt::Result {
        value.map_or(Ok(()), |value| self.gauge(values, value))
    }

    /// Like [`Series::gauge`], for a point in time, where it is known.
    pub fn time<const N: usize>(
        &mut self,
        values: [&str; N],
        time: Option<Timestamp>,
    ) -> fmt::Result {
        self.known(values, time.map(Timestamp::unix))
    }

    /// Like [`Series::gauge`], with labels beyond those of the family.
    pub fn gauge_with<const N: usize>(
        &mut self,
        values: [&str; N],
        more: &[(&str, &str)],
        value: impl EncodeGaugeValue + Copy,
    ) -> fmt::Result {
        self.labelled(&values, more, |metric| metric.encode_gauge(&value))
    }

    /// One series of a counter.
    pub fn counter<const N: usize>(
        &mut self,
        values: [&str; N],
        value: impl EncodeCounterValue + Copy,
    ) -> fmt::Result {
        self.labelled(&values, &[], |metric| {
            metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// One series of a histogram. The buckets, upper bound and number, are not cumulative; the
    /// last bound is infinity.
    pub fn histogram<const N: usize>(
        &mut self,
        values: [&str; N],
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.labelled(&values, &[], |metric| {
            metric.encode_histogram::<NoLabelSet>(sum, count, buckets, None)
        })
    }

    fn labelled(
        &mut self,
        values: &[&str],
        more: &[(&str, &str)],
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let names = self.family.labels;
        debug_assert_eq!(names.len(), values.len(), "{}", self.family.name);
        let metric = self.metric()?;
        if values.is_empty() {
            return write(metric);
        }
        let labels = Labels {
            names,
            values,
            more,
        };
        write(&mut metric.encode_family(&labels)?)
    }

    fn metric(&mut self) -> Result<&mut MetricEncoder<'a>, fmt::Error> {
        if let Some(descriptor) = self.descriptor.take() {
            self.metric = Some(descriptor.encode_descriptor(
                self.family.stem(),
                self.family.help,
                self.unit,
                self.family.kind.metric_type(),
            )?);
        }
        // Missing only where the head could not be written, which ended the rendering.
        self.metric.as_mut().ok_or(fmt::Error)
    }
}

/// The labels of one series.
struct Labels<'a> {
    names: &'a [&'static str],
    values: &'a [&'a str],
    more: &'a [(&'a str, &'a str)],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let named = self.names.iter().copied().zip(self.values.iter().copied());
        for (name, value) in named.chain(self.more.iter().copied()) {
            (name, value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}
