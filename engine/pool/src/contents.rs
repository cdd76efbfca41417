//! The images of a pool: listing, finding, removing.

use offshoot_image::limits::MAX_GENERATION;
use offshoot_image::model::Manifest;
use offshoot_image::{Header, ImageId};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::file::DirLock;
use crate::name::ImageName;
use crate::open_image::{OpenError, OpenImage};
use crate::pool::{Pool, PoolError, io};
use crate::shared::stored_bytes;

/// An image in a list.
#[derive(Debug)]
pub struct ListedImage {
    /// Its name.
    pub name: ImageName,
    /// How much of the pool it takes, in bytes; less than the length of its file, which has holes.
    pub stored_bytes: u64,
    /// What its header says, or why it cannot be opened.
    pub header: Result<Header, OpenError>,
}

/// An image with all that it needs.
#[derive(Debug)]
pub struct Lineage {
    /// The image.
    pub image: OpenImage,
    /// Its manifest, whose runs lie where the ancestors store pages.
    pub manifest: Manifest,
    /// Its parent, the parent's parent and so on: generation `n` of a run is `ancestors[n - 1]`.
    pub ancestors: Vec<OpenImage>,
}

/// Why an image was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is no image of that name.
    #[error("the pool has no image {name}")]
    NotFound {
        /// The name.
        name: ImageName,
    },
    /// Another image needs its pages.
    #[error("image {name} is the parent of image {by}")]
    InUse {
        /// The image.
        name: ImageName,
        /// The one that needs it.
        by: ImageName,
    },
    /// A call to the kernel failed.
    #[error("cannot remove image {name}")]
    Io {
        /// The image.
        name: ImageName,
        /// Why it failed.
        #[source]
        source: Errno,
    },
}

impl Pool {
    /// The images, by name; damaged ones too.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn list(&self) -> Result<Vec<ListedImage>, PoolError> {
        let names = self.shared.names().map_err(|e| io("list", self.dir(), e))?;
        let listed = names.into_iter().map(|name| {
            let opened = self.open_image(&name);
            let stat =
                rustix::fs::statat(&self.shared.dir, name.as_str(), AtFlags::SYMLINK_NOFOLLOW);
            ListedImage {
                name,
                stored_bytes: stat.map_or(0, |stat| stored_bytes(&stat)),
                header: opened.map(|image| image.header().clone()),
            }
        });
        // One that was removed meanwhile is none.
        let gone = |image: &ListedImage| matches!(image.header, Err(OpenError::NotFound { .. }));
        Ok(listed.filter(|image| !gone(image)).collect())
    }

    /// The image of an id; none if it is not in the pool.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, or the image is damaged.
    pub fn find(&self, id: ImageId) -> Result<Option<OpenImage>, OpenError> {
        let found = self.shared.find(id);
        match found.map_err(|source| OpenError::Search { id, source })? {
            Some(name) => self.open_image(&name).map(Some),
            None => Ok(None),
        }
    }

    /// Opens the images whose pages an image may refer to: its parent, the parent's parent and so on.
    ///
    /// # Errors
    ///
    /// If one is missing or damaged, or there are more than the format allows.
    pub fn ancestors(&self, image: &OpenImage) -> Result<Vec<OpenImage>, OpenError> {
        let limit = usize::from(MAX_GENERATION);
        let mut ancestors: Vec<OpenImage> = Vec::new();
        let mut next = image.header().parent;
        while let Some(ancestor) = next {
            let name = image.name();
            if ancestors.len() == limit {
                return Err(OpenError::TooDeep {
                    name: name.clone(),
                    limit,
                });
            }
            let found = self.find(ancestor)?.ok_or_else(|| OpenError::NoAncestor {
                name: name.clone(),
                ancestor,
            })?;
            next = found.header().parent;
            ancestors.push(found);
        }
        Ok(ancestors)
    }

    /// Opens an image with its manifest and its ancestors, and checks that they fit.
    ///
    /// # Errors
    ///
    /// If any of them is missing or damaged, or the manifest refers to pages that an ancestor does not store.
    pub fn open_lineage(&self, name: &ImageName) -> Result<Lineage, OpenError> {
        let image = self.open_image(name)?;
        let manifest = image.read_manifest()?;
        let ancestors = self.ancestors(&image)?;
        let headers: Vec<&Header> = ancestors.iter().map(OpenImage::header).collect();
        manifest
            .validate_ancestors(&headers)
            .map_err(|source| OpenError::Ancestors {
                name: name.clone(),
                source,
            })?;
        Ok(Lineage {
            image,
            manifest,
            ancestors,
        })
    }

    /// Removes an image. Processes that map it keep its pages, and the pool gets their room back when the last one ends.
    ///
    /// # Errors
    ///
    /// If there is none, or another image names it as its parent.
    pub fn remove(&self, name: &ImageName) -> Result<(), RemoveError> {
        let failed = |source| RemoveError::Io {
            name: name.clone(),
            source,
        };
        // No image can be sealed as a child meanwhile.
        let _lock = DirLock::exclusive(&self.shared.dir).map_err(failed)?;
        // A damaged image has no children that could be used.
        if let Ok(image) = self.open_image(name)
            && let Some(by) = self.child_that_needs(&image).map_err(failed)?
        {
            return Err(RemoveError::InUse {
                name: name.clone(),
                by,
            });
        }
        match rustix::fs::unlinkat(&self.shared.dir, name.as_str(), AtFlags::empty()) {
            Err(Errno::NOENT) => Err(RemoveError::NotFound { name: name.clone() }),
            result => result.map_err(failed),
        }
    }

    // Unless there is another copy of it.
    fn child_that_needs(&self, image: &OpenImage) -> Result<Option<ImageName>, Errno> {
        let mut child = None;
        for name in self.shared.names()? {
            let Ok(other) = self.open_image(&name) else {
                continue;
            };
            if other.id() == image.id() && name != *image.name() {
                return Ok(None);
            }
            if other.header().parent == Some(image.id()) {
                child = Some(name);
            }
        }
        Ok(child)
    }
}
