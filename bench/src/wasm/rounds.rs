//! Rounds of whole processes whose outputs are compared: who fails or prints something else drops
//! out, and the reason is kept.

use crate::process::{Program, Run};
use crate::results::Cell;

/// What processes are timed by.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Time from spawn to exit.
    Wall,
    /// Processor time of all their threads.
    Processor,
}

impl Clock {
    /// For the head of a table.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall time",
            Clock::Processor => "processor time of all threads",
        }
    }

    fn of(self, run: &Run) -> f64 {
        match self {
            Clock::Wall => run.ns,
            Clock::Processor => run.cpu_ns,
        }
    }
}

/// What some rounds gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The times of those who were right every time.
    pub cells: Vec<Cell>,
    /// The greatest resident sets of the same, in KiB: the median of the runs.
    pub max_rss_kib: Vec<i64>,
    /// Who was not, and why.
    pub errors: Vec<String>,
}

/// Runs the commands by turns, one run each a round. The first round is not timed; what the first
/// command prints in it is what all are to print, if nothing else is `expected`.
pub fn measure(
    commands: &[Program],
    args: &[String],
    mut expected: Option<String>,
    rounds: usize,
    clock: Clock,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut running = Vec::new();
    for command in commands {
        let output = command.output(args);
        match output.and_then(|output| compare(&mut expected, output)) {
            Ok(()) => running.push((command, Vec::new(), Vec::new())),
            Err(error) => outcome.errors.push(format!("{}: {error}", command.name)),
        }
    }
    for _ in 0..rounds {
        running.retain_mut(|(command, times, resident)| {
            let done = command.run(args).and_then(|run| {
                times.push(clock.of(&run));
                resident.push(run.max_rss_kib);
                compare(&mut expected, run.stdout)
            });
            let error = done.map_err(|error| format!("{}: {error}", command.name)).err();
            let right = error.is_none();
            outcome.errors.extend(error);
            right
        });
    }
    for (command, times, mut resident) in running {
        resident.sort_unstable();
        if let Some(cell) = Cell::of(command.name.clone(), &times) {
            outcome.cells.push(cell);
            outcome.max_rss_kib.push(resident[resident.len() / 2]);
        }
    }
    outcome
}

fn compare(expected: &mut Option<String>, output: String) -> Result<(), String> {
    match expected.get_or_insert_with(|| output.clone()) {
        e if *e == output => Ok(()),
        e => Err(format!("prints {output:?}, not {e:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(name: &str, script: &str) -> Program {
        let args = ["-c", script].map(str::to_owned).to_vec();
        Program { name: name.to_owned(), path: "/bin/sh".into(), args }
    }

    #[test]
    fn wrong_output_and_failure_are_errors_of_their_contestant() {
        let commands = [
            sh("a", "echo $0"),
            sh("wrong", "echo 8"),
            sh("fails", "echo no such thing >&2; exit 3"),
            sh("b", "echo 7"),
        ];
        let outcome = measure(&commands, &["7".to_owned()], None, 3, Clock::Wall);
        let names: Vec<&str> = outcome.cells.iter().map(|c| c.contestant.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(outcome.cells.iter().all(|c| c.time.count == 3));
        assert_eq!(outcome.max_rss_kib.len(), 2);
        assert_eq!(outcome.errors.len(), 2, "{:?}", outcome.errors);
        assert!(outcome.errors[0].contains("wrong: prints \"8\", not \"7\""));
        assert!(outcome.errors[1].contains("fails:") && outcome.errors[1].contains("such thing"));
    }

    #[test]
    fn an_output_that_changes_later_is_an_error() {
        let file = std::env::temp_dir().join(format!("cupola-bench-rounds-{}", std::process::id()));
        let script = format!("echo x >>{0}; wc -l <{0}", file.display());
        let outcome = measure(&[sh("a", &script)], &[], None, 3, Clock::Processor);
        std::fs::remove_file(&file).unwrap();
        assert!(outcome.cells.is_empty());
        assert!(outcome.errors[0].contains("prints \"2\", not \"1\""), "{:?}", outcome.errors);
    }

    #[test]
    fn what_is_expected_can_be_given() {
        let outcome = measure(&[sh("a", "echo 1")], &[], Some("2".into()), 1, Clock::Wall);
        assert_eq!(outcome.errors, ["a: prints \"1\", not \"2\""]);
    }
}
