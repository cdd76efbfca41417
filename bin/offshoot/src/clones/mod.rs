//! `offshoot checkpoint`, `clone` and `image`: the clone engine by hand, without a daemon.

mod checkpoint;
mod clone;
mod ghosts;
mod image;
mod learn;
mod place;
mod rows;

pub use checkpoint::{CheckpointArgs, run as checkpoint};
pub use clone::{CloneArgs, run as clone};
pub use image::{ImageArgs, run as image};
