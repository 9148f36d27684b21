//! The programs of the set. Each is there twice, as `programs/NAME.cir` and as `programs/NAME.c`,
//! with the same algorithm: `main(n)` does an amount of work that grows with `n` and gives a
//! checksum, the same one in every tier and natively.

use std::path::{Path, PathBuf};

/// How a program's run length follows from `n`.
#[derive(Copy, Clone, Debug)]
enum Growth {
    /// So many units of `n` take a millisecond natively.
    PerMillisecond(f64),
    /// Recursive Fibonacci: time grows by the golden ratio with each step; `main` of this number
    /// takes a millisecond natively.
    GoldenRatio(f64),
}

/// A program.
#[derive(Copy, Clone, Debug)]
pub struct Program {
    /// Its name, which is also that of its files.
    pub name: &'static str,
    /// What it stresses.
    pub what: &'static str,
    growth: Growth,
}

/// All programs, in the order in which they are run and shown.
pub const PROGRAMS: &[Program] = &[
    Program::new("fib", "calls", Growth::GoldenRatio(28.2)),
    Program::new("loopnest", "one nest of loops", Growth::PerMillisecond(4_000.0)),
    Program::new("sieve", "bytes in linear memory", Growth::PerMillisecond(22.5)),
    Program::new("matmul", "f64 in linear memory", Growth::PerMillisecond(1_000.0)),
    Program::new("collatz", "i64, unpredictable branches", Growth::PerMillisecond(10_000.0)),
    Program::new("nbody", "f64, many fields", Growth::PerMillisecond(20_000.0)),
    Program::new("mandelbrot", "f64 in registers", Growth::PerMillisecond(7_500.0)),
    Program::new("hashtable", "open addressing", Growth::PerMillisecond(93_000.0)),
    Program::new("sort", "quicksort, recursion", Growth::PerMillisecond(30.0)),
    Program::new("vm", "calls through a table", Growth::PerMillisecond(95_000.0)),
    Program::new("tokens", "bytes, multiway branches", Growth::PerMillisecond(390.0)),
];

impl Program {
    const fn new(name: &'static str, what: &'static str, growth: Growth) -> Program {
        Program { name, what, growth }
    }

    /// The `n` for which the native program takes about `ms` milliseconds on a machine of the kind
    /// that the programs were tuned on.
    pub fn size_for(&self, ms: f64) -> i64 {
        let n = match self.growth {
            Growth::PerMillisecond(units) => units * ms,
            Growth::GoldenRatio(one) => one + ms.ln() / std::f64::consts::GOLDEN_RATIO.ln(),
        };
        n.round().max(1.0) as i64
    }

    /// The program for Cupola.
    pub fn cir(&self) -> PathBuf {
        programs_dir().join(self.name).with_extension("cir")
    }

    /// The program for C compilers.
    pub fn c(&self) -> PathBuf {
        programs_dir().join(self.name).with_extension("c")
    }
}

/// Where the programs are.
pub fn programs_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// The program of this name.
pub fn find(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|p| p.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_both_files() {
        for p in PROGRAMS {
            assert!(p.cir().is_file() && p.c().is_file(), "{}", p.name);
        }
    }

    #[test]
    fn sizes_grow_with_time() {
        for p in PROGRAMS {
            let sizes: Vec<i64> = [0.001, 5.0, 200.0].iter().map(|&ms| p.size_for(ms)).collect();
            assert!(sizes[0] >= 1 && sizes[0] < sizes[1] && sizes[1] < sizes[2], "{}", p.name);
        }
        assert_eq!(find("fib").unwrap().size_for(200.0), 39);
    }
}
