//! Linear memory and raw accesses of scalars at their bounds, globals, memory size and growth.

mod common;

use common::{Event, World, generators};
use cupola_ir::{Format, MemId, Op, TrapCode, Type};
use std::fmt::Write;

const PAGE: u64 = 65536;
const OFFSETS: [u64; 6] = [0, 1, 65528, 0xffff_ffff, 0x1_0000_0000, u64::MAX - 3];

fn source() -> String {
    let mut text = String::from("memory $m 1 2\n");
    for &op in Op::ALL {
        let Some((ty, _)) = op.access() else { continue };
        if op.is_raw() || ty == Type::V128 {
            continue;
        }
        for offset in OFFSETS {
            let name = op.name();
            if op.format() == Format::Load {
                write!(
                    text,
                    "func %{name}.{offset}(a: i32) -> {ty} {{\nb0:\n  v = {name} $m, a, \
                     offset={offset}\n  return v\n}}\n"
                )
            } else {
                write!(
                    text,
                    "func %{name}.{offset}(a: i32, v: {ty}) {{\nb0:\n  {name} $m, a, v, \
                     offset={offset}\n  return\n}}\n"
                )
            }
            .expect("a string");
        }
    }
    text
}

/// Addresses around all bounds.
fn addresses(size: u64) -> Vec<u32> {
    let page = PAGE as u32;
    let size = size as u32;
    vec![
        0,
        1,
        7,
        100,
        page - size - 1,
        page - size,
        page - size + 1,
        page - 1,
        page,
        page + 1,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX - size,
        u32::MAX - 1,
        u32::MAX,
    ]
}

#[test]
fn accesses_at_the_bounds() {
    let source = source();
    for generator in generators() {
        let world = World::new(&source);
        world.install_all(&*generator);
        // SAFETY: the memory is one page, and no code runs.
        let memory = |at: u64, len: u32| unsafe {
            let bytes = std::slice::from_raw_parts(world.memory_bytes(0), PAGE as usize);
            let mut word = [0; 8];
            word[..len as usize].copy_from_slice(&bytes[at as usize..][..len as usize]);
            u64::from_le_bytes(word)
        };
        for i in 0..PAGE as usize {
            // SAFETY: within the page.
            unsafe { world.memory_bytes(0).add(i).write((i * 37 + (i >> 8)) as u8 | 0x80) };
        }
        for &op in Op::ALL {
            let Some((ty, size)) = op.access() else { continue };
            if op.is_raw() || ty == Type::V128 {
                continue;
            }
            for offset in OFFSETS {
                for address in addresses(u64::from(size)) {
                    let end = u128::from(address) + u128::from(offset) + u128::from(size);
                    let inside = end <= u128::from(PAGE);
                    let place = u64::from(address).wrapping_add(offset);
                    let name = format!("{op}.{offset}");
                    if op.format() == Format::Load {
                        let found = world.call(&name, &[u64::from(address)]);
                        if !inside {
                            assert_eq!(found, Err(TrapCode::MemOutOfBounds), "{name} {address}");
                            continue;
                        }
                        let raw = memory(place, size);
                        let shift = 64 - size * 8;
                        let signed = ((raw << shift) as i64 >> shift) as u64;
                        let value = if op.name().ends_with("_s") { signed } else { raw };
                        let value = if ty == Type::I32 { value & 0xffff_ffff } else { value };
                        assert_eq!(found, Ok(vec![value]), "{name} {address}");
                    } else {
                        let value = 0x8123_4567_89ab_cdef_u64;
                        let before = if inside { memory(place, size) } else { 0 };
                        let found = world.call(&name, &[u64::from(address), value]);
                        if !inside {
                            assert_eq!(found, Err(TrapCode::MemOutOfBounds), "{name} {address}");
                            continue;
                        }
                        assert_eq!(found, Ok(vec![]), "{name} {address}");
                        let mask = u64::MAX >> (64 - size * 8);
                        assert_eq!(memory(place, size), value & mask, "{name} {address}");
                        for i in 0..size as usize {
                            let byte = before.to_le_bytes()[i];
                            // SAFETY: the place was inside.
                            unsafe { world.memory_bytes(0).add(place as usize + i).write(byte) };
                        }
                    }
                }
            }
        }
    }
}

const STATE: &str = "
memory $m 1 2
global $i mut i32 = 5
global $d mut f64 = 1.5
func %swap(a: i32, b: f64) -> (i32, f64) {
b0:
  x = global.get $i
  y = global.get $d
  global.set $i, a
  global.set $d, b
  return x, y
}
func %size() -> (i32, i32, i32) {
b0:
  n = memory.size $m
  two = i32.const 2
  o = memory.grow $m, two
  p = memory.size $m
  return n, o, p
}
func %raw(a: i64, v: i64) -> (i64, i32) {
b0:
  raw.i64.store a, v, offset=8
  x = raw.i64.load a, offset=8
  y = raw.i32.load8_s a, offset=8
  return x, y
}
";

#[test]
fn state_of_the_instance() {
    for generator in generators() {
        let world = World::new(STATE);
        world.install_all(&*generator);
        let value = 2.5f64.to_bits();
        let old = world.call("swap", &[0xffff_fff0, value]).expect("no trap");
        assert_eq!(old, [5, 1.5f64.to_bits()]);
        assert_eq!((world.global(0), world.global(1)), (0xffff_fff0, value));
        let sizes = world.call("size", &[]).expect("no trap");
        assert_eq!(sizes, [1, 0xffff_ffff, 1]);
        assert_eq!(world.take_events(), [Event::Grow(MemId::from_u32(0), 2)]);
        let words = [0u64; 2];
        let raw = world.call("raw", &[words.as_ptr() as u64, 0x80]).expect("no trap");
        assert_eq!(raw, [0x80, 0xffff_ff80]);
    }
}
