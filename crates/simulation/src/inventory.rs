//! What hosts are: their machine, where they stand, and when that changes.

use crate::random::Random;

/// A kind of machine.
#[derive(Debug, PartialEq)]
pub(crate) struct InstanceType {
    pub(crate) name: &'static str,
    pub(crate) cores: i32,
    pub(crate) memory_gb: i32,
    /// CPU it uses at rest, in percent.
    pub(crate) base: f64,
    /// How much the day adds, in percent.
    pub(crate) swing: f64,
    /// Bursts a day, at most.
    pub(crate) bursts: f64,
    /// How much a burst adds, in percent.
    pub(crate) burst_height: f64,
    /// How common it is.
    weight: f64,
}

pub(crate) const INSTANCE_TYPES: [InstanceType; 5] = [
    kind("general.2", (2, 8), (24.0, 14.0), (2.5, 34.0), 3.0),
    kind("general.4", (4, 16), (28.0, 16.0), (3.0, 34.0), 4.0),
    kind("compute.8", (8, 16), (34.0, 20.0), (4.0, 38.0), 3.0),
    kind("compute.16", (16, 32), (30.0, 18.0), (4.0, 42.0), 1.5),
    kind("memory.4", (4, 32), (18.0, 8.0), (2.0, 32.0), 2.0),
];

const fn kind(name: &'static str, size: (i32, i32), load: (f64, f64), bursts: (f64, f64), weight: f64) -> InstanceType {
    let ((cores, memory_gb), (base, swing), (bursts, burst_height)) = (size, load, bursts);
    InstanceType {
        name,
        cores,
        memory_gb,
        base,
        swing,
        bursts,
        burst_height,
        weight,
    }
}

/// Where hosts stand, and by how much of a day their noon differs from UTC's.
pub(crate) const REGIONS: [(&str, f64); 4] = [
    ("eu-central", 1.0 / 24.0),
    ("us-east", -5.0 / 24.0),
    ("us-west", -8.0 / 24.0),
    ("ap-south", 5.5 / 24.0),
];

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// From when on a host is what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub(crate) at: i64,
    pub(crate) instance_type: &'static InstanceType,
    pub(crate) region: &'static str,
    pub(crate) zone_offset: f64,
}

/// What a host is, from its first day on, by time. One host in twelve is resized while it is watched; one in thirty was entered
/// into the inventory only after it had started.
pub(crate) fn changes(random: &mut Random, number: u32, start: i64, days: u32) -> Vec<Change> {
    let weights = INSTANCE_TYPES.each_ref().map(|kind| kind.weight);
    let (region, zone_offset) = REGIONS[random.weighted(&[4.0, 3.0, 2.0, 2.0]).min(REGIONS.len() - 1)];
    let place = random.weighted(&weights).min(INSTANCE_TYPES.len() - 1);
    let span = i64::from(days) * DAY;
    let is_late = number % 30 == 17;
    let first = if is_late {
        start + span / 20 + random.whole(0, 86_399) as i64 % (span / SECOND / 10).max(1) * SECOND
    } else {
        start - random.whole(86_400, 300 * 86_400) as i64 * SECOND
    };
    let change = |at, place: usize| Change {
        at,
        instance_type: &INSTANCE_TYPES[place],
        region,
        zone_offset,
    };
    let mut changes = vec![change(first, place)];
    if number % 12 == 5 {
        let share = random.whole(250, 750) as i64;
        let next = (place + random.whole(1, 4) as usize) % INSTANCE_TYPES.len();
        changes.push(change(start + span / 1000 * share / SECOND * SECOND, next));
    }
    changes
}
