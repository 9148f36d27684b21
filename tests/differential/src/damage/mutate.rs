//! Ways to damage a module.

use crate::random::Random;
use std::ops::Range;
use wasmparser::{Parser, Payload};

/// Bytes that mean something at many places: ends of numbers, first and last opcodes, types.
const BYTES: &[u8] = &[0x00, 0x01, 0x0b, 0x40, 0x7f, 0x70, 0x7b, 0x7e, 0x80, 0xfc, 0xfd, 0xff];

/// Numbers as they are written in modules, from small to too great, and too long.
const NUMBERS: &[&[u8]] = &[
    &[0x00],
    &[0x7f],
    &[0x80, 0x01],
    &[0xff, 0xff, 0x03],
    &[0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x1f],
    &[0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
];

/// Where sections stand, with their heads, and where their contents begin.
struct Section {
    whole: Range<usize>,
    contents: usize,
}

fn sections(module: &[u8]) -> Vec<Section> {
    let mut found = Vec::new();
    let mut start = 8;
    for payload in Parser::new(0).parse_all(module) {
        // What is behind the first thing that cannot be read is damaged as bytes only.
        let Ok(payload) = payload else { break };
        if let Payload::CodeSectionEntry(_) = payload {
            continue;
        }
        if let Some((_, range)) = payload.as_section() {
            let (contents, end) = (range.start as usize, range.end as usize);
            if end > module.len() {
                // The code section, whose bodies come one by one, is said to be longer than all.
                break;
            }
            found.push(Section { whole: start..end, contents });
            start = end;
        }
    }
    found
}

/// Damages a module at some places, perhaps with parts of another.
pub fn damage(module: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = module.to_vec();
    let places = if random.one_in(3) { 1 + random.below(5) } else { 1 };
    for _ in 0..places {
        one(&mut bytes, other, random);
    }
    bytes
}

fn one(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = place(bytes, random);
    let few = (at + 1 + random.below(8)).min(bytes.len());
    match random.below(13) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 | 3 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *random.choose(BYTES);
            }
        }
        4 => drop(bytes.drain(at..few)),
        5 => {
            let inserted = random.below(8);
            bytes.splice(at..at, random.bytes(inserted));
        }
        6 => {
            let copy = bytes[at..few].to_vec();
            bytes.splice(at..at, copy);
        }
        7 => {
            // Over a number, or over anything else.
            let end = bytes[at..].iter().position(|byte| byte & 0x80 == 0);
            let end = (at + end.map_or(0, |end| end + 1)).min(bytes.len());
            bytes.splice(at..end, random.choose(NUMBERS).iter().copied());
        }
        8 if random.one_in(3) => bytes.truncate(at),
        8 => swap(bytes, random),
        9 => number_at_section(bytes, random),
        10 => section_of(bytes, other, random),
        11 => {
            let from = random.below(other.len());
            let to = (from + 1 + random.below(32)).min(other.len());
            bytes.splice(at..few, other[from..to].iter().copied());
        }
        _ => {
            // A section less.
            let sections = sections(bytes);
            if !sections.is_empty() {
                bytes.drain(random.choose(&sections).whole.clone());
            }
        }
    }
}

/// Somewhere in the bytes, every other time in the longest section, mostly code; else in each section
/// with the same chance.
fn place(bytes: &[u8], random: &mut Random) -> usize {
    let sections = sections(bytes);
    if sections.is_empty() || random.one_in(8) {
        return random.below(bytes.len());
    }
    let longest = sections.iter().max_by_key(|section| section.whole.len());
    let section = longest.filter(|_| random.one_in(2)).unwrap_or(random.choose(&sections));
    section.whole.start + random.below(section.whole.len())
}

/// Two sections in each other's place.
fn swap(bytes: &mut Vec<u8>, random: &mut Random) {
    let sections = sections(bytes);
    if sections.len() < 2 {
        return;
    }
    let first = random.below(sections.len() - 1);
    let (a, b) = (&sections[first].whole, &sections[first + 1].whole);
    let swapped = [&bytes[b.clone()], &bytes[a.clone()]].concat();
    bytes.splice(a.start..b.end, swapped);
}

/// Another size of a section, or another number of things in it.
fn number_at_section(bytes: &mut Vec<u8>, random: &mut Random) {
    let sections = sections(bytes);
    if sections.is_empty() {
        return;
    }
    let section = random.choose(&sections);
    let at = if random.one_in(2) { section.whole.start + 1 } else { section.contents };
    if at < bytes.len() {
        bytes.splice(at..=at, random.choose(NUMBERS).iter().copied());
    }
}

/// A section of another module, beside those that are there or in place of one.
fn section_of(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let (own, others) = (sections(bytes), sections(other));
    if own.is_empty() || others.is_empty() {
        return;
    }
    let to = random.choose(&own).whole.clone();
    let to = if random.one_in(2) { to.start..to.start } else { to };
    let from = random.choose(&others).whole.clone();
    bytes.splice(to, other[from].iter().copied());
}
