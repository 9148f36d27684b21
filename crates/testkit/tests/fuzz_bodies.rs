//! The bodies of the fuzz targets, for a few seconds.

use cupola_testkit::fuzz;
use cupola_testkit::generate::Choices;
use std::path::Path;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(4);

/// A text with some bytes changed, taken away or doubled.
fn changed(text: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..1 + choices.below(5) {
        let at = choices.below(bytes.len().max(1));
        let end = (at + choices.below(25)).min(bytes.len());
        match choices.below(4) {
            0 if at < bytes.len() => bytes[at] = choices.word() as u8 & 0x7f,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                let to = choices.below(bytes.len().max(1));
                bytes.splice(to..to, part);
            }
            _ => bytes.truncate(bytes.len() - bytes.len().min(choices.below(40))),
        }
    }
    bytes
}

#[test]
fn parse() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/filetests");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            texts.push(std::fs::read(file.unwrap().path()).unwrap());
        }
    }
    texts.sort();
    let started = Instant::now();
    let mut choices = Choices::seeded(1);
    for round in 0..20_000 {
        if started.elapsed() > TIME {
            assert!(round > 100, "only {round} texts");
            break;
        }
        let index = choices.below(texts.len());
        fuzz::parse(&changed(&texts[index], &mut choices));
    }
}

#[test]
fn program() {
    let started = Instant::now();
    let mut choices = Choices::seeded(2);
    while started.elapsed() < TIME {
        let bytes: Vec<u8> = (0..choices.below(300)).map(|_| choices.word() as u8).collect();
        fuzz::program(&bytes);
    }
}
