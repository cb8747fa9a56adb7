//! One family of metrics: a value that holds its name, its meaning and how its series are written.
//!
//! No family is declared here, and nothing here depends on what the value of any of them means.

use std::array;
use std::fmt::{self, Display};
use std::io::Write as _;
use std::ops::Range;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use root_posture::Timestamp;
use root_posture::report::{KeySlot, Slot, UserRow};

use super::data::{AccountData, Data};

/// A byte that is part of no text.
const NO_TEXT: u8 = 0xff;

/// How far a family can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Name and meaning change only with an entry in the changelog and a new major version.
    Stable,
    /// Name or meaning may change with an entry in the changelog.
    Experimental,
}

/// A family of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name as people query it: with the unit, and with `_total` for a counter.
    pub name: &'static str,
    /// The type. Families called `*_info` are gauges: text 0.0.4 has no type `info`.
    pub kind: MetricType,
    /// The meaning of the value, where it comes from and how old it can be. One line.
    pub help: &'static str,
    /// The names of the labels, in the order in which the series give their values.
    pub labels: &'static [&'static str],
    /// How far it can be relied on.
    pub stability: Stability,
    /// How its series are written.
    pub(super) samples: Samples,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Samples {
    /// One gauge for each account, where its value is known.
    Value(fn(&AccountData<'_>) -> Option<i64>),
    /// Any number of series for each account.
    PerAccount(fn(&AccountData<'_>, &mut Series<'_, '_>) -> fmt::Result),
    /// One gauge for each IAM user that is exported by name, where its value is known.
    PerUser(fn(&UserRow) -> Option<i64>),
    /// Likewise for both access key slots of each.
    PerUserKey(fn(&KeySlot) -> Option<i64>),
    /// Once, whatever the accounts.
    Once(fn(&Data, &mut Series<'_, '_>) -> fmt::Result),
}

impl Family {
    /// What most families of an account have in common.
    pub(super) const PER_ACCOUNT: Self = Self {
        name: "",
        kind: MetricType::Gauge,
        help: "",
        labels: &["account"],
        stability: Stability::Stable,
        samples: Samples::Value(|_| None),
    };

    /// What most families without an account have in common.
    pub(super) const ONCE: Self = Self {
        labels: &[],
        ..Self::PER_ACCOUNT
    };

    /// The unit, where the name carries one.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        let name = self.without_total();
        let mut units = [Unit::Seconds, Unit::Bytes].into_iter();
        units.find(|unit| name.ends_with(unit.as_str()))
    }

    /// Whether its series belong to accounts, and are the same while nothing of them changes.
    pub(super) fn is_per_account(&self) -> bool {
        !matches!(self.samples, Samples::Once(_))
    }

    /// Writes the series of some accounts, and all others; or nothing when there are none.
    pub(super) fn encode(
        &self,
        data: &Data,
        accounts: Range<usize>,
        encoder: &mut DescriptorEncoder<'_>,
    ) -> fmt::Result {
        let unit = self.unit();
        let mut series = Series {
            family: self,
            output: Output::Text {
                unit: unit.as_ref(),
                descriptor: Some(encoder),
                metric: None,
            },
        };
        match self.samples {
            Samples::Once(write) => write(data, &mut series),
            _ => data
                .accounts(accounts)
                .try_for_each(|of| self.write(&of, &mut series)),
        }
    }

    /// Whether the series of an account differ between two snapshots. The memory of `records` is
    /// used again.
    pub(super) fn differs(
        &self,
        old: &AccountData<'_>,
        new: &AccountData<'_>,
        records: &mut [Vec<u8>; 2],
    ) -> Result<bool, fmt::Error> {
        if let Samples::Value(read) = self.samples {
            return Ok(read(old) != read(new));
        }
        for (of, record) in [old, new].into_iter().zip(&mut *records) {
            record.clear();
            let mut series = Series {
                family: self,
                output: Output::Record(record),
            };
            self.write(of, &mut series)?;
        }
        Ok(records[0] != records[1])
    }

    /// Writes the series of an account.
    fn write(&self, of: &AccountData<'_>, series: &mut Series<'_, '_>) -> fmt::Result {
        match self.samples {
            Samples::Value(read) => series.known([of.id], read(of)),
            Samples::PerAccount(write) => write(of, series),
            Samples::PerUser(read) => {
                let mut users = of.user_rows().iter();
                users.try_for_each(|user| series.known([of.id, &user.name], read(user)))
            }
            Samples::PerUserKey(read) => of.user_rows().iter().try_for_each(|user| {
                let mut keys = Slot::ALL.into_iter().zip(&user.access_keys);
                keys.try_for_each(|(slot, key)| {
                    series.known([of.id, &user.name, slot.as_str()], read(key))
                })
            }),
            Samples::Once(_) => Ok(()),
        }
    }

    fn without_total(&self) -> &'static str {
        match self.kind {
            MetricType::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            _ => self.name,
        }
    }

    /// The name as the encoder takes it, which appends the unit and `_total`.
    fn stem(&self, unit: Option<&Unit>) -> &'static str {
        let name = self.without_total();
        match unit {
            Some(unit) => name.trim_end_matches(unit.as_str()).trim_end_matches('_'),
            None => name,
        }
    }
}

/// Writes the series of one family.
pub(super) struct Series<'a, 'b> {
    family: &'a Family,
    output: Output<'a, 'b>,
}

enum Output<'a, 'b> {
    /// OpenMetrics. The family's head is written with the first series.
    Text {
        unit: Option<&'a Unit>,
        /// Taken with the first series.
        descriptor: Option<&'a mut DescriptorEncoder<'b>>,
        metric: Option<MetricEncoder<'a>>,
    },
    /// The label values and the value of each series, each followed by a byte that is in no text.
    Record(&'a mut Vec<u8>),
}

impl Series<'_, '_> {
    /// One series of a gauge. The label values stand in the order of [`Family::labels`].
    pub fn gauge<const N: usize>(
        &mut self,
        values: [&str; N],
        value: impl EncodeGaugeValue + Display + Copy,
    ) -> fmt::Result {
        self.write(values, value, |metric| metric.encode_gauge(&value))
    }

    /// Like [`Series::gauge`], where the value is known.
    pub fn known<const N: usize>(
        &mut self,
        values: [&str; N],
        value: Option<impl EncodeGaugeValue + Display + Copy>,
    ) -> fmt::Result {
        value.map_or(Ok(()), |value| self.gauge(values, value))
    }

    /// Like [`Series::known`], for a point in time.
    pub fn time<const N: usize>(
        &mut self,
        values: [&str; N],
        time: Option<Timestamp>,
    ) -> fmt::Result {
        self.known(values, time.map(Timestamp::unix))
    }

    /// A gauge that is always 1, with labels of its own beyond those of the family.
    pub fn info(&mut self, labels: &[(&str, &str)]) -> fmt::Result {
        self.labelled(labels, 1, |metric| metric.encode_gauge(&1))
    }

    /// One series of a counter.
    pub fn counter<const N: usize>(
        &mut self,
        values: [&str; N],
        value: impl EncodeCounterValue + Display + Copy,
    ) -> fmt::Result {
        self.write(values, value, |metric| {
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
        self.write(values, format_args!("{sum} {buckets:?}"), |metric| {
            metric.encode_histogram::<NoLabelSet>(sum, count, buckets, None)
        })
    }

    fn write<const N: usize>(
        &mut self,
        values: [&str; N],
        value: impl Display,
        encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let names = self.family.labels;
        debug_assert_eq!(names.len(), N, "{}", self.family.name);
        self.labelled(
            &array::from_fn::<_, N, _>(|n| (names[n], values[n])),
            value,
            encode,
        )
    }

    fn labelled(
        &mut self,
        labels: &[(&str, &str)],
        value: impl Display,
        encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        match &mut self.output {
            Output::Record(record) => {
                for (_, text) in labels {
                    record.extend_from_slice(text.as_bytes());
                    record.push(NO_TEXT);
                }
                write!(record, "{value}").map_err(|_| fmt::Error)?;
                record.push(NO_TEXT);
                Ok(())
            }
            Output::Text {
                unit,
                descriptor,
                metric,
            } => {
                if let Some(descriptor) = descriptor.take() {
                    let (stem, help, kind) =
                        (self.family.stem(*unit), self.family.help, self.family.kind);
                    *metric = Some(descriptor.encode_descriptor(stem, help, *unit, kind)?);
                }
                // Missing only where the head could not be written, which ended the rendering.
                let metric = metric.as_mut().ok_or(fmt::Error)?;
                match labels {
                    [] => encode(metric),
                    _ => encode(&mut metric.encode_family(&labels)?),
                }
            }
        }
    }
}
