//! Numbers for people.

/// A number with a comma between each three digits.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that suits it, with three digits.
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0 => return "0".to_owned(),
        1..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// A size in the unit that suits it.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..10_240 => format!("{} B", thousands(n)),
        10_240..10_485_760 => format!("{:.1} KiB", n as f64 / 1024.0),
        _ => format!("{:.1} MiB", n as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        let times = [0, 17, 1_234, 98_765, 123_456_789, 3_600_000_000_000];
        assert_eq!(times.map(duration), ["0", "17 ns", "1.23 µs", "98.8 µs", "123 ms", "3600 s"]);
        assert_eq!(
            [0, 10_239, 10_240, 64 << 20].map(bytes),
            ["0 B", "10,239 B", "10.0 KiB", "64.0 MiB"]
        );
    }
}
