//! Single figures, each beside the bound that the project holds it to.

use crate::contestant::Contestant;
use crate::cupola::{AUTO, CupolaProgram, SETTINGS, Setting, T0, T1, T1_BARE, T2};
use crate::measure::Clock;
use crate::native::{BuildDir, Compiler};
use crate::programs::{PROGRAMS, Program, find};
use crate::results::Cell;
use crate::stats::{Summary, format_ns, geometric_mean, three_digits};
use crate::{machine, measure, process, results, suite, table};
use cupola::Tier;
use cupola_runtime::FuncCell;
use serde::Serialize;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Instant;

/// Length at which T1 is compared with and without counters, in milliseconds of native time.
const COUNTERS_MS: f64 = 2.0;
/// Outer iterations of the loop nest's one cold call.
const NEST: i64 = 10_000;

/// One figure.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    what: String,
    value: f64,
    unit: Unit,
    /// Greatest value that is good enough; none where the figure is for information.
    bound: Option<f64>,
}

#[derive(Copy, Clone, Debug, Serialize)]
enum Unit {
    Nanoseconds,
    Ratio,
    MiB,
}

#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, what: impl Into<String>, value: f64, unit: Unit, bound: Option<f64>) {
        self.0.push(Figure { what: what.into(), value, unit, bound });
    }

    fn table(&self) -> String {
        let mut rows = vec![["figure", "measured", "bound", ""].map(str::to_owned).to_vec()];
        for f in &self.0 {
            let show = |value: f64| match f.unit {
                Unit::Nanoseconds => format_ns(value),
                Unit::Ratio => three_digits(value),
                Unit::MiB => format!("{} MiB", three_digits(value)),
            };
            let verdict = match f.bound {
                Some(bound) if f.value > bound => "missed",
                Some(_) => "held",
                None => "",
            };
            let bound = f.bound.map_or(String::new(), show);
            rows.push(vec![f.what.clone(), show(f.value), bound, verdict.to_owned()]);
        }
        table::markdown(&rows)
    }
}

/// Measures all figures, prints them, and writes them to a file if asked for.
pub fn run(reps: usize, clock: Clock, json: Option<&Path>) -> Result<(), String> {
    let command = machine::cupola_command()?;
    let dir = BuildDir::new()?;
    let mut figures = Figures::default();
    // Resident sets come first, while this process is small: see `process::Run::max_rss_kib`.
    start_up(&mut figures, &command, &dir, reps)?;
    compile_times(&mut figures, reps)?;
    entry_table(&mut figures, reps)?;
    let fib = fib_30(&mut figures, &dir, reps, clock)?;
    loop_nest(&mut figures, &command, &dir, reps)?;
    let counters = counters(&mut figures, reps, clock)?;

    println!("{}\n\n{}", machine::describe(), figures.table());
    println!("fib(30), steady state, ratio to {}\n\n{}", fib.baseline, fib.table);
    println!("T1 with counters, ratio to T1 without\n\n{counters}");
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&figures.0).map_err(|e| e.to_string())?;
        suite::write(path, &text)?;
    }
    Ok(())
}

fn program(name: &str) -> Result<&'static Program, String> {
    find(name).ok_or_else(|| format!("{name} is not in the set"))
}

/// Start-up to exit, and the greatest resident set, of a trivial program.
fn start_up(
    figures: &mut Figures,
    cupola: &Path,
    dir: &BuildDir,
    reps: usize,
) -> Result<(), String> {
    let fib = program("fib")?;
    let file = fib.cir().display().to_string();
    let command = |name: &str, path: &Path, args: &[&str]| process::Program {
        name: name.to_owned(),
        path: path.to_owned(),
        args: args.iter().map(|&a| a.to_owned()).collect(),
    };
    let mut commands = vec![
        command("cupola run, trivial program", cupola, &["run", &file, "--invoke", "main", "1"]),
        command("true", Path::new("/bin/true"), &[]),
    ];
    if let Ok(compiler) = Compiler::gcc() {
        let exe = compiler.executable(fib, dir.path())?;
        commands.push(command("the same program natively", &exe, &["1"]));
    }
    let mut times = vec![Vec::new(); commands.len()];
    let mut cpu_times = times.clone();
    let mut resident = vec![0; commands.len()];
    for _ in 0..reps {
        for (i, command) in commands.iter().enumerate() {
            let run = command.run(&[])?;
            times[i].push(run.ns);
            cpu_times[i].push(run.cpu_ns);
            resident[i] = resident[i].max(run.max_rss_kib);
        }
    }
    for (i, command) in commands.iter().enumerate() {
        let (Some(time), Some(cpu)) = (Summary::of(&times[i]), Summary::of(&cpu_times[i])) else {
            continue;
        };
        let bound = |b: f64| (i == 0).then_some(b);
        let name = &command.name;
        figures.add(
            format!("start-up to exit: {name}"),
            time.median,
            Unit::Nanoseconds,
            bound(2e6),
        );
        figures.add(format!("processor time: {name}"), cpu.median, Unit::Nanoseconds, None);
        let mib = resident[i] as f64 / 1024.0;
        figures.add(format!("resident at most: {name}"), mib, Unit::MiB, bound(10.0));
    }
    Ok(())
}

/// Time to make the artifacts of fib, with the profile of a run.
fn compile_times(figures: &mut Figures, reps: usize) -> Result<(), String> {
    let mut fib = CupolaProgram::load(AUTO, program("fib")?)?;
    fib.call(22)?;
    let module = fib.module();
    let func = module.func("fib").ok_or("fib.cir has no fib")?;
    for (tier, bound) in [(Tier::T1, 15e3), (Tier::T2, 200e3)] {
        let mut times = Vec::new();
        // Compilers need many rounds until caches and branch predictors know them.
        for _ in 0..reps * 20 {
            let start = Instant::now();
            black_box(module.artifact(func, tier, None).map_err(|e| e.to_string())?);
            times.push(start.elapsed().as_nanos() as f64);
        }
        if let Some(time) = Summary::of(&times) {
            let what = format!("{tier} compile time of fib, median of {}", time.count);
            figures.add(what, time.median, Unit::Nanoseconds, Some(bound));
        }
    }
    Ok(())
}

/// Latency of a lookup in the entry table, each depending on the one before, in random order over
/// as many functions as a large program calls at a time.
fn entry_table(figures: &mut Figures, reps: usize) -> Result<(), String> {
    const FUNCS: usize = 1024;
    const LOOKUPS: usize = 1 << 20;
    // One cycle through all cells: Sattolo's shuffle. Entries hold the next index as an address.
    let mut order: Vec<usize> = (0..FUNCS).collect();
    let mut x = 88_172_645_463_325_252_u64;
    for i in (1..FUNCS).rev() {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        order.swap(i, (x % i as u64) as usize);
    }
    let cells: Vec<FuncCell> = order
        .iter()
        .map(|&next| FuncCell {
            entry: AtomicPtr::new(std::ptr::without_provenance_mut(next)),
            ..FuncCell::default()
        })
        .collect();
    let mut walk = || {
        let start = Instant::now();
        let mut at = 0;
        for _ in 0..LOOKUPS {
            at = cells[at].entry.load(Ordering::Acquire).addr();
        }
        black_box(at);
        Ok(start.elapsed().as_nanos() as f64 / LOOKUPS as f64)
    };
    if let [time] = measure::alternate(reps, &mut [&mut walk])?.as_slice() {
        figures.add("entry-table lookup", time.median, Unit::Nanoseconds, Some(2.0));
    }
    Ok(())
}

struct FibTable {
    baseline: String,
    table: String,
}

/// fib(30) in steady state, everywhere.
fn fib_30(
    figures: &mut Figures,
    dir: &BuildDir,
    reps: usize,
    clock: Clock,
) -> Result<FibTable, String> {
    let fib = program("fib")?;
    let mut contestants: Vec<Box<dyn Contestant>> = Vec::new();
    for compiler in [Compiler::gcc(), Compiler::clang("-O2"), Compiler::clang("-O3")] {
        match compiler {
            Ok(compiler) => contestants.push(Box::new(compiler.library(fib, dir.path())?)),
            Err(reason) => println!("{reason}"),
        }
    }
    for &setting in SETTINGS {
        contestants.push(Box::new(CupolaProgram::load(setting, fib)?));
    }
    let (cells, _, _) = measure::steady(&mut contestants, 30, reps, clock)?;
    let mut ratio = |who: Setting, to: &str, bound: Option<f64>| {
        if let Some(ratio) = results::ratio(&cells, who.name, to) {
            figures.add(format!("fib(30): {} to {to}", who.name), ratio, Unit::Ratio, bound);
        }
    };
    ratio(T2, "clang -O3", Some(1.0));
    ratio(T0, "clang -O3", Some(12.0));
    ratio(AUTO, T2.name, Some(1.05));
    let baseline =
        if cells.iter().any(|c| c.contestant == "clang -O3") { "clang -O3" } else { T2.name };
    let mut rows = vec![["", "time", "ratio"].map(str::to_owned).to_vec()];
    for cell in &cells {
        let ratio = results::ratio(&cells, &cell.contestant, baseline);
        rows.push(vec![
            cell.contestant.clone(),
            format_ns(cell.time.median),
            ratio.map_or(String::new(), three_digits),
        ]);
    }
    Ok(FibTable { baseline: baseline.to_owned(), table: table::markdown(&rows) })
}

/// The loop nest by one call from a cold start in auto mode: a new engine each time, the call
/// alone timed.
fn loop_nest(
    figures: &mut Figures,
    cupola: &Path,
    dir: &BuildDir,
    reps: usize,
) -> Result<(), String> {
    let nest = program("loopnest")?;
    let cold = |setting: Setting| {
        let mut program = CupolaProgram::load(setting, nest)?;
        let start = Instant::now();
        black_box(program.call(NEST)?);
        Ok(start.elapsed().as_nanos() as f64)
    };
    let (mut auto, mut t0) = (|| cold(AUTO), || cold(T0));
    let Ok(compiler) = Compiler::clang("-O2").or_else(|_| Compiler::gcc()) else {
        println!("the loop nest beside native code: skipped, no C compiler here");
        return Ok(());
    };
    let mut native = compiler.library(nest, dir.path())?;
    let mut native_call = || {
        let start = Instant::now();
        black_box(native.call(NEST)?);
        Ok(start.elapsed().as_nanos() as f64)
    };
    let times = measure::alternate(reps, &mut [&mut native_call, &mut auto, &mut t0])?;
    if let [native, auto, t0] = times.as_slice() {
        let name = format!("loop nest, one cold call: auto to {}", compiler.name);
        figures.add(name, auto.median / native.median, Unit::Ratio, Some(1.3));
        figures.add(
            format!("loop nest: {}", compiler.name),
            native.median,
            Unit::Nanoseconds,
            None,
        );
        figures.add("loop nest: T0 to auto", t0.median / auto.median, Unit::Ratio, None);
    }

    let file = nest.cir().display().to_string();
    let exe = compiler.executable(nest, dir.path())?;
    let args = ["run", file.as_str(), "--invoke", "main"].map(str::to_owned).to_vec();
    let commands = [
        process::Program { name: "native".to_owned(), path: exe, args: Vec::new() },
        process::Program { name: "auto".to_owned(), path: cupola.to_owned(), args },
    ];
    let rows = measure::whole(&commands, &[NEST], reps)?;
    if let Some(ratio) = rows.first().and_then(|row| results::ratio(row, "auto", "native")) {
        let name = format!("loop nest, whole process: auto to {}", compiler.name);
        figures.add(name, ratio, Unit::Ratio, None);
    }
    Ok(())
}

/// What counting costs T1, over the set.
fn counters(figures: &mut Figures, reps: usize, clock: Clock) -> Result<String, String> {
    let mut rows = Vec::new();
    for program in PROGRAMS {
        let mut both: Vec<Box<dyn Contestant>> = Vec::new();
        for setting in [T1, T1_BARE] {
            both.push(Box::new(CupolaProgram::load(setting, program)?));
        }
        let (cells, _, _) = measure::steady(&mut both, program.size_for(COUNTERS_MS), reps, clock)?;
        rows.push((program.name, cells));
    }
    let ratio = |cells: &Vec<Cell>| results::ratio(cells, T1.name, T1_BARE.name);
    if let Some(mean) = geometric_mean(rows.iter().filter_map(|(_, cells)| ratio(cells))) {
        let what = "T1 with counters to T1 without, geometric mean";
        figures.add(what, mean, Unit::Ratio, Some(1.05));
    }
    let rows: Vec<(&str, &[Cell])> = rows.iter().map(|(p, c)| (*p, c.as_slice())).collect();
    Ok(table::markdown(&table::ratios(&rows, T1_BARE.name)))
}
