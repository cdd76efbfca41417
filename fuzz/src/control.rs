//! Positive controls: bugs that the fuzzer must find within its time, chosen by `OFFSHOOT_CONTROL`.

use std::sync::LazyLock;
use std::time::Duration;

use offshoot_image::sample;

static PLANTED: LazyLock<String> =
    LazyLock::new(|| std::env::var("OFFSHOOT_CONTROL").unwrap_or_default());

/// Contains the bug that the environment names.
pub fn control(input: &[u8]) {
    match PLANTED.as_str() {
        "steps" => steps(input),
        "digest" => behind_the_digest(input),
        "hang" if input.first() == Some(&7) => std::thread::sleep(Duration::from_secs(60)),
        "memory" if input.first() == Some(&7) => drop(std::hint::black_box(vec![1_u8; 1 << 30])),
        _ => {}
    }
}

/// Four comparisons, each behind the one before: chance alone needs some billions of attempts, who sees which branches
/// were taken needs some thousands.
fn steps(input: &[u8]) {
    let wanted = b"bug!";
    for (index, byte) in wanted.iter().enumerate() {
        if input.get(index) != Some(byte) {
            return;
        }
    }
    panic!("planted: found step by step");
}

/// Reached only by metadata that is genuine and valid, and whose process is not the samples'.
fn behind_the_digest(input: &[u8]) {
    if let Some((mut manifest, _)) = crate::image::open(input) {
        let samples = sample::manifest(4).process;
        manifest.process.umask = samples.umask;
        assert_eq!(
            manifest.process, samples,
            "planted: found behind the digest"
        );
    }
}
