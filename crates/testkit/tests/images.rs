//! Initial contents of memories are the same for every instance, whether copied or shared, and
//! what an instance writes is its own.

use cupola::ir::MemId;
use cupola::{Config, Dialects, Engine, Imports, Instance, Module, Store};

const PAGE: usize = 65536;

#[test]
fn instances_share_no_writes() {
    // Two pieces of data far apart, the second over the end of the first page behind it, and one
    // that overwrites a part of the first.
    let piece = |len: usize, byte: u8| format!("\"{}\"", format!("\\{byte:02x}").repeat(len));
    let text = format!(
        "memory $m 20 30\ndata $m 1000 {}\ndata $m {} {}\ndata $m 5000 {}\n",
        piece(2 * PAGE, 0x11),
        15 * PAGE + 77,
        piece(PAGE, 0x22),
        piece(10, 0x33)
    );
    let mut expected = vec![0u8; 20 * PAGE];
    expected[1000..][..2 * PAGE].fill(0x11);
    expected[15 * PAGE + 77..][..PAGE].fill(0x22);
    expected[5000..5010].fill(0x33);
    for reservation in [true, false] {
        let mut config = Config::new();
        config.codegen.memory_reservation = reservation;
        let engine = Engine::new(config).expect("the configuration is valid");
        let module =
            Module::from_text(&engine, "images", &text, &Dialects::new()).expect("it is valid");
        let mut store = Store::new(&engine);
        for round in 0..4u8 {
            let instance =
                Instance::new(&mut store, &module, &Imports::new()).expect("an instance");
            let memory = instance.memory(&store, MemId::from_u32(0)).expect("it is declared");
            assert!(memory.data(&store) == &expected[..], "instance {round}, {reservation}");
            memory.data_mut(&mut store).fill(round);
            assert_eq!(memory.grow(&mut store, 10), Some(20));
            let data = memory.data(&store);
            assert!(data[..20 * PAGE].iter().all(|&byte| byte == round));
            assert!(data[20 * PAGE..].iter().all(|&byte| byte == 0));
        }
    }
}
