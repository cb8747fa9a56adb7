//! Scrape targets that are described phase by phase, in minutes.

use crate::course::{Replica, Scrape};

/// The value of a sample at a minute.
#[derive(Clone, Copy)]
pub enum Value {
    Is(f64),
    /// The time this many seconds before now.
    Ago(f64),
}

/// A series without `job` and `instance`, and its value. A series about accounts that names none is
/// about account 111122223333.
#[derive(Clone, Copy)]
pub struct Sample(pub &'static str, pub Value);

impl Sample {
    fn series(&self) -> String {
        let name = self.0;
        if name.contains("account=\"") {
            return name.to_owned();
        }
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        if name.starts_with("aws_root_exporter_") {
            return format!("{name}{{{labels}");
        }
        let comma = if labels == "}" { "" } else { "," };
        format!("{name}{{account=\"111122223333\"{comma}{labels}")
    }
}

/// A scrape target with one scrape a minute.
pub struct Timeline {
    instance: &'static str,
    /// Its shard and the number of shards.
    shard: (f64, f64),
    minutes: Vec<Scrape>,
}

impl Timeline {
    pub const fn of(instance: &'static str) -> Self {
        Self {
            instance,
            shard: (0.0, 1.0),
            minutes: Vec::new(),
        }
    }

    pub const fn shard(mut self, index: f64, total: f64) -> Self {
        self.shard = (index, total);
        self
    }

    /// Adds minutes in which it exports these samples.
    pub fn exports(mut self, minutes: u32, samples: &[Sample]) -> Self {
        for _ in 0..minutes {
            let now = f64::from(u32::try_from(self.minutes.len()).unwrap()) * 60.0;
            let mut scrape: Vec<_> = samples
                .iter()
                .map(|sample| {
                    let value = match sample.1 {
                        Value::Is(value) => value,
                        Value::Ago(seconds) => now - seconds,
                    };
                    (sample.series(), value)
                })
                .collect();
            scrape.extend([
                ("aws_root_exporter_shard_index{}".to_owned(), self.shard.0),
                ("aws_root_exporter_shard_total{}".to_owned(), self.shard.1),
            ]);
            self.minutes.push(Some(scrape));
        }
        self
    }

    /// Adds minutes in which it cannot be scraped.
    pub fn down(mut self, minutes: u32) -> Self {
        self.minutes.extend((0..minutes).map(|_| None));
        self
    }
}

impl From<Timeline> for Replica {
    fn from(timeline: Timeline) -> Self {
        let minutes = timeline.minutes;
        let end = u32::try_from(minutes.len()).unwrap() * 60;
        Self::new(timeline.instance, move |second| {
            minutes[(second / 60) as usize].clone()
        })
        .between(0, end)
    }
}
