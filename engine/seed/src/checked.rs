//! Which images need not be checked page by page once more.
//!
//! Images of versions are differences to those of runtimes, which many have in common: each is checked by the first template
//! that is made of it, and again only if its file has changed.

use std::collections::HashMap;

use offshoot_pool::{ImageName, Stamp};

/// Images of which every page was right, with the stamp that their files had then.
#[derive(Debug)]
pub(crate) struct Checked<S = Stamp>(HashMap<ImageName, S>);

impl<S> Default for Checked<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: PartialEq + Clone> Checked<S> {
    /// How many of a chain's images, from the first on, have to be checked: those behind them were, and have not changed.
    pub(crate) fn due(&self, chain: &[(ImageName, S)]) -> usize {
        let is_due = |(name, stamp): &(ImageName, S)| self.0.get(name) != Some(stamp);
        chain.iter().rposition(is_due).map_or(0, |last| last + 1)
    }

    /// All of a chain's images are right.
    pub(crate) fn note(&mut self, chain: &[(ImageName, S)]) {
        self.0.extend(chain.iter().cloned());
    }

    /// The image has gone.
    pub(crate) fn forget(&mut self, name: &ImageName) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ImageName {
        ImageName::new(name).expect("it is one")
    }

    #[test]
    fn what_was_checked_for_another_image_is_not_due_until_it_changes() {
        let chain = |first: &str, parent: u32| [(name(first), 1), (name("parent"), parent)];
        let mut checked = Checked::default();
        assert_eq!(checked.due(&chain("one", 1)), 2);
        checked.note(&chain("one", 1));
        assert_eq!(checked.due(&chain("one", 1)), 0);
        assert_eq!(checked.due(&chain("other", 1)), 1);
        assert_eq!(checked.due(&chain("one", 2)), 2);
        checked.forget(&name("one"));
        assert_eq!(checked.due(&chain("one", 1)), 1);
    }
}
