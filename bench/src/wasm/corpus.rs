//! The corpus: C programs compiled to WebAssembly, with the arguments for three run lengths.

use std::path::{Path, PathBuf};

/// A run length of the native program.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Length {
    /// Mostly starting and compiling.
    #[value(name = "5ms")]
    Ms5,
    /// Some of both.
    #[value(name = "200ms")]
    Ms200,
    /// Mostly the best code.
    #[value(name = "5s")]
    S5,
}

impl Length {
    /// In milliseconds.
    pub fn ms(self) -> f64 {
        match self {
            Length::Ms5 => 5.0,
            Length::Ms200 => 200.0,
            Length::S5 => 5_000.0,
        }
    }

    /// Measurements of each contestant, where nothing else is asked for.
    pub fn runs(self) -> usize {
        match self {
            Length::Ms5 => 15,
            Length::Ms200 => 7,
            Length::S5 => 3,
        }
    }
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, which is also that of its files.
    pub name: String,
    sizes: [u64; 3],
}

impl Program {
    /// The argument for a native run of about this length.
    pub fn size(&self, length: Length) -> u64 {
        self.sizes[length as usize]
    }

    /// The WebAssembly module.
    pub fn module(&self) -> PathBuf {
        dir().join(&self.name).with_extension("wasm")
    }

    /// What it was compiled from.
    pub fn source(&self) -> PathBuf {
        dir().join("programs").join(&self.name).with_extension("c")
    }
}

/// Where the corpus is.
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm")
}

/// All programs, in the order of `sizes.txt`.
pub fn programs() -> Result<Vec<Program>, String> {
    let path = dir().join("sizes.txt");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| parse(line).ok_or_else(|| format!("{}: {line:?}", path.display()))).collect()
}

fn parse(line: &str) -> Option<Program> {
    let (name, sizes) = line.split_once(' ')?;
    let sizes: Result<Vec<u64>, _> = sizes.split_whitespace().map(str::parse).collect();
    Some(Program { name: name.to_owned(), sizes: sizes.ok()?.try_into().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_files_and_rising_sizes() {
        let programs = programs().unwrap();
        assert_eq!(programs.len(), 20);
        for p in &programs {
            assert!(p.module().is_file() && p.source().is_file(), "{}", p.name);
            let sizes = [Length::Ms5, Length::Ms200, Length::S5].map(|l| p.size(l));
            assert!(0 < sizes[0] && sizes[0] < sizes[1] && sizes[1] < sizes[2], "{p:?}");
        }
        let sources = std::fs::read_dir(dir().join("programs")).unwrap();
        let extension = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().path();
        let count = sources.map(extension).filter(|p| p.extension().is_some_and(|e| e == "c"));
        assert_eq!(count.count(), programs.len());
    }

    #[test]
    fn lines_that_are_no_table_are_refused() {
        assert_eq!(parse("a 1 2 3").unwrap().size(Length::Ms200), 2);
        for line in ["a", "a 1 2", "a 1 2 3 4", "a 1 2 x", ""] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }
}
