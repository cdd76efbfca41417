//! The small histograms: the same bins for every kind and function, so that they can be compared at a glance.

/// Bins in each decade.
const IN_DECADE: usize = 8;
/// The first bin's lower edge is 10 to the power of this, in microseconds: 100 µs.
const FIRST_DECADE: f64 = 2.0;
/// From 100 µs to 10 s; what lies outside counts in the first and the last bin.
const DECADES: usize = 5;
/// Bins in all.
pub(crate) const BINS: usize = IN_DECADE * DECADES;
/// Height of the drawing.
const HEIGHT: f64 = 24.0;

/// A bar: where, and how high, in units of the drawing (one bin is one unit wide).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: usize,
    pub(crate) y: String,
    pub(crate) height: String,
}

/// The bars of a distribution; the highest is as high as the drawing.
pub(crate) fn bars(recorded: &[(u64, u64)]) -> Vec<Bar> {
    let mut bins = [0_u64; BINS];
    for &(us, count) in recorded {
        bins[bin(us)] += count;
    }
    let most = bins.iter().copied().max().unwrap_or(0);
    let filled = bins.iter().enumerate().filter(|(_, count)| **count > 0);
    filled
        .map(|(x, count)| {
            // A single slow start among thousands is still seen.
            let height = (HEIGHT * *count as f64 / most as f64).max(1.5);
            Bar {
                x,
                y: format!("{:.1}", HEIGHT - height),
                height: format!("{height:.1}"),
            }
        })
        .collect()
}

/// Where 1 ms, 10 ms, ... are, in units of the drawing.
pub(crate) fn ticks() -> impl Iterator<Item = usize> {
    (1..DECADES).map(|decade| decade * IN_DECADE)
}

fn bin(us: u64) -> usize {
    let decades = (us.max(1) as f64).log10() - FIRST_DECADE;
    let at = (decades * IN_DECADE as f64).floor().max(0.0);
    (at as usize).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_even_in_the_logarithm_and_nothing_falls_out() {
        assert_eq!([0, 99, 100, 1_000, 9_999].map(bin), [0, 0, 0, 8, 15]);
        assert_eq!(bin(u64::MAX), BINS - 1);
        assert_eq!(ticks().collect::<Vec<_>>(), [8, 16, 24, 32]);
    }

    #[test]
    fn highest_bar_is_the_drawing_and_the_lowest_is_still_seen() {
        let found = bars(&[(150, 10_000), (5_000_000, 1)]);
        let heights: Vec<_> = found.iter().map(|bar| bar.height.as_str()).collect();
        assert_eq!(heights, ["24.0", "1.5"]);
        assert_eq!(bars(&[]), []);
    }
}
