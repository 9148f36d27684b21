//! The Rust code that `docs/new-language.md` shows is code of this example.

/// The text without indentation, which differs between a quotation and its place.
fn unindented(text: &str) -> String {
    text.lines().map(|line| line.trim().to_owned() + "\n").collect()
}

#[test]
fn quoted_code_stands_in_the_sources() {
    let sources = [
        include_str!("../src/lib.rs"),
        include_str!("../src/lower.rs"),
        include_str!("../src/main.rs"),
        include_str!("../src/pow.rs"),
        include_str!("language.rs"),
        include_str!("tiers.rs"),
    ]
    .map(unindented);
    let document = include_str!("../../../docs/new-language.md");
    let blocks = document.split("\n```rust\n").skip(1);
    let mut checked = 0;
    for block in blocks {
        let (code, _) = block.split_once("\n```").expect("a code block ends");
        let wanted = unindented(code);
        assert!(sources.iter().any(|source| source.contains(&wanted)), "not quoted:\n{code}");
        checked += 1;
    }
    assert!(checked > 10, "only {checked} quotations were found");
}
