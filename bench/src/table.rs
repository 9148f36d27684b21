//! Tables for the terminal and, since they are Markdown, for documents.

use crate::results::{Cell, Point, Report, contestants, fastest, mean_ratio, ratio};
use crate::stats::{format_ns, geometric_mean, three_digits};
use std::fmt::Write;

/// A table with aligned columns; the first row is the head.
pub fn markdown(rows: &[Vec<String>]) -> String {
    let Some(columns) = rows.iter().map(Vec::len).max() else { return String::new() };
    let width = |column: usize| {
        rows.iter().filter_map(|r| r.get(column)).map(|s| s.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(|c| width(c).max(3)).collect();
    let mut out = String::new();
    for (r, row) in rows.iter().enumerate() {
        for (c, &width) in widths.iter().enumerate() {
            let text = row.get(c).map_or("", String::as_str);
            let padding = " ".repeat(width - text.chars().count());
            let (left, right) = if c == 0 { ("", &*padding) } else { (&*padding, "") };
            let _ = write!(out, "| {left}{text}{right} ");
        }
        out.push_str("|\n");
        if r == 0 {
            for (c, &width) in widths.iter().enumerate() {
                let (dashes, end) = if c == 0 { (width + 2, "") } else { (width + 1, ":") };
                let _ = write!(out, "|{}{end}", "-".repeat(dashes));
            }
            out.push_str("|\n");
        }
    }
    out
}

/// A table of one row of cells per program: the baseline's time, the others' ratios to it, and
/// their geometric means below.
pub fn ratios(rows: &[(&str, &[Cell])], baseline: &str) -> Vec<Vec<String>> {
    let all = || rows.iter().map(|(_, cells)| *cells);
    let names = contestants(all());
    let mut table = vec![vec!["program".to_owned(), format!("{baseline}, time")]];
    table[0].extend(names.iter().map(|&n| n.to_owned()));
    for &(program, cells) in rows {
        let time = cells.iter().find(|c| c.contestant == baseline).map(|c| c.time.median);
        let mut line = vec![program.to_owned(), time.map_or("-".to_owned(), format_ns)];
        line.extend(names.iter().map(|n| show(ratio(cells, n, baseline))));
        table.push(line);
    }
    let mut line = vec!["geometric mean".to_owned(), String::new()];
    line.extend(names.iter().map(|n| show(mean_ratio(all(), n, baseline))));
    table.push(line);
    table
}

fn show(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), three_digits)
}

/// Everything that a report says, as text.
pub fn report(report: &Report) -> String {
    let mut out = format!("{}\n", report.machine);
    for line in &report.compilers {
        let _ = writeln!(out, "{line}");
    }
    for line in &report.skipped {
        let _ = writeln!(out, "skipped: {line}");
    }
    if !report.steady.is_empty() {
        let _ = writeln!(
            out,
            "\nSteady state: calls in one process after a warm-up, {}, medians of {}, ratio to {}\n",
            report.clock, report.reps, report.baseline
        );
        let rows: Vec<(&str, &[Cell])> =
            report.steady.iter().map(|s| (s.program.as_str(), s.cells.as_slice())).collect();
        out.push_str(&markdown(&ratios(&rows, &report.baseline)));
        for slower in out_of_order(report) {
            let _ = writeln!(out, "out of order: {slower}");
        }
        out.push_str(&accounts(report));
    }
    for length in lengths(report) {
        let _ = writeln!(
            out,
            "\nWhole processes at a native run length of about {length} ms, from spawn to exit, \
             ratio to {}\n",
            report.baseline
        );
        out.push_str(&markdown(&whole_ratios(report, length)));
        for error in errors(report, length) {
            let _ = writeln!(out, "ERROR: {error}");
        }
        out.push_str(&whole_accounts(report, length));
    }
    out
}

fn points(report: &Report, length: f64) -> impl Iterator<Item = (&str, &Point)> {
    report.whole.iter().filter_map(move |w| {
        let point = w.points.iter().find(|p| p.length_ms == length)?;
        Some((w.program.as_str(), point))
    })
}

/// The table of whole processes at one length. Where there are peers, two columns more: the fastest
/// of them, and how our time compares with its time.
pub fn whole_ratios(report: &Report, length: f64) -> Vec<Vec<String>> {
    let rows: Vec<(&str, &[Cell])> =
        points(report, length).map(|(program, point)| (program, &*point.cells)).collect();
    let mut table = ratios(&rows, &report.baseline);
    if report.peers.is_empty() {
        return table;
    }
    table[0].extend(["fastest peer".to_owned(), format!("{} to it", report.ours)]);
    let mut all = Vec::new();
    for (line, (_, cells)) in table[1..].iter_mut().zip(&rows) {
        let peer = fastest(cells, &report.peers).map(|cell| cell.contestant.as_str());
        let compared = peer.and_then(|peer| ratio(cells, &report.ours, peer));
        line.extend([peer.unwrap_or("-").to_owned(), show(compared)]);
        all.extend(compared);
    }
    if let Some(line) = table.last_mut() {
        line.extend([String::new(), show(geometric_mean(all))]);
    }
    table
}

/// Who is missing at one length, and why.
pub fn errors(report: &Report, length: f64) -> Vec<String> {
    let of = |(program, point): (&str, &Point)| {
        point.errors.iter().map(|error| format!("{program}, {error}")).collect::<Vec<_>>()
    };
    points(report, length).flat_map(of).collect()
}

/// What ran at one length, where it is known.
fn whole_accounts(report: &Report, length: f64) -> String {
    let mut out = String::new();
    for (program, point) in points(report, length) {
        for account in &point.accounts {
            let mark = if account.as_named { "" } else { "NOT AS NAMED: " };
            let _ =
                writeln!(out, "  {program:<11} {:<5} {mark}{}", account.contestant, account.ran);
        }
    }
    if out.is_empty() { out } else { format!("\nWhat ran, by the engine's statistics\n\n{out}") }
}

/// The lengths at which there are whole runs.
pub fn lengths(report: &Report) -> Vec<f64> {
    let mut lengths: Vec<f64> =
        report.whole.iter().flat_map(|w| w.points.iter().map(|p| p.length_ms)).collect();
    lengths.sort_by(f64::total_cmp);
    lengths.dedup();
    lengths
}

/// Pairs of tiers of which the higher one is slower by more than a fiftieth, which is what the
/// same code differs by from one run to the next.
pub fn out_of_order(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    for steady in &report.steady {
        for (higher, lower) in [("t1", "t0"), ("t2", "t1")] {
            if let Some(r) = ratio(&steady.cells, higher, lower)
                && r > 1.02
            {
                found.push(format!(
                    "{}: {higher} takes {} of {lower}'s time",
                    steady.program,
                    three_digits(r)
                ));
            }
        }
    }
    found
}

fn accounts(report: &Report) -> String {
    let mut out = String::from("\nWhat ran, by the engine's statistics\n\n");
    for steady in &report.steady {
        for account in steady.accounts.iter().filter(|a| a.ran != "native") {
            let mark = if account.as_named { "" } else { "NOT AS NAMED: " };
            let _ = writeln!(
                out,
                "  {:<11} {:<20} {mark}{}",
                steady.program, account.contestant, account.ran
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Steady;

    #[test]
    fn columns_are_aligned() {
        let rows = vec![vec!["a".to_owned(), "µs".to_owned()], vec!["bcde".into(), "1234".into()]];
        assert_eq!(markdown(&rows), "| a    |   µs |\n|------|-----:|\n| bcde | 1234 |\n");
    }

    #[test]
    fn a_slower_higher_tier_is_pointed_out() {
        let cell = |name: &str, t: f64| Cell::of(name.to_owned(), &[t]).unwrap();
        let steady = Steady {
            program: "p".into(),
            n: 1,
            checksum: 0,
            cells: vec![cell("t0", 10.0), cell("t1", 5.0), cell("t2", 6.0)],
            accounts: Vec::new(),
        };
        let report = Report { steady: vec![steady], ..Report::default() };
        assert_eq!(out_of_order(&report), ["p: t2 takes 1.20 of t1's time"]);
    }
}
