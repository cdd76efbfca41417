//! What client and nursery say to each other, one packet each.

use std::io;

use offshoot_image::model::Profile;
use serde::{Deserialize, Serialize};

use crate::confine::Confined;
use crate::{FileUser, Memory, Substituted};

/// Asks for a template. With it come the template's end of its control socket, the two parts of a recipe and a root directory
/// if there are any, and the images, the one to be cloned first.
#[derive(Serialize, Deserialize)]
pub(crate) struct Make {
    /// Told back in what is said of this request; the template chooses a processor by it.
    pub(crate) number: u32,
    pub(crate) memory: Memory,
    /// Whether a recipe comes with it: then the images are not read.
    pub(crate) has_recipe: bool,
    /// So many of the images, the first ones, have every page checked.
    pub(crate) images_to_check: usize,
    /// What a sandbox makes of clones.
    pub(crate) confined: Option<Confined>,
    /// Which pages clones need, if it is not the image that knows it.
    pub(crate) profile: Option<Profile>,
    /// As whom files are opened, if not with all rights.
    pub(crate) files_as: Option<FileUser>,
    /// Whether the directory from which they are opened comes with it, behind the recipe.
    pub(crate) has_root: bool,
    /// The key of the images.
    pub(crate) key: [u8; 32],
}

/// What the nursery says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// It takes requests.
    Ready,
    /// A template is being made, by this process.
    Making { number: u32, pid: i32 },
    /// A child has ended, with this wait status.
    Ended { pid: i32, status: i32 },
    /// A request could not be met.
    Failed { number: u32, what: String },
    /// It ends, because it could not do something.
    Ending { what: String },
}

/// The first packet on a template's control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Birth {
    /// What each clone must be given; with it come the two parts of the recipe.
    Needs(Vec<Substituted>),
    /// There will be no template.
    Refused(String),
}

pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(message).map_err(io::Error::other)
}

pub(crate) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
