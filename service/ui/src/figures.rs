//! Figures as people read them.

/// Microseconds: `85 µs`, `1.43 ms`, `2.10 s`.
pub(crate) fn duration(us: u64) -> String {
    let (value, unit) = match us {
        0..1_000 => return format!("{us} µs"),
        1_000..1_000_000 => (us as f64 / 1e3, "ms"),
        _ => (us as f64 / 1e6, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// Bytes: `812 B`, `14.2 kB`, `61.0 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    format!("{} {unit}", three_digits(value))
}

/// Whole numbers with thin spaces between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How many a list leaves out, if any.
pub(crate) fn more(left_out: usize) -> Option<String> {
    (left_out > 0).then(|| count(left_out as u64))
}

/// The time of day, UTC: `17:04:59`.
pub(crate) fn time_of_day(at_ms: i64) -> String {
    let second = at_ms.div_euclid(1000).rem_euclid(86_400);
    format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// A part of a whole for an attribute of SVG: `12.5%`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64)
}

fn three_digits(value: f64) -> String {
    let places = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_their_unit() {
        let durations = [0, 999, 1_000, 14_260, 999_499, 2_100_000].map(duration);
        assert_eq!(
            durations,
            ["0 µs", "999 µs", "1.00 ms", "14.3 ms", "999 ms", "2.10 s"]
        );
        let sizes = [812, 14_200, 61_000_000, 3_210_000_000].map(bytes);
        assert_eq!(sizes, ["812 B", "14.2 kB", "61.0 MB", "3.21 GB"]);
        let counts = [7, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["7", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
    }

    #[test]
    fn time_of_day_is_utc_whatever_the_sign() {
        assert_eq!(time_of_day(1_764_203_099_000), "00:24:59");
        assert_eq!(time_of_day(-1), "23:59:59");
    }

    #[test]
    fn part_of_nothing_is_no_division_by_zero() {
        assert_eq!(percent(0, 0), "0.00%");
        assert_eq!(percent(1, 3), "33.33%");
    }
}
