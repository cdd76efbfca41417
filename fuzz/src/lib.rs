//! What each fuzz target does with its input, and the samples that it starts from. The targets themselves are shells, so
//! that an input which was found once can be tried by anything that calls these functions.
//!
//! A target claims more than that nothing panics: what is accepted keeps the rules of its format.

use std::path::Path;

pub mod control;
pub mod engine;
pub mod image;
pub mod plan;
pub mod service;

/// The name of a target, and valid inputs of it.
pub type Samples = (&'static str, Vec<Vec<u8>>);

/// If `OFFSHOOT_SAMPLES` names a directory, writes a folder of samples for each target into it, and ends. A target does
/// it because a program of its own would be instrumented without libFuzzer to link with.
///
/// # Panics
/// A file cannot be written.
pub fn write_samples_if_asked() {
    let Some(directory) = std::env::var_os("OFFSHOOT_SAMPLES") else {
        return;
    };
    for (target, samples) in samples() {
        let folder = Path::new(&directory).join(target);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        for (index, sample) in samples.iter().enumerate() {
            let file = folder.join(format!("sample-{index}"));
            std::fs::write(file, sample).expect("the sample can be written");
        }
    }
    std::process::exit(0);
}

/// Valid inputs for each target.
pub fn samples() -> Vec<Samples> {
    vec![
        ("image_header", image::header_samples()),
        ("image_manifest", image::manifest_samples()),
        ("image_digests", image::digests_samples()),
        ("image_plan", image::manifest_samples()),
        ("plan", plan::plan_samples()),
        ("reply", plan::reply_samples()),
        ("messages", engine::samples()),
        ("frame", service::frame_samples()),
        ("request", service::request_samples()),
        ("control", image::manifest_samples()),
    ]
}
