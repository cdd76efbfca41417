//! Character devices.

use offshoot_image::model::OpenFileKind;
use rustix::fs::{major, minor};

use super::super::description::Description;
use super::super::error::Halt;
use super::super::obstacle::Obstacle;
use super::super::survey::Survey;

/// Memory devices without state, by minor number of major 1 (`mem(4)`, `random(4)`).
const STATELESS: [(u32, &[u8]); 5] = [
    (3, b"/dev/null"),
    (5, b"/dev/zero"),
    (7, b"/dev/full"),
    (8, b"/dev/random"),
    (9, b"/dev/urandom"),
];

/// The kind of a description of a character device.
pub(in super::super) fn kind(
    survey: &Survey,
    description: &Description,
) -> Result<OpenFileKind, Halt> {
    let device = description.stat.st_rdev;
    let (major, minor) = (major(device), minor(device));
    let path = description.path();
    if major == 1
        && let Some((_, usual)) = STATELESS.iter().find(|one| one.0 == minor)
    {
        // A process that was moved into its root after its start may have the device of another.
        let path = match survey.root.inside(&path) {
            Some(path) if survey.root.leads_to(path, &description.stat)? => path.to_vec(),
            _ => usual.to_vec(),
        };
        return Ok(OpenFileKind::Device { path });
    }
    Err(if is_terminal(major) {
        Obstacle::Terminal { path }.into()
    } else {
        Obstacle::Device { path, major, minor }.into()
    })
}

/// `TTY_MAJOR`, `TTYAUX_MAJOR` and `UNIX98_PTY_*_MAJOR` of `linux/major.h`, and serial lines.
fn is_terminal(major: u32) -> bool {
    matches!(major, 2 | 3 | 4 | 5 | 128..=143 | 188 | 204)
}
