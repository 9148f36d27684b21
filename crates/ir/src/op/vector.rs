//! Rows of the opcode table: everything on vectors but integer operations. See `table.rs`.
//!
//! The relaxed operations are those of the deterministic profile. Floating-point operations are not
//! marked as commutative: which of two NaNs comes out may depend on the order.

/// Adds the rows to the groups, and the groups that only vectors have; then the callback.
#[doc(hidden)]
#[macro_export]
macro_rules! with_vector_ops {
    (
        $callback:path; {$($extra:tt)*}
        pure {$($pure:tt)*} load {$($load:tt)*} store {$($store:tt)*} special {$($special:tt)*}
    ) => {
        $callback! {
            $($extra)*
            pure {
                $($pure)*
                /// Bitwise complement.
                V128Not "v128.not" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: u64| !a);
                /// Bitwise and.
                V128And "v128.and" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, |a: u64, b| a & b);
                /// Bitwise and of the first operand and the complement of the second.
                V128AndNot "v128.andnot" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: u64, b: u64| a & !b);
                /// Bitwise or.
                V128Or "v128.or" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, |a: u64, b| a | b);
                /// Bitwise exclusive or.
                V128Xor "v128.xor" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, |a: u64, b| a ^ b);
                /// Each bit of the first operand where the third has a one, else that of the second.
                V128Bitselect "v128.bitselect" (V128, V128, V128) -> V128 [] = lanes::bitselect;
                /// 1 if any bit is one, else 0.
                V128AnyTrue "v128.any_true" (V128) -> I32 [] = |a: V128| i32::from(a != [0; 16]);
                /// Lanes of 8 bits of the first operand that those of the second choose; zero where the number is 16 or more.
                I8x16Swizzle "i8x16.swizzle" (V128, V128) -> V128 [] = lanes::swizzle;
                /// All lanes are the operand.
                F32x4Splat "f32x4.splat" (F32) -> V128 [] = |a: f32| lanes::splat(a);
                /// Lanes of 32 bits are all ones where they are equal, else zero.
                F32x4Eq "f32x4.eq" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: f32, b| a == b);
                /// Lanes of 32 bits are all ones where they are different, or either is not a number, else zero.
                F32x4Ne "f32x4.ne" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: f32, b| a != b);
                /// Lanes of 32 bits are all ones where they are ordered and the first is less, else zero.
                F32x4Lt "f32x4.lt" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f32, b| a < b);
                /// Lanes of 32 bits are all ones where they are ordered and the first is greater, else zero.
                F32x4Gt "f32x4.gt" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f32, b| a > b);
                /// Lanes of 32 bits are all ones where they are ordered and the first is less or equal, else zero.
                F32x4Le "f32x4.le" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f32, b| a <= b);
                /// Lanes of 32 bits are all ones where they are ordered and the first is greater or equal, else zero.
                F32x4Ge "f32x4.ge" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f32, b| a >= b);
                /// Each lane of 32 bits, rounded up to an integer.
                F32x4Ceil "f32x4.ceil" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f32_ceil);
                /// Each lane of 32 bits, rounded down to an integer.
                F32x4Floor "f32x4.floor" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f32_floor);
                /// Each lane of 32 bits, rounded towards zero to an integer.
                F32x4Trunc "f32x4.trunc" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f32_trunc);
                /// Each lane of 32 bits, rounded to the nearest integer, to the even one of two.
                F32x4Nearest "f32x4.nearest" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f32_nearest);
                /// Each lane of 32 bits without its sign.
                F32x4Abs "f32x4.abs" (V128) -> V128 [] = |a: V128| lanes::map(a, f32::abs);
                /// Each lane of 32 bits with its sign changed.
                F32x4Neg "f32x4.neg" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: f32| -a);
                /// Square root of each lane of 32 bits.
                F32x4Sqrt "f32x4.sqrt" (V128) -> V128 [] = |a: V128| lanes::map(a, f32::sqrt);
                /// Sum of each lane of 32 bits.
                F32x4Add "f32x4.add" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f32, b: f32| a + b);
                /// Difference of each lane of 32 bits.
                F32x4Sub "f32x4.sub" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f32, b: f32| a - b);
                /// Product of each lane of 32 bits.
                F32x4Mul "f32x4.mul" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f32, b: f32| a * b);
                /// Quotient of each lane of 32 bits.
                F32x4Div "f32x4.div" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f32, b: f32| a / b);
                /// Lesser of each lane of 32 bits; not a number if either is not; -0 is less than +0.
                F32x4Min "f32x4.min" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f32_min);
                /// Greater of each lane of 32 bits; not a number if either is not; -0 is less than +0.
                F32x4Max "f32x4.max" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f32_max);
                /// Each lane of 32 bits of the second operand where it is less, else of the first.
                F32x4PMin "f32x4.pmin" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f32, b| if b < a { b } else { a });
                /// Each lane of 32 bits of the second operand where it is greater, else of the first.
                F32x4PMax "f32x4.pmax" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f32, b| if a < b { b } else { a });
                /// All lanes are the operand.
                F64x2Splat "f64x2.splat" (F64) -> V128 [] = |a: f64| lanes::splat(a);
                /// Lanes of 64 bits are all ones where they are equal, else zero.
                F64x2Eq "f64x2.eq" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: f64, b| a == b);
                /// Lanes of 64 bits are all ones where they are different, or either is not a number, else zero.
                F64x2Ne "f64x2.ne" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: f64, b| a != b);
                /// Lanes of 64 bits are all ones where they are ordered and the first is less, else zero.
                F64x2Lt "f64x2.lt" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f64, b| a < b);
                /// Lanes of 64 bits are all ones where they are ordered and the first is greater, else zero.
                F64x2Gt "f64x2.gt" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f64, b| a > b);
                /// Lanes of 64 bits are all ones where they are ordered and the first is less or equal, else zero.
                F64x2Le "f64x2.le" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f64, b| a <= b);
                /// Lanes of 64 bits are all ones where they are ordered and the first is greater or equal, else zero.
                F64x2Ge "f64x2.ge" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: f64, b| a >= b);
                /// Each lane of 64 bits, rounded up to an integer.
                F64x2Ceil "f64x2.ceil" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f64_ceil);
                /// Each lane of 64 bits, rounded down to an integer.
                F64x2Floor "f64x2.floor" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f64_floor);
                /// Each lane of 64 bits, rounded towards zero to an integer.
                F64x2Trunc "f64x2.trunc" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f64_trunc);
                /// Each lane of 64 bits, rounded to the nearest integer, to the even one of two.
                F64x2Nearest "f64x2.nearest" (V128) -> V128 [] = |a: V128| lanes::map(a, eval::f64_nearest);
                /// Each lane of 64 bits without its sign.
                F64x2Abs "f64x2.abs" (V128) -> V128 [] = |a: V128| lanes::map(a, f64::abs);
                /// Each lane of 64 bits with its sign changed.
                F64x2Neg "f64x2.neg" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: f64| -a);
                /// Square root of each lane of 64 bits.
                F64x2Sqrt "f64x2.sqrt" (V128) -> V128 [] = |a: V128| lanes::map(a, f64::sqrt);
                /// Sum of each lane of 64 bits.
                F64x2Add "f64x2.add" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f64, b: f64| a + b);
                /// Difference of each lane of 64 bits.
                F64x2Sub "f64x2.sub" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f64, b: f64| a - b);
                /// Product of each lane of 64 bits.
                F64x2Mul "f64x2.mul" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f64, b: f64| a * b);
                /// Quotient of each lane of 64 bits.
                F64x2Div "f64x2.div" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f64, b: f64| a / b);
                /// Lesser of each lane of 64 bits; not a number if either is not; -0 is less than +0.
                F64x2Min "f64x2.min" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f64_min);
                /// Greater of each lane of 64 bits; not a number if either is not; -0 is less than +0.
                F64x2Max "f64x2.max" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f64_max);
                /// Each lane of 64 bits of the second operand where it is less, else of the first.
                F64x2PMin "f64x2.pmin" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f64, b| if b < a { b } else { a });
                /// Each lane of 64 bits of the second operand where it is greater, else of the first.
                F64x2PMax "f64x2.pmax" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, |a: f64, b| if a < b { b } else { a });
                /// Each lane of 32 bits, truncated to an integer, signed, or the nearest that fits; 0 for a NaN.
                I32x4TruncSatF32x4S "i32x4.trunc_sat_f32x4_s" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: f32| a as i32);
                /// Each lane of 32 bits, truncated to an integer, unsigned, or the nearest that fits; 0 for a NaN.
                I32x4TruncSatF32x4U "i32x4.trunc_sat_f32x4_u" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: f32| a as u32);
                /// Both lanes of 64 bits, truncated to integers, signed, or the nearest that fits; 0 for a NaN; the upper lanes are zero.
                I32x4TruncSatF64x2SZero "i32x4.trunc_sat_f64x2_s_zero" (V128) -> V128 [] = |a: V128| lanes::narrow(a, [0; 16], |a: f64| a as i32);
                /// Both lanes of 64 bits, truncated to integers, unsigned, or the nearest that fits; 0 for a NaN; the upper lanes are zero.
                I32x4TruncSatF64x2UZero "i32x4.trunc_sat_f64x2_u_zero" (V128) -> V128 [] = |a: V128| lanes::narrow(a, [0; 16], |a: f64| a as u32);
                /// Each lane of 32 bits, signed, as the nearest binary32 number.
                F32x4ConvertI32x4S "f32x4.convert_i32x4_s" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: i32| a as f32);
                /// Each lane of 32 bits, unsigned, as the nearest binary32 number.
                F32x4ConvertI32x4U "f32x4.convert_i32x4_u" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: u32| a as f32);
                /// The lower lanes of 32 bits, signed, as binary64 numbers.
                F64x2ConvertLowI32x4S "f64x2.convert_low_i32x4_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: i32| f64::from(a));
                /// The lower lanes of 32 bits, unsigned, as binary64 numbers.
                F64x2ConvertLowI32x4U "f64x2.convert_low_i32x4_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: u32| f64::from(a));
                /// Both lanes of 64 bits as the nearest binary32 numbers; the upper lanes are zero.
                F32x4DemoteF64x2Zero "f32x4.demote_f64x2_zero" (V128) -> V128 [] = |a: V128| lanes::narrow(a, [0; 16], |a: f64| a as f32);
                /// The lower lanes of 32 bits as binary64 numbers.
                F64x2PromoteLowF32x4 "f64x2.promote_low_f32x4" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: f32| f64::from(a));
                /// As `i8x16.swizzle`.
                I8x16RelaxedSwizzle "i8x16.relaxed_swizzle" (V128, V128) -> V128 [] = lanes::swizzle;
                /// Each lane of 32 bits, truncated to an integer, signed, or the nearest that fits; 0 for a NaN. (As `trunc_sat`.)
                I32x4RelaxedTruncF32x4S "i32x4.relaxed_trunc_f32x4_s" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: f32| a as i32);
                /// Each lane of 32 bits, truncated to an integer, unsigned, or the nearest that fits; 0 for a NaN. (As `trunc_sat`.)
                I32x4RelaxedTruncF32x4U "i32x4.relaxed_trunc_f32x4_u" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: f32| a as u32);
                /// Both lanes of 64 bits, truncated to integers, signed, or the nearest that fits; 0 for a NaN; the upper lanes are zero. (As `trunc_sat`.)
                I32x4RelaxedTruncF64x2SZero "i32x4.relaxed_trunc_f64x2_s_zero" (V128) -> V128 [] = |a: V128| lanes::narrow(a, [0; 16], |a: f64| a as i32);
                /// Both lanes of 64 bits, truncated to integers, unsigned, or the nearest that fits; 0 for a NaN; the upper lanes are zero. (As `trunc_sat`.)
                I32x4RelaxedTruncF64x2UZero "i32x4.relaxed_trunc_f64x2_u_zero" (V128) -> V128 [] = |a: V128| lanes::narrow(a, [0; 16], |a: f64| a as u32);
                /// Product of the first two operands plus the third in each lane, rounded once.
                F32x4RelaxedMadd "f32x4.relaxed_madd" (V128, V128, V128) -> V128 [] = |a: V128, b: V128, c: V128| lanes::zip3(a, b, c, f32::mul_add);
                /// The third operand minus the product of the first two in each lane, rounded once.
                F32x4RelaxedNmadd "f32x4.relaxed_nmadd" (V128, V128, V128) -> V128 [] = |a: V128, b: V128, c: V128| lanes::zip3(a, b, c, |a: f32, b, c| (-a).mul_add(b, c));
                /// Product of the first two operands plus the third in each lane, rounded once.
                F64x2RelaxedMadd "f64x2.relaxed_madd" (V128, V128, V128) -> V128 [] = |a: V128, b: V128, c: V128| lanes::zip3(a, b, c, f64::mul_add);
                /// The third operand minus the product of the first two in each lane, rounded once.
                F64x2RelaxedNmadd "f64x2.relaxed_nmadd" (V128, V128, V128) -> V128 [] = |a: V128, b: V128, c: V128| lanes::zip3(a, b, c, |a: f64, b, c| (-a).mul_add(b, c));
                /// As `v128.bitselect`.
                I8x16RelaxedLaneselect "i8x16.relaxed_laneselect" (V128, V128, V128) -> V128 [] = lanes::bitselect;
                /// As `v128.bitselect`.
                I16x8RelaxedLaneselect "i16x8.relaxed_laneselect" (V128, V128, V128) -> V128 [] = lanes::bitselect;
                /// As `v128.bitselect`.
                I32x4RelaxedLaneselect "i32x4.relaxed_laneselect" (V128, V128, V128) -> V128 [] = lanes::bitselect;
                /// As `v128.bitselect`.
                I64x2RelaxedLaneselect "i64x2.relaxed_laneselect" (V128, V128, V128) -> V128 [] = lanes::bitselect;
                /// As `f32x4.min`.
                F32x4RelaxedMin "f32x4.relaxed_min" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f32_min);
                /// As `f32x4.max`.
                F32x4RelaxedMax "f32x4.relaxed_max" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f32_max);
                /// As `f64x2.min`.
                F64x2RelaxedMin "f64x2.relaxed_min" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f64_min);
                /// As `f64x2.max`.
                F64x2RelaxedMax "f64x2.relaxed_max" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, eval::f64_max);
                /// As `i16x8.q15mulr_sat_s`.
                I16x8RelaxedQ15mulrS "i16x8.relaxed_q15mulr_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, lanes::q15_mul);
                /// Sums of the products of neighbouring lanes of 8 bits, signed, modulo 2^16.
                I16x8RelaxedDotI8x16I7x16S "i16x8.relaxed_dot_i8x16_i7x16_s" (V128, V128) -> V128 [commutative] = lanes::dot_i8;
                /// Sums of neighbouring lanes of what `i16x8.relaxed_dot_i8x16_i7x16_s` gives, signed, plus the lanes of 32 bits of the third operand.
                I32x4RelaxedDotI8x16I7x16AddS "i32x4.relaxed_dot_i8x16_i7x16_add_s" (V128, V128, V128) -> V128 [] = lanes::dot_i8_add;
            }
            lane {
                /// A lane of 8 bits, its sign extended.
                I8x16ExtractLaneS "i8x16.extract_lane_s" (V128) -> I32 [16] = |a: V128, lane: u8| i32::from(lanes::extract::<i8>(a, lane));
                /// A lane of 8 bits, extended with zeros.
                I8x16ExtractLaneU "i8x16.extract_lane_u" (V128) -> I32 [16] = |a: V128, lane: u8| i32::from(lanes::extract::<u8>(a, lane));
                /// The first operand with a lane of 8 bits replaced by the low bits of the second.
                I8x16ReplaceLane "i8x16.replace_lane" (V128, I32) -> V128 [16] = |a: V128, b: i32, lane: u8| lanes::replace(a, lane, b as i8);
                /// A lane of 16 bits, its sign extended.
                I16x8ExtractLaneS "i16x8.extract_lane_s" (V128) -> I32 [8] = |a: V128, lane: u8| i32::from(lanes::extract::<i16>(a, lane));
                /// A lane of 16 bits, extended with zeros.
                I16x8ExtractLaneU "i16x8.extract_lane_u" (V128) -> I32 [8] = |a: V128, lane: u8| i32::from(lanes::extract::<u16>(a, lane));
                /// The first operand with a lane of 16 bits replaced by the low bits of the second.
                I16x8ReplaceLane "i16x8.replace_lane" (V128, I32) -> V128 [8] = |a: V128, b: i32, lane: u8| lanes::replace(a, lane, b as i16);
                /// A lane of 32 bits.
                I32x4ExtractLane "i32x4.extract_lane" (V128) -> I32 [4] = |a: V128, lane: u8| lanes::extract::<i32>(a, lane);
                /// The first operand with a lane of 32 bits replaced by the second.
                I32x4ReplaceLane "i32x4.replace_lane" (V128, I32) -> V128 [4] = |a: V128, b: i32, lane: u8| lanes::replace(a, lane, b);
                /// A lane of 64 bits.
                I64x2ExtractLane "i64x2.extract_lane" (V128) -> I64 [2] = |a: V128, lane: u8| lanes::extract::<i64>(a, lane);
                /// The first operand with a lane of 64 bits replaced by the second.
                I64x2ReplaceLane "i64x2.replace_lane" (V128, I64) -> V128 [2] = |a: V128, b: i64, lane: u8| lanes::replace(a, lane, b);
                /// A lane of 32 bits.
                F32x4ExtractLane "f32x4.extract_lane" (V128) -> F32 [4] = |a: V128, lane: u8| lanes::extract::<f32>(a, lane);
                /// The first operand with a lane of 32 bits replaced by the second.
                F32x4ReplaceLane "f32x4.replace_lane" (V128, F32) -> V128 [4] = |a: V128, b: f32, lane: u8| lanes::replace(a, lane, b);
                /// A lane of 64 bits.
                F64x2ExtractLane "f64x2.extract_lane" (V128) -> F64 [2] = |a: V128, lane: u8| lanes::extract::<f64>(a, lane);
                /// The first operand with a lane of 64 bits replaced by the second.
                F64x2ReplaceLane "f64x2.replace_lane" (V128, F64) -> V128 [2] = |a: V128, b: f64, lane: u8| lanes::replace(a, lane, b);
            }
            load {
                $($load)*
                /// Loads 128 bits.
                V128Load "v128.load" RawV128Load "raw.v128.load" V128 V128 = |v| v;
                /// Loads 8 lanes of 8 bits and extends the sign of each to 16 bits.
                V128Load8x8S "v128.load8x8_s" RawV128Load8x8S "raw.v128.load8x8_s" V128 [u8; 8] = |v| lanes::widen(lanes::low(v), 0, |a: i8| i16::from(a));
                /// Loads 8 lanes of 8 bits and extends each with zeros to 16 bits.
                V128Load8x8U "v128.load8x8_u" RawV128Load8x8U "raw.v128.load8x8_u" V128 [u8; 8] = |v| lanes::widen(lanes::low(v), 0, |a: u8| u16::from(a));
                /// Loads 4 lanes of 16 bits and extends the sign of each to 32 bits.
                V128Load16x4S "v128.load16x4_s" RawV128Load16x4S "raw.v128.load16x4_s" V128 [u8; 8] = |v| lanes::widen(lanes::low(v), 0, |a: i16| i32::from(a));
                /// Loads 4 lanes of 16 bits and extends each with zeros to 32 bits.
                V128Load16x4U "v128.load16x4_u" RawV128Load16x4U "raw.v128.load16x4_u" V128 [u8; 8] = |v| lanes::widen(lanes::low(v), 0, |a: u16| u32::from(a));
                /// Loads 2 lanes of 32 bits and extends the sign of each to 64 bits.
                V128Load32x2S "v128.load32x2_s" RawV128Load32x2S "raw.v128.load32x2_s" V128 [u8; 8] = |v| lanes::widen(lanes::low(v), 0, |a: i32| i64::from(a));
                /// Loads 2 lanes of 32 bits and extends each with zeros to 64 bits.
                V128Load32x2U "v128.load32x2_u" RawV128Load32x2U "raw.v128.load32x2_u" V128 [u8; 8] = |v| lanes::widen(lanes::low(v), 0, |a: u32| u64::from(a));
                /// Loads 8 bits to all lanes.
                V128Load8Splat "v128.load8_splat" RawV128Load8Splat "raw.v128.load8_splat" V128 u8 = |v| lanes::splat(v);
                /// Loads 16 bits to all lanes.
                V128Load16Splat "v128.load16_splat" RawV128Load16Splat "raw.v128.load16_splat" V128 u16 = |v| lanes::splat(v);
                /// Loads 32 bits to all lanes.
                V128Load32Splat "v128.load32_splat" RawV128Load32Splat "raw.v128.load32_splat" V128 u32 = |v| lanes::splat(v);
                /// Loads 64 bits to all lanes.
                V128Load64Splat "v128.load64_splat" RawV128Load64Splat "raw.v128.load64_splat" V128 u64 = |v| lanes::splat(v);
                /// Loads 32 bits to lane 0; the rest is zero.
                V128Load32Zero "v128.load32_zero" RawV128Load32Zero "raw.v128.load32_zero" V128 u32 = |v| lanes::replace([0; 16], 0, v);
                /// Loads 64 bits to lane 0; the rest is zero.
                V128Load64Zero "v128.load64_zero" RawV128Load64Zero "raw.v128.load64_zero" V128 u64 = |v| lanes::replace([0; 16], 0, v);
            }
            store {
                $($store)*
                /// Stores 128 bits.
                V128Store "v128.store" RawV128Store "raw.v128.store" V128 V128 = |v| v;
            }
            load_lane {
                /// Loads 8 bits to a lane of the second operand.
                V128Load8Lane "v128.load8_lane" RawV128Load8Lane "raw.v128.load8_lane" V128 u8 = lanes::replace;
                /// Loads 16 bits to a lane of the second operand.
                V128Load16Lane "v128.load16_lane" RawV128Load16Lane "raw.v128.load16_lane" V128 u16 = lanes::replace;
                /// Loads 32 bits to a lane of the second operand.
                V128Load32Lane "v128.load32_lane" RawV128Load32Lane "raw.v128.load32_lane" V128 u32 = lanes::replace;
                /// Loads 64 bits to a lane of the second operand.
                V128Load64Lane "v128.load64_lane" RawV128Load64Lane "raw.v128.load64_lane" V128 u64 = lanes::replace;
            }
            store_lane {
                /// Stores a lane of 8 bits.
                V128Store8Lane "v128.store8_lane" RawV128Store8Lane "raw.v128.store8_lane" V128 u8 = lanes::extract;
                /// Stores a lane of 16 bits.
                V128Store16Lane "v128.store16_lane" RawV128Store16Lane "raw.v128.store16_lane" V128 u16 = lanes::extract;
                /// Stores a lane of 32 bits.
                V128Store32Lane "v128.store32_lane" RawV128Store32Lane "raw.v128.store32_lane" V128 u32 = lanes::extract;
                /// Stores a lane of 64 bits.
                V128Store64Lane "v128.store64_lane" RawV128Store64Lane "raw.v128.store64_lane" V128 u64 = lanes::extract;
            }
            special {
                $($special)*
                /// The vector given as immediate.
                V128Const "v128.const" const [];
                /// Lanes of 8 bits that the immediate chooses among the 32 of both operands.
                I8x16Shuffle "i8x16.shuffle" shuffle [];
            }
        }
    };
}
