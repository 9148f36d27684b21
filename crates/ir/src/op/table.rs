//! The opcode table: the one place where an opcode lives.
//!
//! `for_each_op!` hands its rows to a macro. From them come the enum [`Op`](super::Op), the parser
//! and the printer, the verifier's typing rule, the constant folder, T0's handlers and
//! `docs/ops.md`. Four groups of rows:
//!
//! - `pure`: name, text, operand types, result type, properties, evaluation function. The function
//!   is the operation's whole meaning; it returns a value, or `Result<value, TrapCode>` in rows
//!   marked `traps`. A row marked `compare` gives an i32 truth value and can be fused with a branch.
//! - `lane`: the same for operations on a lane of a vector, of as many as stand in the brackets. The
//!   number of the lane is an immediate, and the function's last operand.
//! - `load` and `store`: one row makes two opcodes, on bounds-checked linear memory and on raw host
//!   addresses; then the register type, the Rust type in memory (little-endian), and the function
//!   from the one to the other.
//! - `load_lane` and `store_lane`: the same for a lane of a vector; the function takes vector and
//!   lane, and the value of a load.
//! - `special`: name, text, the format its operands and immediates follow, effects.
//!
//! The rows of vector operations stand in `vector_ints.rs` and `vector.rs`.

/// Calls the macro `$callback` with all rows of the opcode table (and the tokens `$extra` first).
#[macro_export]
macro_rules! for_each_op {
    ($callback:path $(, $($extra:tt)*)?) => { $crate::with_vector_ints! {
        $callback; {$($($extra)*)?}
        pure {
            /// Sum, modulo 2^32.
            I32Add "i32.add" (I32, I32) -> I32 [commutative] = |a: i32, b: i32| a.wrapping_add(b);
            /// Difference, modulo 2^32.
            I32Sub "i32.sub" (I32, I32) -> I32 [] = |a: i32, b: i32| a.wrapping_sub(b);
            /// Product, modulo 2^32.
            I32Mul "i32.mul" (I32, I32) -> I32 [commutative] = |a: i32, b: i32| a.wrapping_mul(b);
            /// Signed quotient, rounded towards zero; traps on division by zero and on overflow.
            I32DivS "i32.div_s" (I32, I32) -> I32 [traps] = eval::i32_div_s;
            /// Unsigned quotient; traps on division by zero.
            I32DivU "i32.div_u" (I32, I32) -> I32 [traps] = eval::i32_div_u;
            /// Signed remainder with the sign of the dividend; traps on division by zero.
            I32RemS "i32.rem_s" (I32, I32) -> I32 [traps] = eval::i32_rem_s;
            /// Unsigned remainder; traps on division by zero.
            I32RemU "i32.rem_u" (I32, I32) -> I32 [traps] = eval::i32_rem_u;
            /// Bitwise and.
            I32And "i32.and" (I32, I32) -> I32 [commutative] = |a: i32, b: i32| a & b;
            /// Bitwise or.
            I32Or "i32.or" (I32, I32) -> I32 [commutative] = |a: i32, b: i32| a | b;
            /// Bitwise exclusive or.
            I32Xor "i32.xor" (I32, I32) -> I32 [commutative] = |a: i32, b: i32| a ^ b;
            /// Shift left by the second operand modulo 32.
            I32Shl "i32.shl" (I32, I32) -> I32 [] = |a: i32, b: i32| a.wrapping_shl(b as u32);
            /// Arithmetic shift right by the second operand modulo 32.
            I32ShrS "i32.shr_s" (I32, I32) -> I32 [] = |a: i32, b: i32| a.wrapping_shr(b as u32);
            /// Logical shift right by the second operand modulo 32.
            I32ShrU "i32.shr_u" (I32, I32) -> I32 [] = |a: i32, b: i32| (a as u32).wrapping_shr(b as u32) as i32;
            /// Rotate left by the second operand modulo 32.
            I32Rotl "i32.rotl" (I32, I32) -> I32 [] = |a: i32, b: i32| a.rotate_left(b as u32 & 31);
            /// Rotate right by the second operand modulo 32.
            I32Rotr "i32.rotr" (I32, I32) -> I32 [] = |a: i32, b: i32| a.rotate_right(b as u32 & 31);
            /// 1 if the operands are equal, else 0.
            I32Eq "i32.eq" (I32, I32) -> I32 [compare commutative] = |a: i32, b: i32| i32::from(a == b);
            /// 1 if the operands are different, else 0.
            I32Ne "i32.ne" (I32, I32) -> I32 [compare commutative] = |a: i32, b: i32| i32::from(a != b);
            /// 1 if the first operand is less, signed, else 0.
            I32LtS "i32.lt_s" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from(a < b);
            /// 1 if the first operand is less, unsigned, else 0.
            I32LtU "i32.lt_u" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from((a as u32) < (b as u32));
            /// 1 if the first operand is greater, signed, else 0.
            I32GtS "i32.gt_s" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from(a > b);
            /// 1 if the first operand is greater, unsigned, else 0.
            I32GtU "i32.gt_u" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from((a as u32) > (b as u32));
            /// 1 if the first operand is less or equal, signed, else 0.
            I32LeS "i32.le_s" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from(a <= b);
            /// 1 if the first operand is less or equal, unsigned, else 0.
            I32LeU "i32.le_u" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from((a as u32) <= (b as u32));
            /// 1 if the first operand is greater or equal, signed, else 0.
            I32GeS "i32.ge_s" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from(a >= b);
            /// 1 if the first operand is greater or equal, unsigned, else 0.
            I32GeU "i32.ge_u" (I32, I32) -> I32 [compare] = |a: i32, b: i32| i32::from((a as u32) >= (b as u32));
            /// 1 if the operand is zero, else 0.
            I32Eqz "i32.eqz" (I32) -> I32 [compare] = |a: i32| i32::from(a == 0);
            /// Number of leading zero bits.
            I32Clz "i32.clz" (I32) -> I32 [] = |a: i32| a.leading_zeros() as i32;
            /// Number of trailing zero bits.
            I32Ctz "i32.ctz" (I32) -> I32 [] = |a: i32| a.trailing_zeros() as i32;
            /// Number of one bits.
            I32Popcnt "i32.popcnt" (I32) -> I32 [] = |a: i32| a.count_ones() as i32;
            /// Sign extension of the low 8 bits.
            I32Extend8S "i32.extend8_s" (I32) -> I32 [] = |a: i32| a as i8 as i32;
            /// Sign extension of the low 16 bits.
            I32Extend16S "i32.extend16_s" (I32) -> I32 [] = |a: i32| a as i16 as i32;
            /// Sum, modulo 2^64.
            I64Add "i64.add" (I64, I64) -> I64 [commutative] = |a: i64, b: i64| a.wrapping_add(b);
            /// Difference, modulo 2^64.
            I64Sub "i64.sub" (I64, I64) -> I64 [] = |a: i64, b: i64| a.wrapping_sub(b);
            /// Product, modulo 2^64.
            I64Mul "i64.mul" (I64, I64) -> I64 [commutative] = |a: i64, b: i64| a.wrapping_mul(b);
            /// Signed quotient, rounded towards zero; traps on division by zero and on overflow.
            I64DivS "i64.div_s" (I64, I64) -> I64 [traps] = eval::i64_div_s;
            /// Unsigned quotient; traps on division by zero.
            I64DivU "i64.div_u" (I64, I64) -> I64 [traps] = eval::i64_div_u;
            /// Signed remainder with the sign of the dividend; traps on division by zero.
            I64RemS "i64.rem_s" (I64, I64) -> I64 [traps] = eval::i64_rem_s;
            /// Unsigned remainder; traps on division by zero.
            I64RemU "i64.rem_u" (I64, I64) -> I64 [traps] = eval::i64_rem_u;
            /// Bitwise and.
            I64And "i64.and" (I64, I64) -> I64 [commutative] = |a: i64, b: i64| a & b;
            /// Bitwise or.
            I64Or "i64.or" (I64, I64) -> I64 [commutative] = |a: i64, b: i64| a | b;
            /// Bitwise exclusive or.
            I64Xor "i64.xor" (I64, I64) -> I64 [commutative] = |a: i64, b: i64| a ^ b;
            /// Shift left by the second operand modulo 64.
            I64Shl "i64.shl" (I64, I64) -> I64 [] = |a: i64, b: i64| a.wrapping_shl(b as u32);
            /// Arithmetic shift right by the second operand modulo 64.
            I64ShrS "i64.shr_s" (I64, I64) -> I64 [] = |a: i64, b: i64| a.wrapping_shr(b as u32);
            /// Logical shift right by the second operand modulo 64.
            I64ShrU "i64.shr_u" (I64, I64) -> I64 [] = |a: i64, b: i64| (a as u64).wrapping_shr(b as u32) as i64;
            /// Rotate left by the second operand modulo 64.
            I64Rotl "i64.rotl" (I64, I64) -> I64 [] = |a: i64, b: i64| a.rotate_left(b as u32 & 63);
            /// Rotate right by the second operand modulo 64.
            I64Rotr "i64.rotr" (I64, I64) -> I64 [] = |a: i64, b: i64| a.rotate_right(b as u32 & 63);
            /// 1 if the operands are equal, else 0.
            I64Eq "i64.eq" (I64, I64) -> I32 [compare commutative] = |a: i64, b: i64| i32::from(a == b);
            /// 1 if the operands are different, else 0.
            I64Ne "i64.ne" (I64, I64) -> I32 [compare commutative] = |a: i64, b: i64| i32::from(a != b);
            /// 1 if the first operand is less, signed, else 0.
            I64LtS "i64.lt_s" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from(a < b);
            /// 1 if the first operand is less, unsigned, else 0.
            I64LtU "i64.lt_u" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from((a as u64) < (b as u64));
            /// 1 if the first operand is greater, signed, else 0.
            I64GtS "i64.gt_s" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from(a > b);
            /// 1 if the first operand is greater, unsigned, else 0.
            I64GtU "i64.gt_u" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from((a as u64) > (b as u64));
            /// 1 if the first operand is less or equal, signed, else 0.
            I64LeS "i64.le_s" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from(a <= b);
            /// 1 if the first operand is less or equal, unsigned, else 0.
            I64LeU "i64.le_u" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from((a as u64) <= (b as u64));
            /// 1 if the first operand is greater or equal, signed, else 0.
            I64GeS "i64.ge_s" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from(a >= b);
            /// 1 if the first operand is greater or equal, unsigned, else 0.
            I64GeU "i64.ge_u" (I64, I64) -> I32 [compare] = |a: i64, b: i64| i32::from((a as u64) >= (b as u64));
            /// 1 if the operand is zero, else 0.
            I64Eqz "i64.eqz" (I64) -> I32 [compare] = |a: i64| i32::from(a == 0);
            /// Number of leading zero bits.
            I64Clz "i64.clz" (I64) -> I64 [] = |a: i64| a.leading_zeros() as i64;
            /// Number of trailing zero bits.
            I64Ctz "i64.ctz" (I64) -> I64 [] = |a: i64| a.trailing_zeros() as i64;
            /// Number of one bits.
            I64Popcnt "i64.popcnt" (I64) -> I64 [] = |a: i64| a.count_ones() as i64;
            /// Sign extension of the low 8 bits.
            I64Extend8S "i64.extend8_s" (I64) -> I64 [] = |a: i64| a as i8 as i64;
            /// Sign extension of the low 16 bits.
            I64Extend16S "i64.extend16_s" (I64) -> I64 [] = |a: i64| a as i16 as i64;
            /// Sign extension of the low 32 bits.
            I64Extend32S "i64.extend32_s" (I64) -> I64 [] = |a: i64| a as i32 as i64;
            /// Sum.
            F32Add "f32.add" (F32, F32) -> F32 [commutative] = |a: f32, b: f32| a + b;
            /// Difference.
            F32Sub "f32.sub" (F32, F32) -> F32 [] = |a: f32, b: f32| a - b;
            /// Product.
            F32Mul "f32.mul" (F32, F32) -> F32 [commutative] = |a: f32, b: f32| a * b;
            /// Quotient.
            F32Div "f32.div" (F32, F32) -> F32 [] = |a: f32, b: f32| a / b;
            /// The smaller operand; NaN if either is NaN; -0 is less than +0.
            F32Min "f32.min" (F32, F32) -> F32 [commutative] = eval::f32_min;
            /// The greater operand; NaN if either is NaN; -0 is less than +0.
            F32Max "f32.max" (F32, F32) -> F32 [commutative] = eval::f32_max;
            /// The magnitude of the first operand with the sign of the second.
            F32Copysign "f32.copysign" (F32, F32) -> F32 [] = |a: f32, b: f32| a.copysign(b);
            /// 1 if the operands are equal, else 0.
            F32Eq "f32.eq" (F32, F32) -> I32 [compare commutative] = |a: f32, b: f32| i32::from(a == b);
            /// 1 if the operands are different or unordered, else 0.
            F32Ne "f32.ne" (F32, F32) -> I32 [compare commutative] = |a: f32, b: f32| i32::from(a != b);
            /// 1 if the first operand is less, else 0 (0 if unordered).
            F32Lt "f32.lt" (F32, F32) -> I32 [compare] = |a: f32, b: f32| i32::from(a < b);
            /// 1 if the first operand is greater, else 0 (0 if unordered).
            F32Gt "f32.gt" (F32, F32) -> I32 [compare] = |a: f32, b: f32| i32::from(a > b);
            /// 1 if the first operand is less or equal, else 0 (0 if unordered).
            F32Le "f32.le" (F32, F32) -> I32 [compare] = |a: f32, b: f32| i32::from(a <= b);
            /// 1 if the first operand is greater or equal, else 0 (0 if unordered).
            F32Ge "f32.ge" (F32, F32) -> I32 [compare] = |a: f32, b: f32| i32::from(a >= b);
            /// Magnitude.
            F32Abs "f32.abs" (F32) -> F32 [] = |a: f32| a.abs();
            /// Negation of the sign bit.
            F32Neg "f32.neg" (F32) -> F32 [] = |a: f32| -a;
            /// Square root.
            F32Sqrt "f32.sqrt" (F32) -> F32 [] = |a: f32| a.sqrt();
            /// Rounded up to an integral value.
            F32Ceil "f32.ceil" (F32) -> F32 [] = eval::f32_ceil;
            /// Rounded down to an integral value.
            F32Floor "f32.floor" (F32) -> F32 [] = eval::f32_floor;
            /// Rounded towards zero to an integral value.
            F32Trunc "f32.trunc" (F32) -> F32 [] = eval::f32_trunc;
            /// Rounded to the nearest integral value, ties to even.
            F32Nearest "f32.nearest" (F32) -> F32 [] = eval::f32_nearest;
            /// Sum.
            F64Add "f64.add" (F64, F64) -> F64 [commutative] = |a: f64, b: f64| a + b;
            /// Difference.
            F64Sub "f64.sub" (F64, F64) -> F64 [] = |a: f64, b: f64| a - b;
            /// Product.
            F64Mul "f64.mul" (F64, F64) -> F64 [commutative] = |a: f64, b: f64| a * b;
            /// Quotient.
            F64Div "f64.div" (F64, F64) -> F64 [] = |a: f64, b: f64| a / b;
            /// The smaller operand; NaN if either is NaN; -0 is less than +0.
            F64Min "f64.min" (F64, F64) -> F64 [commutative] = eval::f64_min;
            /// The greater operand; NaN if either is NaN; -0 is less than +0.
            F64Max "f64.max" (F64, F64) -> F64 [commutative] = eval::f64_max;
            /// The magnitude of the first operand with the sign of the second.
            F64Copysign "f64.copysign" (F64, F64) -> F64 [] = |a: f64, b: f64| a.copysign(b);
            /// 1 if the operands are equal, else 0.
            F64Eq "f64.eq" (F64, F64) -> I32 [compare commutative] = |a: f64, b: f64| i32::from(a == b);
            /// 1 if the operands are different or unordered, else 0.
            F64Ne "f64.ne" (F64, F64) -> I32 [compare commutative] = |a: f64, b: f64| i32::from(a != b);
            /// 1 if the first operand is less, else 0 (0 if unordered).
            F64Lt "f64.lt" (F64, F64) -> I32 [compare] = |a: f64, b: f64| i32::from(a < b);
            /// 1 if the first operand is greater, else 0 (0 if unordered).
            F64Gt "f64.gt" (F64, F64) -> I32 [compare] = |a: f64, b: f64| i32::from(a > b);
            /// 1 if the first operand is less or equal, else 0 (0 if unordered).
            F64Le "f64.le" (F64, F64) -> I32 [compare] = |a: f64, b: f64| i32::from(a <= b);
            /// 1 if the first operand is greater or equal, else 0 (0 if unordered).
            F64Ge "f64.ge" (F64, F64) -> I32 [compare] = |a: f64, b: f64| i32::from(a >= b);
            /// Magnitude.
            F64Abs "f64.abs" (F64) -> F64 [] = |a: f64| a.abs();
            /// Negation of the sign bit.
            F64Neg "f64.neg" (F64) -> F64 [] = |a: f64| -a;
            /// Square root.
            F64Sqrt "f64.sqrt" (F64) -> F64 [] = |a: f64| a.sqrt();
            /// Rounded up to an integral value.
            F64Ceil "f64.ceil" (F64) -> F64 [] = eval::f64_ceil;
            /// Rounded down to an integral value.
            F64Floor "f64.floor" (F64) -> F64 [] = eval::f64_floor;
            /// Rounded towards zero to an integral value.
            F64Trunc "f64.trunc" (F64) -> F64 [] = eval::f64_trunc;
            /// Rounded to the nearest integral value, ties to even.
            F64Nearest "f64.nearest" (F64) -> F64 [] = eval::f64_nearest;
            /// The low 32 bits.
            I32WrapI64 "i32.wrap_i64" (I64) -> I32 [] = |a: i64| a as i32;
            /// Sign extension.
            I64ExtendI32S "i64.extend_i32_s" (I32) -> I64 [] = |a: i32| i64::from(a);
            /// Zero extension.
            I64ExtendI32U "i64.extend_i32_u" (I32) -> I64 [] = |a: i32| i64::from(a as u32);
            /// Signed integer by rounding towards zero; traps on NaN and out of range.
            I32TruncF32S "i32.trunc_f32_s" (F32) -> I32 [traps] = eval::i32_trunc_f32_s;
            /// Signed integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I32TruncSatF32S "i32.trunc_sat_f32_s" (F32) -> I32 [] = |a: f32| a as i32;
            /// Unsigned integer by rounding towards zero; traps on NaN and out of range.
            I32TruncF32U "i32.trunc_f32_u" (F32) -> I32 [traps] = eval::i32_trunc_f32_u;
            /// Unsigned integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I32TruncSatF32U "i32.trunc_sat_f32_u" (F32) -> I32 [] = |a: f32| a as u32 as i32;
            /// Signed integer by rounding towards zero; traps on NaN and out of range.
            I32TruncF64S "i32.trunc_f64_s" (F64) -> I32 [traps] = eval::i32_trunc_f64_s;
            /// Signed integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I32TruncSatF64S "i32.trunc_sat_f64_s" (F64) -> I32 [] = |a: f64| a as i32;
            /// Unsigned integer by rounding towards zero; traps on NaN and out of range.
            I32TruncF64U "i32.trunc_f64_u" (F64) -> I32 [traps] = eval::i32_trunc_f64_u;
            /// Unsigned integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I32TruncSatF64U "i32.trunc_sat_f64_u" (F64) -> I32 [] = |a: f64| a as u32 as i32;
            /// Signed integer by rounding towards zero; traps on NaN and out of range.
            I64TruncF32S "i64.trunc_f32_s" (F32) -> I64 [traps] = eval::i64_trunc_f32_s;
            /// Signed integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I64TruncSatF32S "i64.trunc_sat_f32_s" (F32) -> I64 [] = |a: f32| a as i64;
            /// Unsigned integer by rounding towards zero; traps on NaN and out of range.
            I64TruncF32U "i64.trunc_f32_u" (F32) -> I64 [traps] = eval::i64_trunc_f32_u;
            /// Unsigned integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I64TruncSatF32U "i64.trunc_sat_f32_u" (F32) -> I64 [] = |a: f32| a as u64 as i64;
            /// Signed integer by rounding towards zero; traps on NaN and out of range.
            I64TruncF64S "i64.trunc_f64_s" (F64) -> I64 [traps] = eval::i64_trunc_f64_s;
            /// Signed integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I64TruncSatF64S "i64.trunc_sat_f64_s" (F64) -> I64 [] = |a: f64| a as i64;
            /// Unsigned integer by rounding towards zero; traps on NaN and out of range.
            I64TruncF64U "i64.trunc_f64_u" (F64) -> I64 [traps] = eval::i64_trunc_f64_u;
            /// Unsigned integer by rounding towards zero; NaN gives 0, out of range the nearest bound.
            I64TruncSatF64U "i64.trunc_sat_f64_u" (F64) -> I64 [] = |a: f64| a as u64 as i64;
            /// The nearest float of a signed integer.
            F32ConvertI32S "f32.convert_i32_s" (I32) -> F32 [] = |a: i32| a as f32;
            /// The nearest float of an unsigned integer.
            F32ConvertI32U "f32.convert_i32_u" (I32) -> F32 [] = |a: i32| a as u32 as f32;
            /// The nearest float of a signed integer.
            F32ConvertI64S "f32.convert_i64_s" (I64) -> F32 [] = |a: i64| a as f32;
            /// The nearest float of an unsigned integer.
            F32ConvertI64U "f32.convert_i64_u" (I64) -> F32 [] = |a: i64| a as u64 as f32;
            /// The nearest float of a signed integer.
            F64ConvertI32S "f64.convert_i32_s" (I32) -> F64 [] = |a: i32| a as f64;
            /// The nearest float of an unsigned integer.
            F64ConvertI32U "f64.convert_i32_u" (I32) -> F64 [] = |a: i32| a as u32 as f64;
            /// The nearest float of a signed integer.
            F64ConvertI64S "f64.convert_i64_s" (I64) -> F64 [] = |a: i64| a as f64;
            /// The nearest float of an unsigned integer.
            F64ConvertI64U "f64.convert_i64_u" (I64) -> F64 [] = |a: i64| a as u64 as f64;
            /// The nearest binary32 value.
            F32DemoteF64 "f32.demote_f64" (F64) -> F32 [] = |a: f64| a as f32;
            /// The same value in binary64.
            F64PromoteF32 "f64.promote_f32" (F32) -> F64 [] = |a: f32| f64::from(a);
            /// The same bits as another type.
            I32ReinterpretF32 "i32.reinterpret_f32" (F32) -> I32 [] = |a: f32| a.to_bits() as i32;
            /// The same bits as another type.
            I64ReinterpretF64 "i64.reinterpret_f64" (F64) -> I64 [] = |a: f64| a.to_bits() as i64;
            /// The same bits as another type.
            F32ReinterpretI32 "f32.reinterpret_i32" (I32) -> F32 [] = |a: i32| f32::from_bits(a as u32);
            /// The same bits as another type.
            F64ReinterpretI64 "f64.reinterpret_i64" (I64) -> F64 [] = |a: i64| f64::from_bits(a as u64);
        }
        load {
            /// Loads 32 bits.
            I32Load "i32.load" RawI32Load "raw.i32.load" I32 i32 = |v| v;
            /// Loads 64 bits.
            I64Load "i64.load" RawI64Load "raw.i64.load" I64 i64 = |v| v;
            /// Loads a binary32 value.
            F32Load "f32.load" RawF32Load "raw.f32.load" F32 f32 = |v| v;
            /// Loads a binary64 value.
            F64Load "f64.load" RawF64Load "raw.f64.load" F64 f64 = |v| v;
            /// Loads 8 bits and extends the sign.
            I32Load8S "i32.load8_s" RawI32Load8S "raw.i32.load8_s" I32 i8 = |v| v as i32;
            /// Loads 8 bits and extends with zeros.
            I32Load8U "i32.load8_u" RawI32Load8U "raw.i32.load8_u" I32 u8 = |v| v as i32;
            /// Loads 16 bits and extends the sign.
            I32Load16S "i32.load16_s" RawI32Load16S "raw.i32.load16_s" I32 i16 = |v| v as i32;
            /// Loads 16 bits and extends with zeros.
            I32Load16U "i32.load16_u" RawI32Load16U "raw.i32.load16_u" I32 u16 = |v| v as i32;
            /// Loads 8 bits and extends the sign.
            I64Load8S "i64.load8_s" RawI64Load8S "raw.i64.load8_s" I64 i8 = |v| v as i64;
            /// Loads 8 bits and extends with zeros.
            I64Load8U "i64.load8_u" RawI64Load8U "raw.i64.load8_u" I64 u8 = |v| v as i64;
            /// Loads 16 bits and extends the sign.
            I64Load16S "i64.load16_s" RawI64Load16S "raw.i64.load16_s" I64 i16 = |v| v as i64;
            /// Loads 16 bits and extends with zeros.
            I64Load16U "i64.load16_u" RawI64Load16U "raw.i64.load16_u" I64 u16 = |v| v as i64;
            /// Loads 32 bits and extends the sign.
            I64Load32S "i64.load32_s" RawI64Load32S "raw.i64.load32_s" I64 i32 = |v| v as i64;
            /// Loads 32 bits and extends with zeros.
            I64Load32U "i64.load32_u" RawI64Load32U "raw.i64.load32_u" I64 u32 = |v| v as i64;
        }
        store {
            /// Stores 32 bits.
            I32Store "i32.store" RawI32Store "raw.i32.store" I32 i32 = |v| v;
            /// Stores 64 bits.
            I64Store "i64.store" RawI64Store "raw.i64.store" I64 i64 = |v| v;
            /// Stores a binary32 value.
            F32Store "f32.store" RawF32Store "raw.f32.store" F32 f32 = |v| v;
            /// Stores a binary64 value.
            F64Store "f64.store" RawF64Store "raw.f64.store" F64 f64 = |v| v;
            /// Stores the low 8 bits.
            I32Store8 "i32.store8" RawI32Store8 "raw.i32.store8" I32 i8 = |v| v as i8;
            /// Stores the low 16 bits.
            I32Store16 "i32.store16" RawI32Store16 "raw.i32.store16" I32 i16 = |v| v as i16;
            /// Stores the low 8 bits.
            I64Store8 "i64.store8" RawI64Store8 "raw.i64.store8" I64 i8 = |v| v as i8;
            /// Stores the low 16 bits.
            I64Store16 "i64.store16" RawI64Store16 "raw.i64.store16" I64 i16 = |v| v as i16;
            /// Stores the low 32 bits.
            I64Store32 "i64.store32" RawI64Store32 "raw.i64.store32" I64 i32 = |v| v as i32;
        }
        special {
            /// The 32-bit integer given as immediate.
            I32Const "i32.const" const [];
            /// The 64-bit integer given as immediate.
            I64Const "i64.const" const [];
            /// The binary32 value given as immediate.
            F32Const "f32.const" const [];
            /// The binary64 value given as immediate.
            F64Const "f64.const" const [];
            /// The null reference to a function.
            FuncRefConst "funcref.const" const [];
            /// The null reference to an object of the host.
            ExternRefConst "externref.const" const [];
            /// The value of another register of any type.
            Copy "copy" copy [];
            /// The second operand if the first (i32) is not zero, else the third.
            Select "select" select [];
            /// The size of a linear memory in pages of 64 KiB.
            MemorySize "memory.size" memory_size [reads_state];
            /// Grows a linear memory by a number of pages; gives the old size in pages, or -1.
            MemoryGrow "memory.grow" memory_grow [reads_state writes_state writes_memory];
            /// The host address at which a linear memory starts (made by the optimizer).
            MemoryBase "memory.base" memory_base [reads_state];
            /// The size of a linear memory in bytes (made by the optimizer).
            MemoryLen "memory.len" memory_len [reads_state];
            /// The value of a global variable.
            GlobalGet "global.get" global_get [reads_state];
            /// Sets a global variable.
            GlobalSet "global.set" global_set [writes_state];
            /// Calls a function of the module, defined or imported.
            Call "call" call [calls];
            /// Calls the function in a table slot; the slot's index is the last operand.
            CallIndirect "call_indirect" call_indirect [calls];
            /// The reference in a slot of a table of functions.
            TableGet "table.get" table_get [reads_state traps];
            /// 1 if the slot of a table of functions holds the instance's reference to this
            /// function, which the module defines, else 0.
            TableHolds "table.holds" table_holds [reads_state traps];
            /// Calls the function that the last operand refers to.
            CallRef "call_ref" call_ref [calls];
            /// An operation of a language, opaque to the engine; its declaration gives types and effects.
            Dialect "dialect" dialect [dialect];
            /// Traps with the code given as immediate if the operand (i32) is not zero.
            TrapIf "trap_if" trap_if [traps];
            /// Counts down the forced-deoptimization budget of the thread of execution
            /// (`VmLimits::deopt_budget`); 0 when it passes below zero, else 1. The optimizer puts
            /// it in front of `deopt_unless` in the stress mode that forces deoptimizations (SSA
            /// form only).
            DeoptTick "deopt.tick" deopt_tick [reads_state writes_state];
            /// Consumes one unit of the fuel of the thread of execution (`VmLimits::fuel`); traps
            /// with `out_of_fuel` when it passes below zero. The optimizer puts it where the
            /// register form enters a function or takes a back edge, if fuel is on (SSA form only).
            FuelTick "fuel.tick" fuel_tick [writes_state traps];
            /// Goes on in the interpreter, in the state described, if the operand (i32) is zero
            /// (SSA form only).
            DeoptUnless "deopt_unless" deopt_unless [deopts];
            /// At a loop header: traps if an interruption is asked for, and where the engine asks for
            /// it (`VmLimits::sample`) looks for better code to go on in, leaving for the
            /// interpreter in the state described if there is some. The optimizer puts it where
            /// the register form has a loop header, if a tier above may take over (SSA form only).
            OsrPoll "osr.poll" deopt [polls];
            /// Goes on in a block.
            Br "br" br [terminator];
            /// Goes on in the first block if the operand (i32) is not zero, else in the second.
            BrIf "br_if" br_if [terminator];
            /// Like `br_if`, where the second block is the one that is not expected: an optimizing
            /// tier may leave for the interpreter there.
            Guard "guard" br_if [terminator];
            /// Goes on in the block that the operand (i32, unsigned) selects, or in the last one.
            BrTable "br_table" br_table [terminator];
            /// Returns from the function.
            Return "return" return_ [terminator];
            /// Traps with the code given as immediate.
            Trap "trap" trap [terminator traps];
            /// Goes on in the interpreter, in the state described (SSA form only).
            Deopt "deopt" deopt [terminator deopts];
        }
    } };
}
