//! Decides how handlers go on to the next one; see `src/dispatch.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(threaded)");
    // LLVM marks calls in tail position as tail calls from level 2 on; below that, every handler
    // would leave its stack frame behind. So it would with debug assertions, whose checks of
    // pointers take addresses of locals; that is looked at where `threaded` is.
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    if matches!(level.as_str(), "2" | "3" | "s" | "z") {
        println!("cargo::rustc-cfg=threaded");
    }
}
