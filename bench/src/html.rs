//! One self-contained page: a plot of time against run length for each program, and the tables.

use crate::plot::{Line, Plot};
use crate::results::{Cell, Point, Report, Whole, contestants, ratio};
use crate::table::{errors, lengths, out_of_order, ratios, whole_ratios};
use std::fmt::Write;

const STYLE: &str = "
:root { --ink: #1c1c1c; --faint: #767676; --rule: #dcdcdc; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --faint: #9a9a9a; --rule: #3a3a3a; --paper: #161616; }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
table.words td { text-align: left; }
tr:last-child td { font-weight: 600; }
table.words tr:last-child td { font-weight: inherit; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
svg .grid { stroke: var(--rule); } svg .line { fill: none; stroke-width: 2; }
.key span { margin-right: 1.2rem; white-space: nowrap; }
.key i { display: inline-block; width: 1.4rem; height: .2rem; margin-right: .4rem;
  vertical-align: middle; }
.faint { color: var(--faint); }
";

/// A colour that keeps its meaning over all plots.
fn colour(contestant: &str) -> &'static str {
    match contestant {
        "gcc -O2" => "#8c8c8c",
        "clang -O3" => "#3d7dca",
        "t0" => "#c2a83e",
        "t1" => "#d9772b",
        "t2" => "#b3403a",
        "auto" => "#2a9d5c",
        "wasmtime" => "#5b6ee1",
        "winch" => "#59a5d8",
        "wasmi" => "#b58863",
        "node" => "#4b8b3b",
        _ => "#8a5fb0",
    }
}

/// The page.
pub fn page(report: &Report) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    let _ = write!(out, "<title>Cupola: benchmark</title>\n<style>{STYLE}</style>\n");
    let _ = writeln!(out, "<h1>Cupola: benchmark</h1>\n<p class=\"faint\">");
    let skipped = report.skipped.iter().map(|s| format!("skipped: {s}"));
    let head: Vec<String> = std::iter::once(report.machine.clone())
        .chain(report.compilers.iter().cloned())
        .chain(skipped)
        .map(|line| escape(&line))
        .collect();
    let _ = writeln!(out, "{}</p>", head.join("<br>\n"));
    whole(&mut out, report);
    steady(&mut out, report);
    out.push_str("</html>\n");
    out
}

fn whole(out: &mut String, report: &Report) {
    if report.whole.is_empty() {
        return;
    }
    out.push_str("<h2>Whole processes: time against run length</h2>\n");
    out.push_str(
        "<p>From spawn to exit, compilation included. Across: the run length of the native \
         program that <i>n</i> stands for. Up: time, and beside it time as a multiple of the \
         baseline's. All axes are logarithmic.</p>\n<p class=\"key\">",
    );
    let rows = report.whole.iter().flat_map(|w| w.points.iter().map(|p| p.cells.as_slice()));
    for name in contestants(rows) {
        let (colour, name) = (colour(name), escape(name));
        let _ = write!(out, "<span><i style=\"background:{colour}\"></i>{name}</span>");
    }
    out.push_str("</p>\n<div class=\"plots\">\n");
    for program in &report.whole {
        let times = plot(program, "ms", |_, cell| Some(cell.time.median / 1e6));
        let baseline = &report.baseline;
        let ratios = plot(program, &format!("× {baseline}"), |point, cell| {
            ratio(&point.cells, &cell.contestant, baseline)
        });
        let name = escape(&program.program);
        for (what, plot) in [("time", times), ("ratio", ratios)] {
            let svg = plot.svg();
            let _ = writeln!(out, "<figure><figcaption>{name}: {what}</figcaption>{svg}</figure>");
        }
    }
    out.push_str("</div>\n");
    for length in lengths(report) {
        let _ = writeln!(out, "<h3>Native run length {length} ms</h3>");
        table(out, &whole_ratios(report, length), "numbers");
        for error in errors(report, length) {
            let _ = writeln!(out, "<p>Error: {}</p>", escape(&error));
        }
    }
}

/// Lines of all contestants over the run length.
fn plot(program: &Whole, y_label: &str, y: impl Fn(&Point, &Cell) -> Option<f64>) -> Plot {
    let rows = program.points.iter().map(|p| p.cells.as_slice());
    let lines = contestants(rows)
        .into_iter()
        .map(|name| {
            let points = program
                .points
                .iter()
                .filter_map(|p| {
                    let cell = p.cells.iter().find(|c| c.contestant == name)?;
                    Some((p.length_ms, y(p, cell)?))
                })
                .collect();
            Line { name: name.to_owned(), colour: colour(name), points }
        })
        .collect();
    Plot { x_label: "native run length, ms".to_owned(), y_label: y_label.to_owned(), lines }
}

fn steady(out: &mut String, report: &Report) {
    if report.steady.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<h2>Steady state</h2>\n<p>Calls in one process after a warm-up; {}; medians of {}; ratio \
         to {}.</p>",
        escape(&report.clock),
        report.reps,
        escape(&report.baseline)
    );
    let rows: Vec<(&str, &[Cell])> =
        report.steady.iter().map(|s| (s.program.as_str(), s.cells.as_slice())).collect();
    table(out, &ratios(&rows, &report.baseline), "numbers");
    for line in out_of_order(report) {
        let _ = writeln!(out, "<p>Out of order: {}</p>", escape(&line));
    }
    out.push_str("<h2>What ran, by the engine's statistics</h2>\n");
    let mut words = vec![["program", "contestant", "ran"].map(str::to_owned).to_vec()];
    for steady in &report.steady {
        for account in &steady.accounts {
            let mark = if account.as_named { "" } else { "NOT AS NAMED: " };
            let ran = format!("{mark}{}", account.ran);
            words.push(vec![steady.program.clone(), account.contestant.clone(), ran]);
        }
    }
    table(out, &words, "words");
}

/// A table whose first row is the head.
fn table(out: &mut String, rows: &[Vec<String>], class: &str) {
    let _ = writeln!(out, "<table class=\"{class}\">");
    for (r, row) in rows.iter().enumerate() {
        let tag = if r == 0 { "th" } else { "td" };
        out.push_str("<tr>");
        for text in row {
            let _ = write!(out, "<{tag}>{}</{tag}>", escape(text));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_its_programs_and_escapes() {
        let cell = |name: &str, t: f64| Cell::of(name.to_owned(), &[t]).unwrap();
        let point = |length_ms: f64, t: f64| Point {
            length_ms,
            n: 1,
            cells: vec![cell("clang -O3", 1e6), cell("auto", t)],
            accounts: Vec::new(),
            errors: Vec::new(),
        };
        let whole = Whole { program: "a<b".into(), points: vec![point(1.0, 5e6), point(5.0, 2e6)] };
        let report =
            Report { baseline: "clang -O3".into(), whole: vec![whole], ..Report::default() };
        let page = page(&report);
        assert!(page.contains("<figcaption>a&lt;b: time</figcaption>"));
        assert!(page.contains("<td>5.00</td>") && page.contains("<td>2.00</td>"));
        assert_eq!(page.matches("class=\"line\"").count(), 4);
    }
}
