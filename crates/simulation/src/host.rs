//! The life of one host, tick by tick.
//!
//! CPU is what the machine needs at rest, plus the day and the week of its region, plus a slow drift, plus bursts, plus noise:
//!
//! ```text
//!     load  ____/‾‾‾‾‾‾‾\____      the queue grows first: load_average climbs for 20 to 45 minutes,
//!     cpu   ________/‾‾‾‾‾\__      then the burst itself, for half an hour to two hours
//! ```
//!
//! So `load_average` for the machine's cores says what CPU will do next; `instance_type` says how many cores those are. Memory grows
//! with CPU; on some hosts it leaks, which costs CPU above 80 %, until the process is killed and memory falls back. Disks fill; on
//! some hosts they are emptied only when they are nearly full. Now and then a host is silent, for minutes or hours.

use crate::inventory::{Change, InstanceType};
use crate::random::Random;
use crate::wave::{rounded, wave};

/// Between two ticks, in microseconds.
pub(crate) const TICK: i64 = 300_000_000;
/// Ticks in a day.
pub(crate) const TICKS_A_DAY: i64 = 288;
const DAY: i64 = TICK * TICKS_A_DAY;

/// What a host says at one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    pub(crate) time: i64,
    pub(crate) cpu: f64,
    pub(crate) memory: Option<f64>,
    pub(crate) disk: f64,
    pub(crate) load: Option<f64>,
    pub(crate) arrival: Arrival,
}

/// How a reading reaches the files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Arrival {
    /// At once.
    OnTime,
    /// With the late rows only.
    Late,
    /// At once, and once more with the late rows, with this CPU instead.
    Corrected(f64),
}

#[derive(Debug, Clone, Copy)]
enum Burst {
    None,
    /// The queue grows: ticks left, ticks in all, and how long and how high the burst will be.
    Coming {
        left: u64,
        of: u64,
        ticks: u64,
        height: f64,
    },
    Here {
        left: u64,
        height: f64,
    },
}

/// The readings of one host, in time order; ticks at which it is silent are left out.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    random: Random,
    changes: Vec<Change>,
    next: i64,
    end: i64,
    drift: f64,
    scale: f64,
    burst: Burst,
    silent: u64,
    memory_leaked: f64,
    leak_a_day: f64,
    memory_base: f64,
    disk: f64,
    disk_a_day: f64,
    is_emptied_late: bool,
}

impl Host {
    /// A host that is these machines, from `start` up to, not including, `end`.
    pub(crate) fn new(mut random: Random, number: u32, changes: Vec<Change>, start: i64, end: i64) -> Self {
        let leaks = number % 8 == 3;
        let fills = number % 10 == 6;
        Self {
            next: start,
            end,
            drift: 0.0,
            scale: random.between(0.8, 1.2),
            burst: Burst::None,
            silent: 0,
            memory_leaked: 0.0,
            leak_a_day: if leaks { random.between(6.0, 14.0) } else { 0.0 },
            memory_base: random.between(28.0, 48.0),
            disk: random.between(30.0, 60.0),
            disk_a_day: if fills {
                random.between(2.0, 5.0)
            } else {
                random.between(0.1, 0.9)
            },
            is_emptied_late: fills,
            random,
            changes,
        }
    }

    fn machine(&self, time: i64) -> Option<Change> {
        let past = self.changes.iter().rev().find(|change| change.at <= time);
        past.or(self.changes.first()).copied()
    }

    /// How busy people are, 0 to 1: the day of the region, quieter at the weekend.
    fn bustle(time: i64, zone_offset: f64) -> f64 {
        let local = time as f64 / DAY as f64 + zone_offset;
        // Highest at 14:00; 1970-01-01 was a Thursday.
        let day = 0.5 + 0.5 * wave(local - 8.0 / 24.0);
        let weekday = (local.floor() + 3.0).rem_euclid(7.0);
        if weekday >= 5.0 { 0.45 * day } else { day }
    }

    fn step_burst(&mut self, machine: &InstanceType, bustle: f64) {
        self.burst = match self.burst {
            Burst::None => {
                let probability = machine.bursts * (0.25 + 1.5 * bustle) / TICKS_A_DAY as f64;
                if self.random.happens(probability) {
                    let of = self.random.whole(4, 9);
                    let height = machine.burst_height * self.random.between(0.6, 1.2);
                    Burst::Coming {
                        left: of,
                        of,
                        ticks: self.random.whole(6, 24),
                        height,
                    }
                } else {
                    Burst::None
                }
            }
            Burst::Coming {
                left, ticks, height, ..
            } if left <= 1 => Burst::Here { left: ticks, height },
            Burst::Coming {
                left,
                of,
                ticks,
                height,
            } => Burst::Coming {
                left: left - 1,
                of,
                ticks,
                height,
            },
            Burst::Here { left, .. } if left <= 1 => Burst::None,
            Burst::Here { left, height } => Burst::Here { left: left - 1, height },
        };
    }

    /// What the burst adds to CPU in percent, and to the queue for each core.
    fn burst_share(&self) -> (f64, f64) {
        match self.burst {
            Burst::None => (0.0, 0.0),
            Burst::Coming { left, of, height, .. } => {
                let grown = (of - left + 1) as f64 / of as f64;
                (0.06 * height * grown, 0.25 + 0.9 * grown * height / 40.0)
            }
            Burst::Here { height, .. } => (height, 0.5 + 0.5 * height / 40.0),
        }
    }

    fn step_memory(&mut self, cpu: f64) -> f64 {
        self.memory_leaked += self.leak_a_day / TICKS_A_DAY as f64;
        let memory = self.memory_base + self.memory_leaked + 0.18 * cpu + 0.6 * self.random.noise();
        if memory > 97.0 {
            self.memory_leaked = 0.0;
        }
        memory.clamp(0.0, 100.0)
    }

    fn step_disk(&mut self) -> f64 {
        self.disk += self.disk_a_day / TICKS_A_DAY as f64 * (1.0 + 0.5 * self.random.noise());
        let is_full = self.disk >= if self.is_emptied_late { 98.5 } else { 80.0 };
        if is_full {
            self.disk = self.random.between(25.0, 40.0);
        }
        self.disk.clamp(0.0, 100.0)
    }

    /// Everything happens at every tick, whether the host says so or not.
    fn tick(&mut self, time: i64) -> Option<Reading> {
        let machine = self.machine(time)?;
        let kind = machine.instance_type;
        let bustle = Self::bustle(time, machine.zone_offset);
        self.step_burst(kind, bustle);
        self.drift = 0.985 * self.drift + 0.55 * self.random.noise();
        let (burst, queue) = self.burst_share();
        let pressure = 0.9 * (self.memory_base + self.memory_leaked - 78.0).max(0.0);
        let steady = self.scale * (kind.base + kind.swing * bustle) + self.drift + pressure + burst;
        let cpu = (steady + 2.2 * self.random.noise()).clamp(0.5, 100.0);
        let memory = self.step_memory(cpu);
        let disk = self.step_disk();
        let load = f64::from(kind.cores) * ((cpu / 100.0) + queue + 0.03 * self.random.noise()).max(0.01);
        let (memory_is_lost, load_is_lost) = (self.random.happens(0.002), self.random.happens(0.001));
        let arrival = self.arrival(cpu);
        let is_silent = self.is_silent();
        (!is_silent).then(|| Reading {
            time,
            cpu: rounded(cpu),
            memory: (!memory_is_lost).then(|| rounded(memory)),
            disk: rounded(disk),
            load: (!load_is_lost).then(|| rounded(load)),
            arrival,
        })
    }

    fn arrival(&mut self, cpu: f64) -> Arrival {
        let (drawn, noise) = (self.random.unit(), self.random.noise());
        match drawn {
            _ if drawn < 0.005 => Arrival::Late,
            _ if drawn < 0.006 => Arrival::Corrected(rounded((cpu + 4.0 * noise).clamp(0.5, 100.0))),
            _ => Arrival::OnTime,
        }
    }

    fn is_silent(&mut self) -> bool {
        if self.silent == 0 && self.random.happens(1.0 / 700.0) {
            self.silent = if self.random.happens(0.7) {
                self.random.whole(1, 3)
            } else {
                self.random.whole(6, 40)
            };
        }
        let is_silent = self.silent > 0;
        self.silent = self.silent.saturating_sub(1);
        is_silent
    }

    /// The reading at the next tick, `Some(None)` if it is silent then; `None` when its time is over.
    pub(crate) fn next_tick(&mut self) -> Option<Option<Reading>> {
        if self.next >= self.end {
            return None;
        }
        let time = self.next;
        self.next += TICK;
        Some(self.tick(time))
    }
}

impl Iterator for Host {
    type Item = Reading;
    fn next(&mut self) -> Option<Reading> {
        loop {
            if let Some(reading) = self.next_tick()? {
                return Some(reading);
            }
        }
    }
}
