//! Operands that are vectors, made of interesting lanes.

use super::values::interesting;
use cupola_ir::Type;

/// Interesting lanes of each kind: their width in bits, and their values.
fn lane_kinds() -> [(usize, Vec<u64>); 6] {
    let bytes = [0, 1, 2, 15, 16, 17, 0x40, 0x55, 0x7e, 0x7f, 0x80, 0x81, 0xaa, 0xc0, 0xfe, 0xff];
    let words = [
        0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x4000, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xff7f, 0xff80,
        0xfffe, 0xffff,
    ];
    // Signaling NaNs, and NaNs with a payload.
    let mut singles = interesting(Type::F32);
    singles.extend([0x7fa0_0000, 0xffc1_2345]);
    let mut doubles = interesting(Type::F64);
    doubles.extend([0x7ff4 << 48, 0xfff8_1234_5678_9abc]);
    [
        (8, bytes.to_vec()),
        (16, words.to_vec()),
        (32, interesting(Type::I32)),
        (64, interesting(Type::I64)),
        (32, singles),
        (64, doubles),
    ]
}

/// The vector of lanes from `start` on.
fn vector(width: usize, values: &[u64], start: usize) -> u128 {
    (0..128 / width).fold(0, |vector, lane| {
        vector | u128::from(values[(start + lane) % values.len()]) << (lane * width)
    })
}

/// Vectors that have every interesting lane of every kind in them.
pub fn vectors() -> Vec<u128> {
    let mut all = Vec::new();
    for (width, values) in lane_kinds() {
        let starts = (0..values.len()).step_by(128 / width);
        all.extend(starts.map(|start| vector(width, &values, start)));
    }
    all
}

/// Pairs of vectors in which every interesting lane of every kind meets every other.
pub fn pairs() -> Vec<[u128; 2]> {
    let mut all = Vec::new();
    for (width, values) in lane_kinds() {
        for distance in 0..values.len() {
            for start in (0..values.len()).step_by(128 / width) {
                let other = vector(width, &values, start + distance);
                all.push([vector(width, &values, start), other]);
            }
        }
    }
    all
}

/// Operands for parameters of these types, at least one of which is a vector or all of which are
/// scalars that one takes.
pub fn operands(params: &[Type]) -> Vec<Vec<u128>> {
    let scalars = |ty| interesting(ty).into_iter().map(u128::from).collect::<Vec<u128>>();
    match *params {
        [Type::V128] => vectors().into_iter().map(|v| vec![v]).collect(),
        [Type::V128, Type::V128] => pairs().into_iter().map(Vec::from).collect(),
        [Type::V128, Type::V128, Type::V128] => {
            let third = vectors();
            let pairs = pairs().into_iter().enumerate();
            let thirds = pairs.flat_map(|(i, [a, b])| {
                let pick = |j: usize| vec![a, b, third[(i * 7 + j * 11) % third.len()]];
                [pick(0), pick(1), pick(2)]
            });
            thirds.collect()
        }
        [Type::V128, ty] => {
            let scalars = scalars(ty);
            let each = |v| scalars.iter().map(move |&s| vec![v, s]).collect::<Vec<_>>();
            vectors().into_iter().flat_map(each).collect()
        }
        [ty] => scalars(ty).into_iter().map(|s| vec![s]).collect(),
        _ => panic!("operands of {params:?}"),
    }
}
