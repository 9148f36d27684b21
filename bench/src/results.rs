//! What a run of the harness finds out: what goes into the JSON file, and what the tables and the
//! page are made from.

use crate::stats::{Summary, geometric_mean};
use serde::Serialize;

/// A contestant's time.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Who.
    pub contestant: String,
    /// The times, in nanoseconds.
    pub time: Summary,
}

impl Cell {
    /// From single times; none if there are none.
    pub fn of(contestant: String, times: &[f64]) -> Option<Cell> {
        Some(Cell { contestant, time: Summary::of(times)? })
    }
}

/// What code a contestant ran, by its own account.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Who.
    pub contestant: String,
    /// What ran.
    pub ran: String,
    /// Whether that is what the contestant is named for.
    pub as_named: bool,
}

impl Account {
    /// From a contestant's answer.
    pub fn of(contestant: &str, answer: Result<String, String>) -> Account {
        let as_named = answer.is_ok();
        let (Ok(ran) | Err(ran)) = answer;
        Account { contestant: contestant.to_owned(), ran, as_named }
    }
}

/// Steady state of a program: calls within one process, after a warm-up.
#[derive(Clone, Debug, Serialize)]
pub struct Steady {
    /// The program.
    pub program: String,
    /// The argument.
    pub n: i64,
    /// The result, the same for all contestants.
    pub checksum: i64,
    /// The times.
    pub cells: Vec<Cell>,
    /// What ran.
    pub accounts: Vec<Account>,
}

/// Whole processes of one program at one length.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The native run length that `n` stands for, in milliseconds.
    pub length_ms: f64,
    /// The argument.
    pub n: i64,
    /// The times.
    pub cells: Vec<Cell>,
    /// What ran, where the contestants tell.
    pub accounts: Vec<Account>,
    /// Who is missing in the times, and why.
    pub errors: Vec<String>,
}

/// Whole processes of one program at several lengths.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// The program.
    pub program: String,
    /// The lengths, rising.
    pub points: Vec<Point>,
}

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Processor, number of cores, operating system.
    pub machine: String,
    /// Compilers and their versions.
    pub compilers: Vec<String>,
    /// What was not measured, and why.
    pub skipped: Vec<String>,
    /// Measurements per contestant at most.
    pub reps: usize,
    /// What calls were timed by.
    pub clock: String,
    /// The contestant that ratios are to.
    pub baseline: String,
    /// The contestant that is compared with the fastest of the peers.
    pub ours: String,
    /// Contestants that are engines of others.
    pub peers: Vec<String>,
    /// Steady state.
    pub steady: Vec<Steady>,
    /// Whole runs.
    pub whole: Vec<Whole>,
}

/// The ratio of a contestant's median to the baseline's.
pub fn ratio(cells: &[Cell], contestant: &str, baseline: &str) -> Option<f64> {
    let median = |name: &str| Some(cells.iter().find(|c| c.contestant == name)?.time.median);
    Some(median(contestant)? / median(baseline)?)
}

/// The fastest of some contestants.
pub fn fastest<'a>(cells: &'a [Cell], of: &[String]) -> Option<&'a Cell> {
    let candidates = cells.iter().filter(|c| of.contains(&c.contestant));
    candidates.min_by(|a, b| a.time.median.total_cmp(&b.time.median))
}

/// The contestants of some rows, in order of first appearance.
pub fn contestants<'a>(rows: impl IntoIterator<Item = &'a [Cell]>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for cell in rows.into_iter().flatten() {
        if !names.contains(&cell.contestant.as_str()) {
            names.push(&cell.contestant);
        }
    }
    names
}

/// The geometric mean of a contestant's ratios over the rows in which it has one.
pub fn mean_ratio<'a>(
    rows: impl IntoIterator<Item = &'a [Cell]>,
    contestant: &str,
    baseline: &str,
) -> Option<f64> {
    geometric_mean(rows.into_iter().filter_map(|cells| ratio(cells, contestant, baseline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(times: &[(&str, f64)]) -> Vec<Cell> {
        times.iter().map(|&(name, t)| Cell::of(name.to_owned(), &[t]).unwrap()).collect()
    }

    #[test]
    fn ratios_and_means() {
        let rows = [row(&[("c", 2.0), ("t2", 3.0)]), row(&[("c", 1.0), ("t2", 6.0), ("t0", 9.0)])];
        let all = || rows.iter().map(Vec::as_slice);
        assert_eq!(contestants(all()), ["c", "t2", "t0"]);
        assert_eq!(ratio(&rows[0], "t2", "c"), Some(1.5));
        assert_eq!(ratio(&rows[0], "t0", "c"), None);
        let peers = ["c", "t0", "x"].map(str::to_owned);
        assert_eq!(fastest(&rows[1], &peers).unwrap().contestant, "c");
        assert!(fastest(&rows[1], &peers[2..]).is_none());
        assert!((mean_ratio(all(), "t2", "c").unwrap() - 3.0).abs() < 1e-12);
        assert!((mean_ratio(all(), "t0", "c").unwrap() - 9.0).abs() < 1e-12);
    }
}
