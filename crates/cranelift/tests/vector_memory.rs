//! Loads and stores of vectors and of their lanes, at the bounds of memory and at host addresses.

mod common;

use common::{World, generators};
use cupola_ir::{Format, Op, TrapCode, Type};

const PAGE: usize = 65536;
const VECTOR: u128 = 0x8112_2334_4556_6778_899a_abbc_cdde_eff0;

/// A function of the module: an access, and its immediates.
struct Case {
    op: Op,
    offset: u64,
    lane: u8,
}

impl Case {
    fn name(&self) -> String {
        format!("{}.{}.{}", self.op, self.offset, self.lane)
    }

    fn text(&self) -> String {
        let Case { op, offset, lane } = self;
        let (address_type, memory) = if op.is_raw() { ("i64", "") } else { ("i32", "$m, ") };
        let vector = if op.format() == Format::Load { "" } else { ", v" };
        let number = if op.lanes().is_some() { format!(", lane={lane}") } else { String::new() };
        let access = format!("{op} {memory}a{vector}, offset={offset}{number}");
        let (result, body) = match op.format() {
            Format::Load | Format::LoadLane => (" -> v128", format!("r = {access}\n  return r")),
            _ => ("", format!("{access}\n  return")),
        };
        let name = self.name();
        format!("func %{name}(a: {address_type}, v: v128){result} {{\nb0:\n  {body}\n}}\n")
    }

    /// How many bytes it accesses.
    fn size(&self) -> usize {
        self.op.access().map_or(0, |(_, size)| size as usize)
    }

    /// What a load gives where memory has these bytes, by its name.
    fn loaded(&self, bytes: &[u8]) -> u128 {
        let bits = bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u128::from(byte));
        let name = self.op.name().rsplit_once(".load").expect("a load").1;
        let size = bytes.len() as u32 * 8;
        match name.split_once('_') {
            None => bits,
            Some((_, "zero")) => bits,
            Some((_, "splat")) => (0..128 / size).fold(0, |v, i| v | bits << (i * size)),
            Some((_, "lane")) => {
                let shift = u32::from(self.lane) * size;
                VECTOR & !((u128::MAX >> (128 - size)) << shift) | bits << shift
            }
            Some((lanes, sign)) => {
                let (width, count) = lanes.split_once('x').expect("lanes");
                let [width, count]: [u32; 2] = [width, count].map(|n| n.parse().expect("number"));
                (0..count).fold(0, |vector, i| {
                    let lane = (bits >> (i * width)) as u64 & u64::MAX >> (64 - width);
                    let extended = match sign {
                        "s" => ((lane << (64 - width)) as i64 >> (64 - width)) as u64,
                        _ => lane,
                    };
                    let extended = extended & u64::MAX >> (64 - width * 2);
                    vector | u128::from(extended) << (i * width * 2)
                })
            }
        }
    }

    /// What a store leaves in memory.
    fn stored(&self) -> Vec<u8> {
        let start = usize::from(self.lane) * self.size();
        VECTOR.to_le_bytes()[start..][..self.size()].to_vec()
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &op in Op::ALL {
        if op.access().is_none_or(|(ty, _)| ty != Type::V128) {
            continue;
        }
        let offsets: &[u64] = if op.is_raw() { &[0, 5] } else { &[0, 3, 0xffff_fff0, 1 << 32] };
        for &offset in offsets {
            let lanes = 0..op.lanes().unwrap_or(1);
            cases.extend(lanes.map(|lane| Case { op, offset, lane }));
        }
    }
    cases
}

fn slots(address: u64) -> [u64; 3] {
    [address, VECTOR as u64, (VECTOR >> 64) as u64]
}

/// Calls the function of a case on the bytes at `place`, which are put back.
fn check(world: &World, case: &Case, address: u64, place: *mut u8) {
    // SAFETY: the bytes lie within the memory, and no code runs while they are looked at.
    let read = || unsafe { std::slice::from_raw_parts(place, case.size()) }.to_vec();
    let before = read();
    let found = world.call(&case.name(), &slots(address)).expect("no trap");
    match case.op.format() {
        Format::Load | Format::LoadLane => {
            let expected = case.loaded(&before);
            let found = u128::from(found[1]) << 64 | u128::from(found[0]);
            assert_eq!(found, expected, "{}: {found:x}, not {expected:x}", case.name());
        }
        _ => {
            assert_eq!(read(), case.stored(), "{}", case.name());
            // SAFETY: as above.
            unsafe { place.copy_from(before.as_ptr(), before.len()) };
        }
    }
}

#[test]
fn vector_accesses() {
    let cases = cases();
    let source: String = cases.iter().map(Case::text).collect();
    for generator in generators() {
        let world = World::new(&format!("memory $m 1 1\n{source}"));
        world.install_all(&*generator);
        let base = world.memory_bytes(0);
        for i in 0..PAGE {
            // SAFETY: within the page.
            unsafe { base.add(i).write((i * 37 + (i >> 8)) as u8 | 0x80) };
        }
        for case in &cases {
            if case.op.is_raw() {
                // SAFETY: within the page, wherever it stands.
                let place = |at: u64| unsafe { base.add((at + case.offset) as usize) };
                for at in [1, 100, 333] {
                    check(&world, case, base as u64 + at, place(at));
                }
                continue;
            }
            let (page, size) = (PAGE as u32, case.size() as u32);
            let ends = [page - size - 1, page - size, page - size + 1, page - 1, page];
            let near = ends.map(|end| end.wrapping_sub(case.offset as u32));
            for address in near.into_iter().chain([0, 1, 7, 100, 1 << 31, u32::MAX - 1, u32::MAX]) {
                let start = u64::from(address) + case.offset;
                if start + u64::from(size) <= PAGE as u64 {
                    // SAFETY: within the page.
                    let place = unsafe { base.add(start as usize) };
                    check(&world, case, address.into(), place);
                } else {
                    let found = world.call(&case.name(), &slots(address.into()));
                    assert_eq!(found, Err(TrapCode::MemOutOfBounds), "{} {address}", case.name());
                }
            }
        }
    }
}
