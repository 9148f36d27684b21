//! What runs a program in this process.

/// One way to run one program by function calls.
pub trait Contestant {
    /// Name in tables.
    fn name(&self) -> &str;

    /// Calls `main(n)`.
    fn call(&mut self, n: i64) -> Result<i64, String>;

    /// Calls `main(n)` until calls to come can be expected to take as long as the last one did.
    fn warm_up(&mut self, n: i64) -> Result<(), String> {
        self.call(n).map(drop)
    }

    /// What code really ran, by the account of what ran it; an error if that is not what the
    /// contestant is named for.
    fn account(&self) -> Result<String, String>;
}
