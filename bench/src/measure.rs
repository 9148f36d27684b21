//! Interleaved measurement: contestants take turns, one run each a round, so that a machine that
//! becomes slower or faster for a while does so for all of them; what counts is the median.

use crate::contestant::Contestant;
use crate::process;
use crate::results::{Account, Cell};
use crate::stats::Summary;

/// A whole-process contestant that took longer than this is left out at greater lengths.
const WHOLE_RUN_LIMIT_NS: f64 = 1.5e9;

/// What calls are timed by.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Time that passes.
    Wall,
    /// Time that the calling thread had a processor: steadier where other processes run too.
    Thread,
}

impl Clock {
    /// For the head of a table.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall time",
            Clock::Thread => "processor time of the calling thread",
        }
    }

    fn now_ns(self) -> f64 {
        let id = match self {
            Clock::Wall => libc::CLOCK_MONOTONIC,
            Clock::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
        };
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a live variable; both clocks exist on every Linux.
        unsafe { libc::clock_gettime(id, &mut time) };
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    }
}

/// Compares a checksum with those of the contestants before.
fn check(expected: &mut Option<i64>, name: &str, n: i64, result: i64) -> Result<(), String> {
    match *expected.get_or_insert(result) {
        e if e == result => Ok(()),
        e => Err(format!("{name}: main({n}) gives {result}, where others gave {e}")),
    }
}

/// Times calls of `main(n)` after a warm-up; gives the medians in the contestants' order, the
/// checksum, and what ran.
pub fn steady(
    contestants: &mut [Box<dyn Contestant>],
    n: i64,
    reps: usize,
    clock: Clock,
) -> Result<(Vec<Cell>, i64, Vec<Account>), String> {
    let mut expected = None;
    for c in contestants.iter_mut() {
        let first = c.call(n).map_err(|e| format!("{}: {e}", c.name()))?;
        check(&mut expected, c.name(), n, first)?;
        c.warm_up(n).map_err(|e| format!("{}: {e}", c.name()))?;
    }
    let mut times = vec![Vec::with_capacity(reps); contestants.len()];
    for _ in 0..reps {
        for (c, times) in contestants.iter_mut().zip(&mut times) {
            let start = clock.now_ns();
            let result = c.call(n);
            times.push(clock.now_ns() - start);
            let result = result.map_err(|e| format!("{}: {e}", c.name()))?;
            check(&mut expected, c.name(), n, result)?;
        }
    }
    let names = || contestants.iter().map(|c| c.name().to_owned());
    let cells = names().zip(&times).filter_map(|(name, times)| Cell::of(name, times)).collect();
    let accounts =
        contestants.iter().map(|c| Account::of(c.name(), c.account())).collect::<Vec<_>>();
    Ok((cells, expected.unwrap_or(0), accounts))
}

/// Times whole processes that run `main(n)`, for several `n` in rising order. Gives a row of
/// medians for each; those who take very long at one length are missing from the next on.
pub fn whole(
    commands: &[process::Program],
    sizes: &[i64],
    reps: usize,
) -> Result<Vec<Vec<Cell>>, String> {
    let mut running: Vec<&process::Program> = commands.iter().collect();
    let mut rows = Vec::new();
    for &n in sizes {
        let args = [n.to_string()];
        let mut expected = None;
        let mut times = vec![Vec::with_capacity(reps); running.len()];
        for _ in 0..reps {
            for (command, times) in running.iter().zip(&mut times) {
                let run = command.run(&args)?;
                let result = run.stdout.parse::<i64>().map_err(|_| {
                    format!("{}: prints {:?}, no checksum", command.name, run.stdout)
                })?;
                check(&mut expected, &command.name, n, result)?;
                times.push(run.ns);
            }
        }
        let mut row = Vec::new();
        let mut slow = Vec::new();
        for (command, times) in running.iter().zip(&times) {
            let cell = Cell::of(command.name.clone(), times);
            slow.push(cell.as_ref().is_some_and(|c| c.time.median > WHOLE_RUN_LIMIT_NS));
            row.extend(cell);
        }
        let mut slow = slow.into_iter();
        running.retain(|_| !slow.next().unwrap_or(false));
        rows.push(row);
    }
    Ok(rows)
}

/// Times some alternatives by turns, each of which measures itself and gives nanoseconds.
pub fn alternate(
    reps: usize,
    alternatives: &mut [&mut dyn FnMut() -> Result<f64, String>],
) -> Result<Vec<Summary>, String> {
    let mut times = vec![Vec::with_capacity(reps); alternatives.len()];
    for _ in 0..reps {
        for (alternative, times) in alternatives.iter_mut().zip(&mut times) {
            times.push(alternative()?);
        }
    }
    Ok(times.iter().filter_map(|t| Summary::of(t)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(&'static str, i64);

    impl Contestant for Constant {
        fn name(&self) -> &str {
            self.0
        }

        fn call(&mut self, n: i64) -> Result<i64, String> {
            Ok(self.1 + n)
        }

        fn account(&self) -> Result<String, String> {
            Err("another".to_owned())
        }
    }

    #[test]
    fn equal_results_are_measured() {
        let mut both: Vec<Box<dyn Contestant>> =
            vec![Box::new(Constant("a", 1)), Box::new(Constant("b", 1))];
        let (cells, checksum, accounts) = steady(&mut both, 2, 5, Clock::Thread).unwrap();
        assert_eq!(checksum, 3);
        assert_eq!(cells.iter().map(|c| c.contestant.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(cells.iter().all(|c| c.time.count == 5));
        assert!(accounts.iter().all(|a| !a.as_named));
    }

    #[test]
    fn a_wrong_result_is_an_error() {
        let mut both: Vec<Box<dyn Contestant>> =
            vec![Box::new(Constant("a", 1)), Box::new(Constant("b", 2))];
        assert!(steady(&mut both, 0, 1, Clock::Wall).unwrap_err().contains("b: main(0) gives 2"));
    }

    #[test]
    fn whole_processes() {
        let echo = |name: &str, path: &str, args: &[&str]| process::Program {
            name: name.to_owned(),
            path: path.into(),
            args: args.iter().map(|&a| a.to_owned()).collect(),
        };
        let commands = [echo("a", "/bin/echo", &[]), echo("b", "/bin/sh", &["-c", "echo $0"])];
        let rows = whole(&commands, &[1, 7], 3).unwrap();
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);

        let wrong = [echo("a", "/bin/echo", &[]), echo("c", "/bin/echo", &["1"])];
        assert!(whole(&wrong, &[2], 1).is_err());
    }
}
