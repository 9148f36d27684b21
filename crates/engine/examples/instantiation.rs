//! Measures how long it takes to make instances of modules by the size of their data: the first,
//! which is filled by copying, and later ones, which share images where that is quicker. Each
//! writes one byte in every 64 KiB of the data.

use cupola::ir::MemId;
use cupola::{Config, Dialects, Engine, Error, Imports, Instance, Module, Store};
use std::fmt::Write;
use std::time::{Duration, Instant};

const INSTANCES: usize = 101;

fn main() -> Result<(), Error> {
    println!("{:>10} {:>12} {:>12}", "data", "first", "later");
    for kib in [1, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 4096, 16384] {
        let bytes = kib * 1024;
        let mut text = format!("memory $m {}\ndata $m 0 \"", bytes / 65536 + 1);
        (0..bytes).for_each(|i| {
            write!(text, "\\{:02x}", i * 7 % 255 + 1).expect("a string takes everything");
        });
        text.push_str("\"\n");
        let engine = Engine::new(Config::new())?;
        let module = Module::from_text(&engine, "data", &text, &Dialects::new())?;
        let instantiate = || -> Result<Duration, Error> {
            let mut store = Store::new(&engine);
            let start = Instant::now();
            let instance = Instance::new(&mut store, &module, &Imports::new())?;
            let memory = instance.memory(&store, MemId::from_u32(0)).expect("it is declared");
            for chunk in memory.data_mut(&mut store)[..bytes].chunks_mut(1 << 16) {
                chunk[0] = chunk[0].wrapping_add(1);
            }
            Ok(start.elapsed())
        };
        let first = instantiate()?;
        let mut later = (0..INSTANCES).map(|_| instantiate()).collect::<Result<Vec<_>, _>>()?;
        later.sort_unstable();
        println!("{kib:>6} KiB {first:>12.1?} {:>12.1?}", later[INSTANCES / 2]);
    }
    Ok(())
}
