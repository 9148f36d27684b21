//! What evaluation functions of vector operations are made of: lanes of a vector of 128 bits.
//!
//! A vector is its 16 bytes, as they stand in memory; lane 0 comes first, and lanes are
//! little-endian. All is plain loops over lanes of a number that is known, which compilers make
//! vector instructions of.

/// The bytes of a vector.
pub type V128 = [u8; 16];

/// A lane of a vector.
pub trait Lane: Copy + Default + PartialOrd {
    /// An integer of the same size.
    type Mask: Lane;
    /// How many of them a vector has.
    const COUNT: usize;
    /// Lane `index` of a vector.
    fn get(vector: &V128, index: usize) -> Self;
    /// Sets lane `index` of a vector.
    fn set(self, vector: &mut V128, index: usize);
    /// All ones or zero.
    fn mask(truth: bool) -> Self::Mask;
}

macro_rules! lanes {
    ($($t:ident $mask:ident;)*) => {$(
        impl Lane for $t {
            type Mask = $mask;
            const COUNT: usize = 16 / size_of::<$t>();
            #[inline(always)]
            fn get(vector: &V128, index: usize) -> $t {
                <$t>::from_le_bytes(vector.as_chunks().0[index])
            }
            #[inline(always)]
            fn set(self, vector: &mut V128, index: usize) {
                vector.as_chunks_mut().0[index] = self.to_le_bytes();
            }
            #[inline(always)]
            fn mask(truth: bool) -> $mask {
                -$mask::from(truth)
            }
        }
    )*};
}

lanes! {
    i8 i8; i16 i16; i32 i32; i64 i64;
    u8 i8; u16 i16; u32 i32; u64 i64;
    f32 i32; f64 i64;
}

/// A vector by the number of its lanes.
#[inline(always)]
pub(super) fn build<R: Lane>(lane: impl Fn(usize) -> R) -> V128 {
    let mut result = [0; 16];
    for i in 0..R::COUNT {
        lane(i).set(&mut result, i);
    }
    result
}

#[inline(always)]
pub(super) fn splat<T: Lane>(value: T) -> V128 {
    build(|_| value)
}

#[inline(always)]
pub(super) fn map<A: Lane, R: Lane>(a: V128, f: impl Fn(A) -> R) -> V128 {
    build(|i| f(A::get(&a, i)))
}

#[inline(always)]
pub(super) fn zip<A: Lane, R: Lane>(a: V128, b: V128, f: impl Fn(A, A) -> R) -> V128 {
    build(|i| f(A::get(&a, i), A::get(&b, i)))
}

#[inline(always)]
pub(super) fn zip3<A: Lane, R: Lane>(a: V128, b: V128, c: V128, f: impl Fn(A, A, A) -> R) -> V128 {
    build(|i| f(A::get(&a, i), A::get(&b, i), A::get(&c, i)))
}

#[inline(always)]
pub(super) fn compare<A: Lane>(a: V128, b: V128, f: impl Fn(A, A) -> bool) -> V128 {
    zip(a, b, |a, b| A::mask(f(a, b)))
}

/// The lanes of `a`, then those of `b`, each as a lane of half the size.
#[inline(always)]
pub(super) fn narrow<A: Lane, R: Lane>(a: V128, b: V128, f: impl Fn(A) -> R) -> V128 {
    build(|i| f(if i < A::COUNT { A::get(&a, i) } else { A::get(&b, i - A::COUNT) }))
}

/// Lanes from `start` on, each as a lane of twice the size.
#[inline(always)]
pub(super) fn widen<A: Lane, R: Lane>(a: V128, start: usize, f: impl Fn(A) -> R) -> V128 {
    build(|i| f(A::get(&a, start + i)))
}

/// As [`widen`], of two vectors.
#[inline(always)]
pub(super) fn widen_zip<A: Lane, R: Lane>(
    a: V128,
    b: V128,
    start: usize,
    f: impl Fn(A, A) -> R,
) -> V128 {
    build(|i| f(A::get(&a, start + i), A::get(&b, start + i)))
}

/// Neighbouring lanes, each two as a lane of twice the size.
#[inline(always)]
pub(super) fn pairwise<A: Lane, R: Lane>(a: V128, f: impl Fn(A, A) -> R) -> V128 {
    build(|i| f(A::get(&a, 2 * i), A::get(&a, 2 * i + 1)))
}

/// Products of lanes, neighbouring ones added.
#[inline(always)]
pub(super) fn dot<A: Lane, R: Lane>(
    a: V128,
    b: V128,
    product: impl Fn(A, A) -> R,
    sum: impl Fn(R, R) -> R,
) -> V128 {
    let product = |i| product(A::get(&a, i), A::get(&b, i));
    build(|i| sum(product(2 * i), product(2 * i + 1)))
}

#[inline(always)]
pub(super) fn dot_i8(a: V128, b: V128) -> V128 {
    dot(a, b, |a: i8, b: i8| i16::from(a) * i16::from(b), i16::wrapping_add)
}

#[inline(always)]
pub(super) fn dot_i8_add(a: V128, b: V128, c: V128) -> V128 {
    let sums = pairwise(dot_i8(a, b), |a: i16, b: i16| i32::from(a) + i32::from(b));
    zip(sums, c, i32::wrapping_add)
}

/// Product of numbers with 15 bits of fraction, rounded; only -1 times -1 does not fit.
#[inline(always)]
pub(super) fn q15_mul(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b) + (1 << 14)) >> 15).min(i32::from(i16::MAX)) as i16
}

#[inline(always)]
pub(super) fn bitselect(a: V128, b: V128, mask: V128) -> V128 {
    zip3(a, b, mask, |a: u64, b, mask| (a & mask) | (b & !mask))
}

#[inline(always)]
pub(super) fn swizzle(a: V128, indexes: V128) -> V128 {
    map(indexes, |i: u8| if i < 16 { a[usize::from(i & 15)] } else { 0 })
}

/// Lanes that `lanes` chooses among those of `a` and, from 16 on, of `b`.
#[inline(always)]
pub fn shuffle(a: V128, b: V128, lanes: V128) -> V128 {
    map(lanes, |i: u8| if i < 16 { a } else { b }[usize::from(i & 15)])
}

#[inline(always)]
pub(super) fn all_true<T: Lane>(a: V128) -> i32 {
    i32::from((0..T::COUNT).all(|i| T::get(&a, i) != T::default()))
}

#[inline(always)]
pub(super) fn bitmask<T: Lane>(a: V128) -> i32 {
    (0..T::COUNT).fold(0, |mask, i| mask | i32::from(T::get(&a, i) < T::default()) << i)
}

/// A lane; the number is taken modulo the number of lanes.
#[inline(always)]
pub(super) fn extract<T: Lane>(a: V128, lane: u8) -> T {
    T::get(&a, usize::from(lane) % T::COUNT)
}

/// The vector with a lane replaced; the number is taken modulo the number of lanes.
#[inline(always)]
pub(super) fn replace<T: Lane>(mut a: V128, lane: u8, value: T) -> V128 {
    value.set(&mut a, usize::from(lane) % T::COUNT);
    a
}

/// A vector of which the upper half is zero.
#[inline(always)]
pub(super) fn low(bytes: [u8; 8]) -> V128 {
    let mut result = [0; 16];
    result[..8].copy_from_slice(&bytes);
    result
}
