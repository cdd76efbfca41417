//! Spans of time, counted in buckets of a fifth of their size.

/// Buckets per doubling, as a power of two.
const SUB_BITS: u32 = 2;
const SUBS: u64 = 1 << SUB_BITS;
const BUCKETS: usize = 128;
/// Above this many samples all counts are halved, so that what is old fades.
const FULL: u32 = 1024;

/// How often spans of each length were seen. Empty ones hold no memory; others 256 bytes. Recording is a few
/// instructions, but for each 512th sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    buckets: Option<Box<[u16; BUCKETS]>>,
    samples: u32,
}

impl Histogram {
    /// Counts one span. Spans above 2.3 hours count as 2.3 hours.
    pub(crate) fn record(&mut self, span_us: u64) {
        let buckets = self.buckets.get_or_insert_with(|| Box::new([0; BUCKETS]));
        buckets[bucket(span_us)] += 1;
        self.samples += 1;
        if self.samples >= FULL {
            self.samples = 0;
            for count in buckets.iter_mut() {
                *count /= 2;
                self.samples += u32::from(*count);
            }
        }
    }

    /// How many samples the figures rest on.
    pub(crate) fn samples(&self) -> u32 {
        self.samples
    }

    /// The span that `percent` of the samples do not exceed, up to a fifth too long; none without samples.
    pub(crate) fn percentile_us(&self, percent: u32) -> Option<u64> {
        let buckets = self.buckets.as_ref().filter(|_| self.samples > 0)?;
        let rank = (u64::from(self.samples) * u64::from(percent))
            .div_ceil(100)
            .max(1);
        let mut seen = 0;
        let at = buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        at.map(longest_of)
    }
}

fn bucket(span_us: u64) -> usize {
    if span_us < SUBS {
        return span_us as usize;
    }
    let exponent = u64::from(63 - span_us.leading_zeros());
    let sub = (span_us >> (exponent - u64::from(SUB_BITS))) & (SUBS - 1);
    (((exponent - 1) * SUBS + sub) as usize).min(BUCKETS - 1)
}

/// The longest span that falls into a bucket.
fn longest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUBS {
        return bucket;
    }
    let (exponent, sub) = (bucket / SUBS + 1, bucket % SUBS);
    let width = 1 << (exponent - u64::from(SUB_BITS));
    (SUBS + sub) * width + width - 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_span_is_at_most_a_quarter_below_its_buckets_end() {
        let mut last = 0;
        for span in (0..2000).chain((11..33).map(|power| (1 << power) + 3)) {
            let (at, end) = (bucket(span), longest_of(bucket(span)));
            assert!(at >= last, "{span}");
            assert!(
                end >= span && end <= span + span / 4,
                "{span} ends at {end}"
            );
            last = at;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile_us(50), None);
        for span in [1, 2, 3, 1_000_000] {
            histogram.record(span);
        }
        assert_eq!(histogram.percentile_us(50), Some(2));
        assert_eq!(histogram.percentile_us(75), Some(3));
        assert!(histogram.percentile_us(99).unwrap() >= 1_000_000);
    }

    #[test]
    fn what_is_old_fades() {
        let mut histogram = Histogram::default();
        (0..3000).for_each(|_| histogram.record(100));
        (0..3000).for_each(|_| histogram.record(100_000));
        assert!(histogram.percentile_us(50).unwrap() >= 100_000);
        assert!(histogram.samples() < FULL);
    }
}
