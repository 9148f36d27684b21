//! Tells the tests that this crate shares with `crates/cranelift` whose they are.

fn main() {
    println!("cargo::rustc-cfg=peak");
    println!("cargo::rerun-if-changed=build.rs");
}
