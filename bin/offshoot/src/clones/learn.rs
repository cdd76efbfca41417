//! `offshoot clone --learn`: which pages does a clone need?

use std::thread;
use std::time::Duration;

use clap::Args;
use offshoot_clone::observe;
use offshoot_image::ImageId;
use offshoot_image::model::{Manifest, PageRange};
use offshoot_pool::{ImageName, Pool};

use super::place;
use crate::cli::Context;
use crate::report::{Failure, Kind};

/// What is learned, and when.
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// Watch one clone, and make the image NEW: the same process, whose later clones find ready what this one needed.
    /// NEW has no pages of its own; it needs NAME's
    #[arg(long, value_name = "NEW", conflicts_with_all = ["number", "park"])]
    pub learn: Option<String>,
    /// How long the clone is watched after it has begun to run: long enough for a typical request
    #[arg(long, value_name = "MS", default_value_t = 1000, requires = "learn")]
    pub learn_after_ms: u64,
}

/// Waits, looks at the clone, and writes the image.
pub fn learn(
    args: &LearnArgs,
    pool: &Pool,
    (parent, manifest): (ImageId, Manifest),
    pid: i32,
    context: &Context,
) -> Result<(), Failure> {
    let Some(name) = &args.learn else {
        return Ok(());
    };
    let failed = |error: &dyn std::error::Error| Failure::from_error(Kind::Failed, error);
    let name: ImageName = place::name(name)?;
    thread::sleep(Duration::from_millis(args.learn_after_ms));
    let profile = observe(pid, &manifest).map_err(|error| {
        failed(&error).hint("the clone must still run when it is looked at: see --learn-after-ms")
    })?;
    let pages = |ranges: &[PageRange]| ranges.iter().map(|range| range.pages).sum::<u64>();
    let (touched, written) = (pages(&profile.accessed), pages(&profile.dirty));
    let image = pool.create(&name).map_err(|error| failed(&error))?;
    image
        .finish(&manifest.with_profile(parent, profile))
        .map_err(|error| failed(&error))?;
    context.console.note(&format!(
        "image {name}: clones find {touched} touched pages ready, {written} of them as copies of their own"
    ));
    Ok(())
}
