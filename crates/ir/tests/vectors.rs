//! Vector operations: examples, and the processor's own instructions as a second opinion.

use cupola_ir::{Imm, Op, TrapCode};

fn eval(op: Op, imm: Imm, args: &[u128]) -> u128 {
    op.eval(imm, args).expect("operands and immediate fit").expect("vector operations do not trap")
}

fn bytes(lanes: [i16; 16]) -> u128 {
    u128::from_le_bytes(lanes.map(|lane| lane as u8))
}

fn words(lanes: [i32; 8]) -> u128 {
    lanes.iter().rev().fold(0, |v, &lane| v << 16 | u128::from(lane as u16))
}

fn doubles(lanes: [i64; 4]) -> u128 {
    lanes.iter().rev().fold(0, |v, &lane| v << 32 | u128::from(lane as u32))
}

fn f32s(lanes: [f32; 4]) -> u128 {
    doubles(lanes.map(|lane| i64::from(lane.to_bits())))
}

fn f64s(lanes: [f64; 2]) -> u128 {
    u128::from(lanes[0].to_bits()) | u128::from(lanes[1].to_bits()) << 64
}

fn check(op: Op, args: &[u128], expected: u128) {
    let found = eval(op, Imm::None, args);
    assert_eq!(found, expected, "{op} of {args:x?}: {found:#034x}, not {expected:#034x}");
}

#[test]
fn saturation() {
    let a = bytes([127, -128, 100, -100, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 255]);
    let b = bytes([1, -1, 100, -100, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1]);
    check(
        Op::I8x16AddSatS,
        &[a, b],
        bytes([127, -128, 127, -128, 2, 4, 6, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
    );
    check(
        Op::I8x16AddSatU,
        &[a, b],
        bytes([128, 255, 200, 255, 2, 4, 6, 8, 0, 0, 0, 0, 0, 0, 0, 255]),
    );
    check(Op::I8x16SubSatU, &[b, a], bytes([0, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    let a = words([300, -300, 127, -129, 255, 256, -1, 0]);
    check(
        Op::I8x16NarrowI16x8S,
        &[a, 0],
        bytes([127, -128, 127, -128, 127, 127, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    );
    check(
        Op::I8x16NarrowI16x8U,
        &[0, a],
        bytes([0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 127, 0, 255, 255, 0, 0]),
    );
    let min = words([-32768, -32768, 16384, 32767, 1, 0, 0, -1]);
    check(Op::I16x8Q15MulrSatS, &[min, min], words([32767, 32767, 8192, 32766, 0, 0, 0, 0]));
}

#[test]
fn sums_and_products_of_neighbours() {
    let a = bytes([-128, -128, 127, 127, 1, -1, 255, 255, 0, 0, 0, 0, 0, 0, 2, 3]);
    check(Op::I16x8ExtAddPairwiseI8x16S, &[a], words([-256, 254, 0, -2, 0, 0, 0, 5]));
    check(Op::I16x8ExtAddPairwiseI8x16U, &[a], words([256, 254, 256, 510, 0, 0, 0, 5]));
    check(Op::I16x8RelaxedDotI8x16I7x16S, &[a, a], words([-32768, 32258, 2, 2, 0, 0, 0, 13]));
    let c = doubles([1, 2, 3, -4]);
    check(Op::I32x4RelaxedDotI8x16I7x16AddS, &[a, a, c], doubles([-509, 6, 3, 9]));
    let min = words([-32768, -32768, 3, 4, 0, 0, 0, 1]);
    check(Op::I32x4DotI16x8S, &[min, min], doubles([-0x8000_0000, 25, 0, 1]));
    check(Op::I32x4ExtMulHighI16x8S, &[min, min], doubles([0, 0, 0, 1]));
    check(Op::I64x2ExtMulLowI32x4U, &[u128::MAX, u128::MAX], 0xffff_fffe_0000_0001 * (1 << 64 | 1));
}

#[test]
fn floating_point() {
    let nan = f32::NAN;
    let (a, b) = (f32s([0.0, nan, 1.0, 2.0]), f32s([-0.0, 1.0, nan, 1.0]));
    check(Op::F32x4PMin, &[a, b], f32s([0.0, nan, 1.0, 1.0]));
    check(Op::F32x4PMax, &[a, b], f32s([0.0, nan, 1.0, 2.0]));
    let min = eval(Op::F32x4Min, Imm::None, &[a, b]);
    assert_eq!(min as u32, (-0.0f32).to_bits());
    assert!(f32::from_bits((min >> 64) as u32).is_nan());
    check(Op::F32x4Nearest, &[f32s([0.5, 1.5, -2.5, -0.2])], f32s([0.0, 2.0, -2.0, -0.0]));
    check(Op::F64x2Nearest, &[f64s([4503599627370497.5, -0.5])], f64s([4503599627370498.0, -0.0]));
    check(Op::I32x4TruncSatF32x4U, &[f32s([-1.5, 5e9, nan, 2.9])], doubles([0, 0xffff_ffff, 0, 2]));
    check(Op::I32x4TruncSatF64x2SZero, &[f64s([-3e9, 1.9])], doubles([-0x8000_0000, 1, 0, 0]));
    check(Op::F32x4DemoteF64x2Zero, &[f64s([1e300, -0.5])], f32s([f32::INFINITY, -0.5, 0.0, 0.0]));
    // Rounded once: the product alone would lose its last bit.
    let x = 1.0 + f32::EPSILON;
    let fused = [f32s([x; 4]), f32s([x; 4]), f32s([-1.0 - 2.0 * f32::EPSILON; 4])];
    let tail = f32::EPSILON * f32::EPSILON;
    check(Op::F32x4RelaxedMadd, &fused, f32s([tail; 4]));
    check(Op::F32x4RelaxedNmadd, &[f32s([-x; 4]), fused[1], fused[2]], f32s([tail; 4]));
}

#[test]
fn lanes() {
    let a = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_8180u128;
    let b = 0x1f1e_1d1c_1b1a_1918_1716_1514_1312_1110u128;
    let lane = |op, args: &[u128], lane| eval(op, Imm::Lane(lane), args);
    assert_eq!(lane(Op::I8x16ExtractLaneS, &[a], 1), 0xffff_ff81);
    assert_eq!(lane(Op::I8x16ExtractLaneU, &[a], 1), 0x81);
    assert_eq!(lane(Op::I64x2ExtractLane, &[a], 1), a >> 64);
    assert_eq!(lane(Op::I16x8ReplaceLane, &[0, 0x12345], 7), 0x2345 << 112);
    let chosen = [31, 0, 16, 15, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let shuffled = u128::from_le_bytes(chosen.map(|i: u8| {
        if i < 16 { a.to_le_bytes()[usize::from(i)] } else { b.to_le_bytes()[usize::from(i) - 16] }
    }));
    assert_eq!(eval(Op::I8x16Shuffle, Imm::Shuffle(chosen), &[a, b]), shuffled);
    let indexes = bytes([15, 16, 255, 128, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
    check(
        Op::I8x16Swizzle,
        &[a, indexes],
        bytes([0x0f, 0, 0, 0, 0x80, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 3]),
    );
    check(Op::V128AnyTrue, &[1 << 127], 1);
    check(Op::I8x16AllTrue, &[a], 1);
    check(Op::I8x16AllTrue, &[a & !0xff], 0);
    check(Op::I8x16Bitmask, &[a], 3);
    check(Op::I16x8ShrS, &[words([-4; 8]), 17], words([-2; 8]));
    check(Op::I64x2Shl, &[1 << 64 | 1, 65], 2 << 64 | 2);
    check(Op::V128Bitselect, &[a, b, 0xff], b & !0xff | a & 0xff);
}

/// Immediates that do not fit give nothing.
#[test]
fn wrong_immediates() {
    assert_eq!(Op::I8x16ExtractLaneS.eval(Imm::Lane(16), &[0]), None);
    assert_eq!(Op::I64x2ReplaceLane.eval(Imm::Lane(2), &[0, 0]), None);
    assert_eq!(Op::I8x16Shuffle.eval(Imm::Shuffle([32; 16]), &[0, 0]), None);
    assert_eq!(Op::I8x16Add.eval(Imm::Lane(0), &[0, 0]), None);
    assert_eq!(Op::I8x16Add.eval(Imm::None, &[0]), None);
    assert_eq!(Op::I32DivS.eval(Imm::None, &[1, 0]), Some(Err(TrapCode::IntDivByZero)));
}

#[cfg(target_arch = "x86_64")]
mod processor {
    use super::eval;
    use cupola_ir::{Imm, Op};
    use std::arch::x86_64::*;

    type Unary = (Op, fn(__m128i) -> __m128i);
    type Binary = (Op, fn(__m128i, __m128i) -> __m128i);

    fn to_m128i(v: u128) -> __m128i {
        // SAFETY: both are 16 bytes of which any value will do.
        unsafe { std::mem::transmute(v) }
    }

    fn from_m128i(v: __m128i) -> u128 {
        // SAFETY: as above.
        unsafe { std::mem::transmute(v) }
    }

    macro_rules! ps {
        ($f:expr) => {
            |a, b| _mm_castps_si128($f(_mm_castsi128_ps(a), _mm_castsi128_ps(b)))
        };
    }

    macro_rules! pd {
        ($f:expr) => {
            |a, b| _mm_castpd_si128($f(_mm_castsi128_pd(a), _mm_castsi128_pd(b)))
        };
    }

    #[target_feature(enable = "sse4.1")]
    fn binary() -> Vec<Binary> {
        vec![
            (Op::I8x16Add, |a, b| _mm_add_epi8(a, b)),
            (Op::I16x8Sub, |a, b| _mm_sub_epi16(a, b)),
            (Op::I64x2Add, |a, b| _mm_add_epi64(a, b)),
            (Op::I8x16AddSatS, |a, b| _mm_adds_epi8(a, b)),
            (Op::I8x16AddSatU, |a, b| _mm_adds_epu8(a, b)),
            (Op::I8x16SubSatS, |a, b| _mm_subs_epi8(a, b)),
            (Op::I8x16SubSatU, |a, b| _mm_subs_epu8(a, b)),
            (Op::I16x8AddSatS, |a, b| _mm_adds_epi16(a, b)),
            (Op::I16x8AddSatU, |a, b| _mm_adds_epu16(a, b)),
            (Op::I16x8SubSatS, |a, b| _mm_subs_epi16(a, b)),
            (Op::I16x8SubSatU, |a, b| _mm_subs_epu16(a, b)),
            (Op::I8x16AvgrU, |a, b| _mm_avg_epu8(a, b)),
            (Op::I16x8AvgrU, |a, b| _mm_avg_epu16(a, b)),
            (Op::I16x8Mul, |a, b| _mm_mullo_epi16(a, b)),
            (Op::I32x4Mul, |a, b| _mm_mullo_epi32(a, b)),
            (Op::I8x16MinS, |a, b| _mm_min_epi8(a, b)),
            (Op::I8x16MinU, |a, b| _mm_min_epu8(a, b)),
            (Op::I16x8MaxS, |a, b| _mm_max_epi16(a, b)),
            (Op::I16x8MaxU, |a, b| _mm_max_epu16(a, b)),
            (Op::I32x4MinU, |a, b| _mm_min_epu32(a, b)),
            (Op::I32x4MaxS, |a, b| _mm_max_epi32(a, b)),
            (Op::I8x16NarrowI16x8S, |a, b| _mm_packs_epi16(a, b)),
            (Op::I8x16NarrowI16x8U, |a, b| _mm_packus_epi16(a, b)),
            (Op::I16x8NarrowI32x4S, |a, b| _mm_packs_epi32(a, b)),
            (Op::I16x8NarrowI32x4U, |a, b| _mm_packus_epi32(a, b)),
            (Op::I32x4DotI16x8S, |a, b| _mm_madd_epi16(a, b)),
            (Op::I8x16Eq, |a, b| _mm_cmpeq_epi8(a, b)),
            (Op::I16x8GtS, |a, b| _mm_cmpgt_epi16(a, b)),
            (Op::I32x4LtS, |a, b| _mm_cmplt_epi32(a, b)),
            (Op::I64x2Eq, |a, b| _mm_cmpeq_epi64(a, b)),
            (Op::V128AndNot, |a, b| _mm_andnot_si128(b, a)),
            (Op::I32x4ExtMulLowI16x8S, |a, b| {
                _mm_unpacklo_epi16(_mm_mullo_epi16(a, b), _mm_mulhi_epi16(a, b))
            }),
            (Op::I32x4ExtMulHighI16x8U, |a, b| {
                _mm_unpackhi_epi16(_mm_mullo_epi16(a, b), _mm_mulhi_epu16(a, b))
            }),
            (Op::F32x4Add, ps!(|a, b| _mm_add_ps(a, b))),
            (Op::F32x4Div, ps!(|a, b| _mm_div_ps(a, b))),
            (Op::F64x2Mul, pd!(|a, b| _mm_mul_pd(a, b))),
            (Op::F64x2Sub, pd!(|a, b| _mm_sub_pd(a, b))),
            // The instructions give the second operand unless the first is less (or greater).
            (Op::F32x4PMin, ps!(|a, b| _mm_min_ps(b, a))),
            (Op::F32x4PMax, ps!(|a, b| _mm_max_ps(b, a))),
            (Op::F64x2PMin, pd!(|a, b| _mm_min_pd(b, a))),
            (Op::F64x2PMax, pd!(|a, b| _mm_max_pd(b, a))),
            (Op::F32x4Lt, ps!(|a, b| _mm_cmplt_ps(a, b))),
            (Op::F32x4Ne, ps!(|a, b| _mm_cmpneq_ps(a, b))),
            (Op::F64x2Ge, pd!(|a, b| _mm_cmpge_pd(a, b))),
        ]
    }

    #[target_feature(enable = "sse4.1")]
    fn unary() -> Vec<Unary> {
        vec![
            (Op::I8x16Abs, |a| _mm_abs_epi8(a)),
            (Op::I32x4Abs, |a| _mm_abs_epi32(a)),
            (Op::I16x8ExtendLowI8x16S, |a| _mm_cvtepi8_epi16(a)),
            (Op::I16x8ExtendLowI8x16U, |a| _mm_cvtepu8_epi16(a)),
            (Op::I32x4ExtendLowI16x8S, |a| _mm_cvtepi16_epi32(a)),
            (Op::I64x2ExtendLowI32x4U, |a| _mm_cvtepu32_epi64(a)),
            (Op::I32x4ExtAddPairwiseI16x8S, |a| _mm_madd_epi16(a, _mm_set1_epi16(1))),
            (Op::F32x4Sqrt, |a| _mm_castps_si128(_mm_sqrt_ps(_mm_castsi128_ps(a)))),
            (Op::F32x4ConvertI32x4S, |a| _mm_castps_si128(_mm_cvtepi32_ps(a))),
            (Op::F64x2ConvertLowI32x4S, |a| _mm_castpd_si128(_mm_cvtepi32_pd(a))),
            (Op::F32x4DemoteF64x2Zero, |a| _mm_castps_si128(_mm_cvtpd_ps(_mm_castsi128_pd(a)))),
            (Op::F64x2PromoteLowF32x4, |a| _mm_castpd_si128(_mm_cvtps_pd(_mm_castsi128_ps(a)))),
            (Op::F32x4Nearest, |a| _mm_castps_si128(_mm_round_ps::<0>(_mm_castsi128_ps(a)))),
            (Op::F32x4Floor, |a| _mm_castps_si128(_mm_round_ps::<1>(_mm_castsi128_ps(a)))),
            (Op::F32x4Ceil, |a| _mm_castps_si128(_mm_round_ps::<2>(_mm_castsi128_ps(a)))),
            (Op::F32x4Trunc, |a| _mm_castps_si128(_mm_round_ps::<3>(_mm_castsi128_ps(a)))),
        ]
    }

    /// Vectors of lanes at boundaries, and random ones.
    fn inputs() -> Vec<u128> {
        let mut inputs = vec![0, u128::MAX, 0x8000_7fff_0080_007f_ff80_fe81_0001_00ff];
        inputs.push(super::f32s([0.5, -1.5, 2.5, f32::MAX]));
        inputs.push(super::f32s([f32::NAN, -0.0, 1e-40, f32::NEG_INFINITY]));
        inputs.push(super::f64s([-0.0, 1e-310]));
        inputs.push(super::f64s([f64::NAN, 1e39]));
        let mut state = 0x9e37_79b9_7f4a_7c15u128;
        for _ in 0..60 {
            state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645) + 1;
            inputs.push(state ^ state >> 61);
        }
        inputs
    }

    /// All NaNs made equal, in lanes of the operation's kind.
    fn canonical(op: Op, bits: u128) -> u128 {
        let lanes = |size: u32, is_nan: fn(u64) -> bool| {
            (0..128 / size).fold(0, |all, i| {
                let lane = (bits >> (size * i)) as u64 & (u64::MAX >> (64 - size));
                all | u128::from(if is_nan(lane) { 1 } else { lane }) << (size * i)
            })
        };
        match op.name().split('.').next() {
            Some("f32x4") => lanes(32, |lane| f32::from_bits(lane as u32).is_nan()),
            Some("f64x2") => lanes(64, |lane| f64::from_bits(lane).is_nan()),
            _ => bits,
        }
    }

    #[test]
    fn agrees() {
        if !is_x86_feature_detected!("sse4.1") {
            return;
        }
        // SAFETY: the processor has the feature.
        let (unary, binary) = unsafe { (unary(), binary()) };
        for (op, native) in unary {
            for a in inputs() {
                let expected = canonical(op, from_m128i(native(to_m128i(a))));
                let found = canonical(op, eval(op, Imm::None, &[a]));
                assert_eq!(found, expected, "{op} of {a:#034x}");
            }
        }
        for (op, native) in binary {
            for a in inputs() {
                for b in inputs() {
                    let expected = canonical(op, from_m128i(native(to_m128i(a), to_m128i(b))));
                    let found = canonical(op, eval(op, Imm::None, &[a, b]));
                    assert_eq!(found, expected, "{op} of {a:#034x}, {b:#034x}");
                }
            }
        }
    }
}
