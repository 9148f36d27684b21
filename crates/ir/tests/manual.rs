//! `docs/ops.md` is what the opcode table says.

#[test]
fn manual() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ops.md");
    let manual = cupola_ir::ops_manual();
    for op in cupola_ir::Op::ALL {
        assert_eq!(manual.matches(&format!("\n| `{op}` |")).count(), 1, "{op}");
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).expect("docs/");
        std::fs::write(path, manual).expect("docs/ops.md can be written");
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == manual, "docs/ops.md is stale; BLESS=1 writes it anew");
}
