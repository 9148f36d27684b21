//! Where a generator takes its decisions from.

/// A sequence of decisions: first those that some bytes make, then pseudorandom ones, whose seed is
/// made of the bytes. So a fuzzer that changes a byte changes one decision.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
    state: u64,
}

impl<'a> Choices<'a> {
    /// Pseudorandom decisions.
    pub fn seeded(seed: u64) -> Choices<'static> {
        Choices { bytes: &[], state: seed }
    }

    /// Decisions by these bytes.
    pub fn of_bytes(bytes: &'a [u8]) -> Choices<'a> {
        let state =
            bytes.iter().fold(17u64, |s, &b| s.wrapping_mul(0x0100_0000_01b3) ^ u64::from(b));
        Choices { bytes, state }
    }

    /// The next number of SplitMix64.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        match self.bytes.split_first() {
            Some((&byte, rest)) if n <= 256 => {
                self.bytes = rest;
                usize::from(byte) % n
            }
            _ => (self.word() % n as u64) as usize,
        }
    }

    /// Whether something happens that does so in this many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
