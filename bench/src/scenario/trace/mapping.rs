//! Which of our workloads plays a function of a trace.
//!
//! Where the trace says what the function does, the workload that does the like, and takes memory and init like it. Else the
//! mean duration of its calls decides: the longer, the bigger, functions of a band taking turns between Python and Node.
//! The workload's own duration is what is replayed; a call of minutes would measure nothing but itself.

/// Part of the name that a trace gives to what a function does, and the workload.
const FAMILIES: [(&str, &str); 11] = [
    ("json", "json"),
    ("pyaes", "pyaes"),
    ("chameleon", "chameleon"),
    ("float", "float"),
    ("linpack", "linpack"),
    ("matmul", "linpack"),
    ("image", "image"),
    ("video", "image"),
    ("lr_", "ml"),
    ("cnn", "ml"),
    ("rnn", "ml"),
];

/// Mean durations below so many milliseconds, and the workloads that take turns.
const BANDS: [(f64, [&str; 2]); 6] = [
    (10.0, ["echo", "node-echo"]),
    (100.0, ["json", "node-echo"]),
    (1_000.0, ["html", "node-render"]),
    (10_000.0, ["chameleon", "node-markdown"]),
    (60_000.0, ["linpack", "node-crypto"]),
    (f64::INFINITY, ["ml", "image"]),
];

/// The workload for the `number`th function, which does `what` in `mean_ms`.
pub(super) fn workload(what: &str, mean_ms: f64, number: usize) -> &'static str {
    if let Some((_, workload)) = FAMILIES.iter().find(|(part, _)| what.contains(part)) {
        return workload;
    }
    let band = BANDS.iter().find(|(below, _)| mean_ms < *below);
    let (_, turns) = band.unwrap_or(&BANDS[BANDS.len() - 1]);
    turns[number % turns.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_does_decides_before_its_duration() {
        assert_eq!(workload("video_processing", 1.0, 0), "image");
        assert_eq!(workload("new_lr_serving", 1.0, 0), "ml");
        assert_eq!(workload("matmul_fb", 9e9, 1), "linpack");
    }

    #[test]
    fn unknown_functions_are_the_bigger_the_longer_they_take_and_take_turns() {
        let played = |mean_ms| [workload("a1b2", mean_ms, 0), workload("a1b2", mean_ms, 1)];
        assert_eq!(played(0.0), ["echo", "node-echo"]);
        assert_eq!(played(10.0), ["json", "node-echo"]);
        assert_eq!(played(999.9), ["html", "node-render"]);
        assert_eq!(played(350_000.0), ["ml", "image"]);
        assert_eq!(played(f64::NAN), ["ml", "image"]);
    }
}
