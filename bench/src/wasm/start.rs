//! Start-up to exit of a program that only says hello.

use super::rounds::{self, Outcome};
use super::runners::Peers;
use super::{Common, announce, corpus};
use crate::native::{BuildDir, Compiler};
use crate::process;
use crate::stats::{Summary, format_ns};
use crate::suite::write;
use crate::table::markdown;
use serde::Serialize;

/// How to measure.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Measurements of each contestant
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

/// One contestant's row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Who.
    contestant: String,
    /// From spawn to exit.
    time: Summary,
    /// Greatest resident set.
    max_rss_kib: i64,
}

/// Measures and prints a table.
pub fn run(options: &Options) -> Result<(), String> {
    let dir = BuildDir::new()?;
    let mut commands = Vec::new();
    match Compiler::clang("-O3") {
        Ok(compiler) => {
            let path = dir.path().join("trivial");
            compiler.compile(&[], &[corpus::dir().join("trivial.c")], &path)?;
            let name = compiler.name;
            commands.push(process::Program { name, path, args: Vec::new() });
        }
        Err(reason) => eprintln!("{reason}"),
    }
    let peers = Peers::find();
    announce(&peers);
    let module = corpus::dir().join("trivial.wasm");
    let runners = options.common.runners()?;
    commands.extend(runners.iter().chain(&peers.runners).map(|r| r.program(&module)));
    let outcome = rounds::measure(
        &commands,
        &[],
        Some("hello".to_owned()),
        options.runs as usize,
        options.common.clock(),
    );
    let errors = outcome.errors.clone();
    let rows = rows(outcome);
    println!("Start-up to exit, {}, {} runs\n", options.common.clock().name(), options.runs);
    print!("{}", table(&rows));
    if let Some(path) = &options.common.json {
        write(path, &serde_json::to_string_pretty(&rows).map_err(|e| e.to_string())?)?;
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

/// The rows of an outcome.
pub fn rows(outcome: Outcome) -> Vec<Row> {
    let cells = outcome.cells.into_iter().zip(outcome.max_rss_kib);
    cells
        .map(|(cell, max_rss_kib)| Row {
            contestant: cell.contestant,
            time: cell.time,
            max_rss_kib,
        })
        .collect()
}

/// A table of rows.
pub fn table(rows: &[Row]) -> String {
    let head = ["contestant", "median", "quartiles", "least", "resident"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.contestant.clone(),
            format_ns(row.time.median),
            format!("{} to {}", format_ns(row.time.q1), format_ns(row.time.q3)),
            format_ns(row.time.min),
            format!("{:.1} MiB", row.max_rss_kib as f64 / 1024.0),
        ]
    }));
    markdown(&lines)
}
