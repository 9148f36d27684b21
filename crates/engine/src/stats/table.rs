//! The report as a table of text.

use super::report::{FuncReport, Report, Totals};
use super::units::{bytes, duration, thousands};
use cupola_runtime::Tier;
use std::fmt::Write;

/// Between columns.
const GAP: &str = "  ";

/// Longer names are cut.
const MAX_NAME: usize = 40;

const HEADER: [&str; 11] = [
    "function",
    "tier",
    "code",
    "calls",
    "iterations",
    "queued",
    "compile t1",
    "compile t2",
    "bytes",
    "osr",
    "deopts",
];

/// Rows of cells, laid out so that columns align: the first three to the left, numbers to the
/// right.
struct Table {
    rows: Vec<[String; HEADER.len()]>,
}

impl Table {
    const LEFT: usize = 3;

    fn write(&self, out: &mut String) {
        let mut widths = [0; HEADER.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (column, (&width, cell)) in widths.iter().zip(row).enumerate() {
                let _ = if column < Self::LEFT {
                    write!(line, "{cell:<width$}{GAP}")
                } else {
                    write!(line, "{cell:>width$}{GAP}")
                };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}

/// Writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}

impl Report {
    /// The report as text, with at most `max_rows` functions.
    pub fn to_table(&self, max_rows: usize) -> String {
        let mut out = String::new();
        line!(
            out,
            "functions, hottest first (calls and iterations: counted in t0 and t1; t2 and t3 code \
             does not count)"
        );
        let (shown, rest) = self.functions.split_at(max_rows.min(self.functions.len()));
        let mut table = Table { rows: vec![HEADER.map(str::to_owned)] };
        table.rows.extend(shown.iter().map(row));
        table.write(&mut out);
        if !rest.is_empty() {
            let highest = rest.iter().map(|func| func.tier).max().unwrap_or(Tier::T0);
            line!(
                out,
                "… and {} more, none above {highest}, with {} calls and {} iterations",
                rest.len(),
                thousands(rest.iter().map(|func| func.calls).sum()),
                thousands(rest.iter().map(|func| func.loop_iterations).sum()),
            );
        }
        // What went wrong is told of every function: it is what one looks for.
        for func in &self.functions {
            notes(func, &mut out);
        }
        totals(&self.totals, &mut out);
        out
    }
}

fn row(func: &FuncReport) -> [String; HEADER.len()] {
    let mut name: String = func.name.chars().take(MAX_NAME).collect();
    if name.len() < func.name.len() {
        name.pop();
        name.push('…');
    }
    if let Some(source) = &func.source {
        // The directory would take the room of the columns; the JSON has it.
        let file = source.rsplit('/').next().unwrap_or(source);
        let _ = write!(name, " ({file})");
    }
    let mut tier = func.tier.to_string();
    if func.by_osr_only {
        tier += " osr";
    }
    if func.highest_tier > func.tier {
        let _ = write!(tier, " (was {})", func.highest_tier);
    }
    let generator = func.generator.as_deref().unwrap_or(match func.tier {
        Tier::T0 => "interpreter",
        _ => "-",
    });
    let compile = |tier| func.compilations.get(&tier).map_or(0, |c| c.ns);
    let osr: u64 = func.osr_entries.iter().map(|osr| osr.count).sum();
    [
        name,
        tier,
        generator.to_owned(),
        thousands(func.calls),
        thousands(func.loop_iterations),
        duration(func.queue_ns),
        duration(compile(Tier::T1)),
        duration(compile(Tier::T2)),
        thousands(func.code_bytes),
        thousands(osr),
        thousands(func.deopt_count),
    ]
}

fn notes(func: &FuncReport, out: &mut String) {
    let name = &func.name;
    if let Some(unit) = &func.unit
        && unit != name
    {
        line!(out, "{name}: {} code compiled with {unit}", func.tier);
    }
    for deopt in &func.deopts {
        let inlined =
            if deopt.at == *name { String::new() } else { format!(" in inlined {}", deopt.at) };
        let at = if deopt.loc.is_empty() { String::new() } else { format!(" at {}", deopt.loc) };
        line!(
            out,
            "{name}: deoptimized {} × from {}: {}{inlined}{at}",
            thousands(deopt.count),
            deopt.tier,
            deopt.reason
        );
    }
    let listed: u64 = func.deopts.iter().map(|deopt| deopt.count).sum();
    if func.deopt_count > listed {
        line!(
            out,
            "{name}: deoptimized {} × at other places",
            thousands(func.deopt_count - listed)
        );
    }
    for failure in &func.failures {
        line!(
            out,
            "{name}: {} compilation failed {} ×: {}",
            failure.tier,
            thousands(failure.count),
            failure.reason
        );
    }
    let listed: u64 = func.failures.iter().map(|failure| failure.count).sum();
    if func.failure_count > listed {
        let more = thousands(func.failure_count - listed);
        line!(out, "{name}: compilation failed {more} × for other reasons");
    }
    if func.invalidated > 0 {
        line!(out, "{name}: {} versions discarded", thousands(func.invalidated));
    }
    if func.evicted > 0 {
        line!(out, "{name}: {} versions evicted", thousands(func.evicted));
    }
    if let Some(pin) = &func.pinned {
        line!(out, "{name}: pinned to {}: {}", pin.max_tier, pin.reason);
    }
}

fn totals(totals: &Totals, out: &mut String) {
    let called: u64 = totals.by_tier.values().sum();
    let tiers: Vec<String> =
        totals.by_tier.iter().map(|(tier, n)| format!("{} in {tier}", thousands(*n))).collect();
    line!(
        out,
        "total: {} of {} functions called{}{}, {}",
        thousands(called),
        thousands(totals.functions),
        if tiers.is_empty() { "" } else { ": " },
        tiers.join(", "),
        duration(totals.elapsed_ns)
    );
    let compilations: Vec<String> = totals
        .compilations
        .iter()
        .map(|(tier, c)| format!("{} for {tier} in {}", thousands(c.count), duration(c.ns)))
        .collect();
    line!(
        out,
        "compilations: {}; {} failed; {} in the queue",
        if compilations.is_empty() { "none".to_owned() } else { compilations.join(", ") },
        thousands(totals.failures),
        duration(totals.queue_ns)
    );
    line!(
        out,
        "transitions: {} osr entries, {} deoptimizations, {} versions discarded, {} evicted, {} \
         functions pinned",
        thousands(totals.osr_entries),
        thousands(totals.deopts),
        thousands(totals.invalidated),
        thousands(totals.evicted),
        thousands(totals.pinned)
    );
    line!(
        out,
        "code memory: {} in use, {} at most, {} allowed, {} reclaimed; {} events dropped",
        bytes(totals.code_bytes),
        bytes(totals.code_bytes_peak),
        bytes(totals.code_budget),
        bytes(totals.reclaimed_bytes),
        thousands(totals.events_dropped)
    );
}

#[cfg(test)]
mod tests {
    use crate::policy::Pin;
    use crate::stats::{FuncSnapshot, FuncStats, Report, Totals};
    use cupola_ir::{DeoptReason, FuncId, SrcLoc};
    use cupola_runtime::Tier;

    fn report() -> Report {
        let func_name = |func: FuncId| ["main", "fib", "cold"][func.as_u32() as usize].to_owned();
        let location = |loc: SrcLoc| {
            let (line, column) = loc.to_line_column();
            format!("{line}:{column}")
        };
        let snapshot = |name: &str, call_tier, loop_tier, calls, loop_iterations| FuncSnapshot {
            name: name.to_owned(),
            source: (name == "main").then(|| "src/main.c:12:5".to_owned()),
            call_tier,
            loop_tier,
            calls,
            loop_iterations,
        };
        let main = FuncStats::default();
        main.dequeued(Tier::T1, 4_000);
        main.compiled(Tier::T1, 21_000);
        main.installed(Tier::T1, "cranelift-none", 300, None);
        main.osr_entered(Tier::T1);
        let fib = FuncStats::default();
        for (tier, generator) in [(Tier::T1, "cranelift-none"), (Tier::T2, "cranelift-speed")] {
            fib.dequeued(tier, 1_000);
            fib.compiled(tier, 13_000);
            fib.installed(tier, generator, 1_200, None);
        }
        for _ in 0..3 {
            fib.deoptimized(
                Tier::T2,
                DeoptReason::GuardFailed,
                FuncId::from_u32(0),
                SrcLoc::line_column(3, 7),
            );
        }
        fib.invalidated(Tier::T2, 1_200);
        fib.compile_failed(Tier::T2, "panic in the compiler: boom");
        fib.compile_failed(Tier::T2, "panic in the compiler: boom");
        fib.pinned(&Pin { max_tier: Tier::T1, reason: "too many".to_owned() });
        let cold = FuncStats::default();
        let functions = vec![
            cold.report(snapshot("cold", Tier::T0, Tier::T0, 1, 0), &func_name, &location),
            main.report(snapshot("main", Tier::T0, Tier::T1, 1, 123_456), &func_name, &location),
            fib.report(snapshot("fib", Tier::T1, Tier::T0, 9_999_999, 0), &func_name, &location),
        ];
        let engine = Totals {
            functions: 5,
            code_bytes: 1_500,
            code_bytes_peak: 2_700,
            code_budget: 64 << 20,
            reclaimed_bytes: 1_200,
            events_dropped: 2,
            elapsed_ns: 5_000_000,
            ..Totals::default()
        };
        Report::new(functions, engine)
    }

    #[test]
    fn the_table() {
        let expected = "\
functions, hottest first (calls and iterations: counted in t0 and t1; t2 and t3 code does not count)
function            tier         code                calls  iterations   queued  compile t1  compile t2  bytes  osr  deopts
fib                 t1 (was t2)  cranelift-none  9,999,999           0  2.00 µs     13.0 µs     13.0 µs  1,200    0       3
main (main.c:12:5)  t1 osr       cranelift-none          1     123,456  4.00 µs     21.0 µs           0    300    1       0
… and 1 more, none above t0, with 1 calls and 0 iterations
fib: deoptimized 3 × from t2: guard_failed in inlined main at 3:7
fib: t2 compilation failed 2 ×: panic in the compiler: boom
fib: 1 versions discarded
fib: pinned to t1: too many
total: 3 of 5 functions called: 1 in t0, 2 in t1, 5.00 ms
compilations: 2 for t1 in 34.0 µs, 1 for t2 in 13.0 µs; 2 failed; 6.00 µs in the queue
transitions: 1 osr entries, 3 deoptimizations, 1 versions discarded, 0 evicted, 1 functions pinned
code memory: 1,500 B in use, 2,700 B at most, 64.0 MiB allowed, 1,200 B reclaimed; 2 events dropped
";
        let table = report().to_table(2);
        assert_eq!(table, expected, "\n{table}");
    }

    #[test]
    fn json_can_be_read_back() {
        let report = report();
        let json = report.to_json();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["functions"][0]["tier"], "T1");
        assert_eq!(value["functions"][0]["deopts"][0]["count"], 3);
        assert_eq!(value["totals"]["compilations"]["T1"]["count"], 2);
    }

    #[test]
    fn an_empty_report_is_no_trouble() {
        let table = Report::new(Vec::new(), Totals::default()).to_table(10);
        assert!(table.contains("total: 0 of 0 functions called, 0"), "{table}");
    }

    #[test]
    fn places_beyond_the_bound_are_counted() {
        let stats = FuncStats::default();
        for line in 0..100 {
            let loc = SrcLoc::line_column(line + 1, 1);
            stats.deoptimized(Tier::T2, DeoptReason::ColdBranch, FuncId::from_u32(0), loc);
            stats.compile_failed(Tier::T2, &format!("reason {line}"));
        }
        assert_eq!(stats.deopt_count(), 100);
        let snapshot = FuncSnapshot {
            name: "f".to_owned(),
            source: None,
            call_tier: Tier::T0,
            loop_tier: Tier::T0,
            calls: 0,
            loop_iterations: 0,
        };
        let func = stats.report(snapshot, &|_| "f".to_owned(), &|_| String::new());
        assert_eq!((func.deopt_count, func.failure_count), (100, 100));
        let table = Report::new(vec![func], Totals::default()).to_table(10);
        assert!(table.contains("f: deoptimized 84 × at other places"), "{table}");
        assert!(table.contains("f: compilation failed 84 × for other reasons"), "{table}");
    }
}
