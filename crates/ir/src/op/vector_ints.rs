//! Rows of the opcode table: integer operations on vectors. See `table.rs`.
//!
//! What a row means is told by its evaluation function, made of the functions in `lanes`.

/// Adds the rows to the `pure` group; then `with_vector_ops!`.
#[doc(hidden)]
#[macro_export]
macro_rules! with_vector_ints {
    ($callback:path; {$($extra:tt)*} pure {$($pure:tt)*} $($rest:tt)*) => {
        $crate::with_vector_ops! {
            $callback; {$($extra)*}
            pure {
                $($pure)*
                /// All lanes of 8 bits are the operand's low bits.
                I8x16Splat "i8x16.splat" (I32) -> V128 [] = |a: i32| lanes::splat(a as i8);
                /// Lanes of 8 bits are all ones where they are equal, else zero.
                I8x16Eq "i8x16.eq" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i8, b| a == b);
                /// Lanes of 8 bits are all ones where they are different, else zero.
                I8x16Ne "i8x16.ne" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i8, b| a != b);
                /// Lanes of 8 bits are all ones where the first is less, signed, else zero.
                I8x16LtS "i8x16.lt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i8, b| a < b);
                /// Lanes of 8 bits are all ones where the first is less, unsigned, else zero.
                I8x16LtU "i8x16.lt_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u8, b| a < b);
                /// Lanes of 8 bits are all ones where the first is greater, signed, else zero.
                I8x16GtS "i8x16.gt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i8, b| a > b);
                /// Lanes of 8 bits are all ones where the first is greater, unsigned, else zero.
                I8x16GtU "i8x16.gt_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u8, b| a > b);
                /// Lanes of 8 bits are all ones where the first is less or equal, signed, else zero.
                I8x16LeS "i8x16.le_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i8, b| a <= b);
                /// Lanes of 8 bits are all ones where the first is less or equal, unsigned, else zero.
                I8x16LeU "i8x16.le_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u8, b| a <= b);
                /// Lanes of 8 bits are all ones where the first is greater or equal, signed, else zero.
                I8x16GeS "i8x16.ge_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i8, b| a >= b);
                /// Lanes of 8 bits are all ones where the first is greater or equal, unsigned, else zero.
                I8x16GeU "i8x16.ge_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u8, b| a >= b);
                /// Absolute value of each lane of 8 bits; the least number stays as it is.
                I8x16Abs "i8x16.abs" (V128) -> V128 [] = |a: V128| lanes::map(a, i8::wrapping_abs);
                /// Negation of each lane of 8 bits, modulo 2^8.
                I8x16Neg "i8x16.neg" (V128) -> V128 [] = |a: V128| lanes::map(a, i8::wrapping_neg);
                /// Number of one bits in each lane of 8 bits.
                I8x16Popcnt "i8x16.popcnt" (V128) -> V128 [] = |a: V128| lanes::map(a, |a: u8| a.count_ones() as u8);
                /// 1 if no lane of 8 bits is zero, else 0.
                I8x16AllTrue "i8x16.all_true" (V128) -> I32 [] = |a: V128| lanes::all_true::<i8>(a);
                /// The sign bits of the lanes of 8 bits, that of lane 0 lowest.
                I8x16Bitmask "i8x16.bitmask" (V128) -> I32 [] = |a: V128| lanes::bitmask::<i8>(a);
                /// Shift of each lane of 8 bits left by the second operand modulo 8.
                I8x16Shl "i8x16.shl" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i8| a.wrapping_shl(by as u32));
                /// Arithmetic shift of each lane of 8 bits right by the second operand modulo 8.
                I8x16ShrS "i8x16.shr_s" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i8| a.wrapping_shr(by as u32));
                /// Logical shift of each lane of 8 bits right by the second operand modulo 8.
                I8x16ShrU "i8x16.shr_u" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: u8| a.wrapping_shr(by as u32));
                /// Sum of each lane of 8 bits, modulo 2^8.
                I8x16Add "i8x16.add" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i8::wrapping_add);
                /// Difference of each lane of 8 bits, modulo 2^8.
                I8x16Sub "i8x16.sub" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, i8::wrapping_sub);
                /// Sum of each lane of 8 bits, signed, or the nearest number that fits.
                I8x16AddSatS "i8x16.add_sat_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i8::saturating_add);
                /// Sum of each lane of 8 bits, unsigned, or the nearest number that fits.
                I8x16AddSatU "i8x16.add_sat_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, u8::saturating_add);
                /// Difference of each lane of 8 bits, signed, or the nearest number that fits.
                I8x16SubSatS "i8x16.sub_sat_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, i8::saturating_sub);
                /// Difference of each lane of 8 bits, unsigned, or the nearest number that fits.
                I8x16SubSatU "i8x16.sub_sat_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, u8::saturating_sub);
                /// Mean of each lane of 8 bits, unsigned, rounded up.
                I8x16AvgrU "i8x16.avgr_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, |a: u8, b: u8| (u16::from(a) + u16::from(b)).div_ceil(2) as u8);
                /// Lesser of each lane of 8 bits, signed.
                I8x16MinS "i8x16.min_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <i8 as Ord>::min);
                /// Lesser of each lane of 8 bits, unsigned.
                I8x16MinU "i8x16.min_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <u8 as Ord>::min);
                /// Greater of each lane of 8 bits, signed.
                I8x16MaxS "i8x16.max_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <i8 as Ord>::max);
                /// Greater of each lane of 8 bits, unsigned.
                I8x16MaxU "i8x16.max_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <u8 as Ord>::max);
                /// Lanes of both operands, 16 bits, signed, as 8 bits, signed, or the nearest number that fits.
                I8x16NarrowI16x8S "i8x16.narrow_i16x8_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::narrow(a, b, |a: i16| a.clamp(i8::MIN as i16, i8::MAX as i16) as i8);
                /// Lanes of both operands, 16 bits, signed, as 8 bits, unsigned, or the nearest number that fits.
                I8x16NarrowI16x8U "i8x16.narrow_i16x8_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::narrow(a, b, |a: i16| a.clamp(u8::MIN as i16, u8::MAX as i16) as u8);
                /// All lanes of 16 bits are the operand's low bits.
                I16x8Splat "i16x8.splat" (I32) -> V128 [] = |a: i32| lanes::splat(a as i16);
                /// Lanes of 16 bits are all ones where they are equal, else zero.
                I16x8Eq "i16x8.eq" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i16, b| a == b);
                /// Lanes of 16 bits are all ones where they are different, else zero.
                I16x8Ne "i16x8.ne" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i16, b| a != b);
                /// Lanes of 16 bits are all ones where the first is less, signed, else zero.
                I16x8LtS "i16x8.lt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i16, b| a < b);
                /// Lanes of 16 bits are all ones where the first is less, unsigned, else zero.
                I16x8LtU "i16x8.lt_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u16, b| a < b);
                /// Lanes of 16 bits are all ones where the first is greater, signed, else zero.
                I16x8GtS "i16x8.gt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i16, b| a > b);
                /// Lanes of 16 bits are all ones where the first is greater, unsigned, else zero.
                I16x8GtU "i16x8.gt_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u16, b| a > b);
                /// Lanes of 16 bits are all ones where the first is less or equal, signed, else zero.
                I16x8LeS "i16x8.le_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i16, b| a <= b);
                /// Lanes of 16 bits are all ones where the first is less or equal, unsigned, else zero.
                I16x8LeU "i16x8.le_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u16, b| a <= b);
                /// Lanes of 16 bits are all ones where the first is greater or equal, signed, else zero.
                I16x8GeS "i16x8.ge_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i16, b| a >= b);
                /// Lanes of 16 bits are all ones where the first is greater or equal, unsigned, else zero.
                I16x8GeU "i16x8.ge_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u16, b| a >= b);
                /// Absolute value of each lane of 16 bits; the least number stays as it is.
                I16x8Abs "i16x8.abs" (V128) -> V128 [] = |a: V128| lanes::map(a, i16::wrapping_abs);
                /// Negation of each lane of 16 bits, modulo 2^16.
                I16x8Neg "i16x8.neg" (V128) -> V128 [] = |a: V128| lanes::map(a, i16::wrapping_neg);
                /// 1 if no lane of 16 bits is zero, else 0.
                I16x8AllTrue "i16x8.all_true" (V128) -> I32 [] = |a: V128| lanes::all_true::<i16>(a);
                /// The sign bits of the lanes of 16 bits, that of lane 0 lowest.
                I16x8Bitmask "i16x8.bitmask" (V128) -> I32 [] = |a: V128| lanes::bitmask::<i16>(a);
                /// Shift of each lane of 16 bits left by the second operand modulo 16.
                I16x8Shl "i16x8.shl" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i16| a.wrapping_shl(by as u32));
                /// Arithmetic shift of each lane of 16 bits right by the second operand modulo 16.
                I16x8ShrS "i16x8.shr_s" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i16| a.wrapping_shr(by as u32));
                /// Logical shift of each lane of 16 bits right by the second operand modulo 16.
                I16x8ShrU "i16x8.shr_u" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: u16| a.wrapping_shr(by as u32));
                /// Sum of each lane of 16 bits, modulo 2^16.
                I16x8Add "i16x8.add" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i16::wrapping_add);
                /// Difference of each lane of 16 bits, modulo 2^16.
                I16x8Sub "i16x8.sub" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, i16::wrapping_sub);
                /// Product of each lane of 16 bits, modulo 2^16.
                I16x8Mul "i16x8.mul" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i16::wrapping_mul);
                /// Sum of each lane of 16 bits, signed, or the nearest number that fits.
                I16x8AddSatS "i16x8.add_sat_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i16::saturating_add);
                /// Sum of each lane of 16 bits, unsigned, or the nearest number that fits.
                I16x8AddSatU "i16x8.add_sat_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, u16::saturating_add);
                /// Difference of each lane of 16 bits, signed, or the nearest number that fits.
                I16x8SubSatS "i16x8.sub_sat_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, i16::saturating_sub);
                /// Difference of each lane of 16 bits, unsigned, or the nearest number that fits.
                I16x8SubSatU "i16x8.sub_sat_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, u16::saturating_sub);
                /// Mean of each lane of 16 bits, unsigned, rounded up.
                I16x8AvgrU "i16x8.avgr_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, |a: u16, b: u16| (u32::from(a) + u32::from(b)).div_ceil(2) as u16);
                /// Lesser of each lane of 16 bits, signed.
                I16x8MinS "i16x8.min_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <i16 as Ord>::min);
                /// Lesser of each lane of 16 bits, unsigned.
                I16x8MinU "i16x8.min_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <u16 as Ord>::min);
                /// Greater of each lane of 16 bits, signed.
                I16x8MaxS "i16x8.max_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <i16 as Ord>::max);
                /// Greater of each lane of 16 bits, unsigned.
                I16x8MaxU "i16x8.max_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <u16 as Ord>::max);
                /// Lanes of both operands, 32 bits, signed, as 16 bits, signed, or the nearest number that fits.
                I16x8NarrowI32x4S "i16x8.narrow_i32x4_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::narrow(a, b, |a: i32| a.clamp(i16::MIN as i32, i16::MAX as i32) as i16);
                /// Lanes of both operands, 32 bits, signed, as 16 bits, unsigned, or the nearest number that fits.
                I16x8NarrowI32x4U "i16x8.narrow_i32x4_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::narrow(a, b, |a: i32| a.clamp(u16::MIN as i32, u16::MAX as i32) as u16);
                /// The lower lanes of 8 bits, signed, extended to 16 bits.
                I16x8ExtendLowI8x16S "i16x8.extend_low_i8x16_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: i8| i16::from(a));
                /// The lower lanes of 8 bits, unsigned, extended to 16 bits.
                I16x8ExtendLowI8x16U "i16x8.extend_low_i8x16_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: u8| u16::from(a));
                /// The upper lanes of 8 bits, signed, extended to 16 bits.
                I16x8ExtendHighI8x16S "i16x8.extend_high_i8x16_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 8, |a: i8| i16::from(a));
                /// The upper lanes of 8 bits, unsigned, extended to 16 bits.
                I16x8ExtendHighI8x16U "i16x8.extend_high_i8x16_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 8, |a: u8| u16::from(a));
                /// Products of the lower lanes of 8 bits, signed, in 16 bits.
                I16x8ExtMulLowI8x16S "i16x8.extmul_low_i8x16_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 0, |a: i8, b: i8| i16::from(a) * i16::from(b));
                /// Products of the lower lanes of 8 bits, unsigned, in 16 bits.
                I16x8ExtMulLowI8x16U "i16x8.extmul_low_i8x16_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 0, |a: u8, b: u8| u16::from(a) * u16::from(b));
                /// Products of the upper lanes of 8 bits, signed, in 16 bits.
                I16x8ExtMulHighI8x16S "i16x8.extmul_high_i8x16_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 8, |a: i8, b: i8| i16::from(a) * i16::from(b));
                /// Products of the upper lanes of 8 bits, unsigned, in 16 bits.
                I16x8ExtMulHighI8x16U "i16x8.extmul_high_i8x16_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 8, |a: u8, b: u8| u16::from(a) * u16::from(b));
                /// Sums of neighbouring lanes of 8 bits, signed, in 16 bits.
                I16x8ExtAddPairwiseI8x16S "i16x8.extadd_pairwise_i8x16_s" (V128) -> V128 [] = |a: V128| lanes::pairwise(a, |a: i8, b: i8| i16::from(a) + i16::from(b));
                /// Sums of neighbouring lanes of 8 bits, unsigned, in 16 bits.
                I16x8ExtAddPairwiseI8x16U "i16x8.extadd_pairwise_i8x16_u" (V128) -> V128 [] = |a: V128| lanes::pairwise(a, |a: u8, b: u8| u16::from(a) + u16::from(b));
                /// Product of each lane of 16 bits, signed, as numbers with 15 bits of fraction: rounded, or the nearest number that fits.
                I16x8Q15MulrSatS "i16x8.q15mulr_sat_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, lanes::q15_mul);
                /// All lanes of 32 bits are the operand.
                I32x4Splat "i32x4.splat" (I32) -> V128 [] = |a: i32| lanes::splat(a);
                /// Lanes of 32 bits are all ones where they are equal, else zero.
                I32x4Eq "i32x4.eq" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i32, b| a == b);
                /// Lanes of 32 bits are all ones where they are different, else zero.
                I32x4Ne "i32x4.ne" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i32, b| a != b);
                /// Lanes of 32 bits are all ones where the first is less, signed, else zero.
                I32x4LtS "i32x4.lt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i32, b| a < b);
                /// Lanes of 32 bits are all ones where the first is less, unsigned, else zero.
                I32x4LtU "i32x4.lt_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u32, b| a < b);
                /// Lanes of 32 bits are all ones where the first is greater, signed, else zero.
                I32x4GtS "i32x4.gt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i32, b| a > b);
                /// Lanes of 32 bits are all ones where the first is greater, unsigned, else zero.
                I32x4GtU "i32x4.gt_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u32, b| a > b);
                /// Lanes of 32 bits are all ones where the first is less or equal, signed, else zero.
                I32x4LeS "i32x4.le_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i32, b| a <= b);
                /// Lanes of 32 bits are all ones where the first is less or equal, unsigned, else zero.
                I32x4LeU "i32x4.le_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u32, b| a <= b);
                /// Lanes of 32 bits are all ones where the first is greater or equal, signed, else zero.
                I32x4GeS "i32x4.ge_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i32, b| a >= b);
                /// Lanes of 32 bits are all ones where the first is greater or equal, unsigned, else zero.
                I32x4GeU "i32x4.ge_u" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: u32, b| a >= b);
                /// Absolute value of each lane of 32 bits; the least number stays as it is.
                I32x4Abs "i32x4.abs" (V128) -> V128 [] = |a: V128| lanes::map(a, i32::wrapping_abs);
                /// Negation of each lane of 32 bits, modulo 2^32.
                I32x4Neg "i32x4.neg" (V128) -> V128 [] = |a: V128| lanes::map(a, i32::wrapping_neg);
                /// 1 if no lane of 32 bits is zero, else 0.
                I32x4AllTrue "i32x4.all_true" (V128) -> I32 [] = |a: V128| lanes::all_true::<i32>(a);
                /// The sign bits of the lanes of 32 bits, that of lane 0 lowest.
                I32x4Bitmask "i32x4.bitmask" (V128) -> I32 [] = |a: V128| lanes::bitmask::<i32>(a);
                /// Shift of each lane of 32 bits left by the second operand modulo 32.
                I32x4Shl "i32x4.shl" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i32| a.wrapping_shl(by as u32));
                /// Arithmetic shift of each lane of 32 bits right by the second operand modulo 32.
                I32x4ShrS "i32x4.shr_s" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i32| a.wrapping_shr(by as u32));
                /// Logical shift of each lane of 32 bits right by the second operand modulo 32.
                I32x4ShrU "i32x4.shr_u" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: u32| a.wrapping_shr(by as u32));
                /// Sum of each lane of 32 bits, modulo 2^32.
                I32x4Add "i32x4.add" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i32::wrapping_add);
                /// Difference of each lane of 32 bits, modulo 2^32.
                I32x4Sub "i32x4.sub" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, i32::wrapping_sub);
                /// Product of each lane of 32 bits, modulo 2^32.
                I32x4Mul "i32x4.mul" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i32::wrapping_mul);
                /// Lesser of each lane of 32 bits, signed.
                I32x4MinS "i32x4.min_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <i32 as Ord>::min);
                /// Lesser of each lane of 32 bits, unsigned.
                I32x4MinU "i32x4.min_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <u32 as Ord>::min);
                /// Greater of each lane of 32 bits, signed.
                I32x4MaxS "i32x4.max_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <i32 as Ord>::max);
                /// Greater of each lane of 32 bits, unsigned.
                I32x4MaxU "i32x4.max_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, <u32 as Ord>::max);
                /// The lower lanes of 16 bits, signed, extended to 32 bits.
                I32x4ExtendLowI16x8S "i32x4.extend_low_i16x8_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: i16| i32::from(a));
                /// The lower lanes of 16 bits, unsigned, extended to 32 bits.
                I32x4ExtendLowI16x8U "i32x4.extend_low_i16x8_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: u16| u32::from(a));
                /// The upper lanes of 16 bits, signed, extended to 32 bits.
                I32x4ExtendHighI16x8S "i32x4.extend_high_i16x8_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 4, |a: i16| i32::from(a));
                /// The upper lanes of 16 bits, unsigned, extended to 32 bits.
                I32x4ExtendHighI16x8U "i32x4.extend_high_i16x8_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 4, |a: u16| u32::from(a));
                /// Products of the lower lanes of 16 bits, signed, in 32 bits.
                I32x4ExtMulLowI16x8S "i32x4.extmul_low_i16x8_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 0, |a: i16, b: i16| i32::from(a) * i32::from(b));
                /// Products of the lower lanes of 16 bits, unsigned, in 32 bits.
                I32x4ExtMulLowI16x8U "i32x4.extmul_low_i16x8_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 0, |a: u16, b: u16| u32::from(a) * u32::from(b));
                /// Products of the upper lanes of 16 bits, signed, in 32 bits.
                I32x4ExtMulHighI16x8S "i32x4.extmul_high_i16x8_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 4, |a: i16, b: i16| i32::from(a) * i32::from(b));
                /// Products of the upper lanes of 16 bits, unsigned, in 32 bits.
                I32x4ExtMulHighI16x8U "i32x4.extmul_high_i16x8_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 4, |a: u16, b: u16| u32::from(a) * u32::from(b));
                /// Sums of neighbouring lanes of 16 bits, signed, in 32 bits.
                I32x4ExtAddPairwiseI16x8S "i32x4.extadd_pairwise_i16x8_s" (V128) -> V128 [] = |a: V128| lanes::pairwise(a, |a: i16, b: i16| i32::from(a) + i32::from(b));
                /// Sums of neighbouring lanes of 16 bits, unsigned, in 32 bits.
                I32x4ExtAddPairwiseI16x8U "i32x4.extadd_pairwise_i16x8_u" (V128) -> V128 [] = |a: V128| lanes::pairwise(a, |a: u16, b: u16| u32::from(a) + u32::from(b));
                /// Sums of the products of neighbouring lanes of 16 bits, signed, modulo 2^32.
                I32x4DotI16x8S "i32x4.dot_i16x8_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::dot(a, b, |a: i16, b: i16| i32::from(a) * i32::from(b), i32::wrapping_add);
                /// All lanes of 64 bits are the operand.
                I64x2Splat "i64x2.splat" (I64) -> V128 [] = |a: i64| lanes::splat(a);
                /// Lanes of 64 bits are all ones where they are equal, else zero.
                I64x2Eq "i64x2.eq" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i64, b| a == b);
                /// Lanes of 64 bits are all ones where they are different, else zero.
                I64x2Ne "i64x2.ne" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::compare(a, b, |a: i64, b| a != b);
                /// Lanes of 64 bits are all ones where the first is less, signed, else zero.
                I64x2LtS "i64x2.lt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i64, b| a < b);
                /// Lanes of 64 bits are all ones where the first is greater, signed, else zero.
                I64x2GtS "i64x2.gt_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i64, b| a > b);
                /// Lanes of 64 bits are all ones where the first is less or equal, signed, else zero.
                I64x2LeS "i64x2.le_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i64, b| a <= b);
                /// Lanes of 64 bits are all ones where the first is greater or equal, signed, else zero.
                I64x2GeS "i64x2.ge_s" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::compare(a, b, |a: i64, b| a >= b);
                /// Absolute value of each lane of 64 bits; the least number stays as it is.
                I64x2Abs "i64x2.abs" (V128) -> V128 [] = |a: V128| lanes::map(a, i64::wrapping_abs);
                /// Negation of each lane of 64 bits, modulo 2^64.
                I64x2Neg "i64x2.neg" (V128) -> V128 [] = |a: V128| lanes::map(a, i64::wrapping_neg);
                /// 1 if no lane of 64 bits is zero, else 0.
                I64x2AllTrue "i64x2.all_true" (V128) -> I32 [] = |a: V128| lanes::all_true::<i64>(a);
                /// The sign bits of the lanes of 64 bits, that of lane 0 lowest.
                I64x2Bitmask "i64x2.bitmask" (V128) -> I32 [] = |a: V128| lanes::bitmask::<i64>(a);
                /// Shift of each lane of 64 bits left by the second operand modulo 64.
                I64x2Shl "i64x2.shl" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i64| a.wrapping_shl(by as u32));
                /// Arithmetic shift of each lane of 64 bits right by the second operand modulo 64.
                I64x2ShrS "i64x2.shr_s" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: i64| a.wrapping_shr(by as u32));
                /// Logical shift of each lane of 64 bits right by the second operand modulo 64.
                I64x2ShrU "i64x2.shr_u" (V128, I32) -> V128 [] = |a: V128, by: i32| lanes::map(a, |a: u64| a.wrapping_shr(by as u32));
                /// Sum of each lane of 64 bits, modulo 2^64.
                I64x2Add "i64x2.add" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i64::wrapping_add);
                /// Difference of each lane of 64 bits, modulo 2^64.
                I64x2Sub "i64x2.sub" (V128, V128) -> V128 [] = |a: V128, b: V128| lanes::zip(a, b, i64::wrapping_sub);
                /// Product of each lane of 64 bits, modulo 2^64.
                I64x2Mul "i64x2.mul" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::zip(a, b, i64::wrapping_mul);
                /// The lower lanes of 32 bits, signed, extended to 64 bits.
                I64x2ExtendLowI32x4S "i64x2.extend_low_i32x4_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: i32| i64::from(a));
                /// The lower lanes of 32 bits, unsigned, extended to 64 bits.
                I64x2ExtendLowI32x4U "i64x2.extend_low_i32x4_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 0, |a: u32| u64::from(a));
                /// The upper lanes of 32 bits, signed, extended to 64 bits.
                I64x2ExtendHighI32x4S "i64x2.extend_high_i32x4_s" (V128) -> V128 [] = |a: V128| lanes::widen(a, 2, |a: i32| i64::from(a));
                /// The upper lanes of 32 bits, unsigned, extended to 64 bits.
                I64x2ExtendHighI32x4U "i64x2.extend_high_i32x4_u" (V128) -> V128 [] = |a: V128| lanes::widen(a, 2, |a: u32| u64::from(a));
                /// Products of the lower lanes of 32 bits, signed, in 64 bits.
                I64x2ExtMulLowI32x4S "i64x2.extmul_low_i32x4_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 0, |a: i32, b: i32| i64::from(a) * i64::from(b));
                /// Products of the lower lanes of 32 bits, unsigned, in 64 bits.
                I64x2ExtMulLowI32x4U "i64x2.extmul_low_i32x4_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 0, |a: u32, b: u32| u64::from(a) * u64::from(b));
                /// Products of the upper lanes of 32 bits, signed, in 64 bits.
                I64x2ExtMulHighI32x4S "i64x2.extmul_high_i32x4_s" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 2, |a: i32, b: i32| i64::from(a) * i64::from(b));
                /// Products of the upper lanes of 32 bits, unsigned, in 64 bits.
                I64x2ExtMulHighI32x4U "i64x2.extmul_high_i32x4_u" (V128, V128) -> V128 [commutative] = |a: V128, b: V128| lanes::widen_zip(a, b, 2, |a: u32, b: u32| u64::from(a) * u64::from(b));
            }
            $($rest)*
        }
    };
}
