//! Where ghosts wait: who gets which, and how many there should be. Decisions only.

use std::collections::VecDeque;

use crate::spec::Account;

/// What the shelf must know of a ghost.
pub(crate) trait Shelved {
    /// Whose programs have run in it; `None` if nobody's.
    fn account(&self) -> Option<&Account>;
    /// Whether it has a link to the outside.
    fn egress(&self) -> bool;
}

/// How many ghosts of each kind should wait, and may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Without a link to the outside.
    pub(crate) quiet: usize,
    /// With one.
    pub(crate) egress: usize,
}

impl Depth {
    fn of(self, egress: bool) -> usize {
        if egress { self.egress } else { self.quiet }
    }
}

/// The ghosts, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Shelf<G> {
    depth: Depth,
    ghosts: VecDeque<G>,
    closed: bool,
}

impl<G: Shelved> Shelf<G> {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            ghosts: VecDeque::new(),
            closed: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ghosts.len()
    }

    /// Whether a ghost of this kind would be kept at all.
    pub(crate) fn keeps(&self, egress: bool) -> bool {
        !self.closed && self.depth.of(egress) > 0
    }

    /// A ghost for `account`: one of its own, the latest first, because its pages are warm; else an unused one. Never
    /// another account's.
    pub(crate) fn take(&mut self, account: &Account, egress: bool) -> Option<G> {
        let fits = |ghost: &G, owner: Option<&Account>| {
            ghost.egress() == egress && ghost.account() == owner
        };
        let own = self
            .ghosts
            .iter()
            .rposition(|ghost| fits(ghost, Some(account)));
        let index = own.or_else(|| self.ghosts.iter().position(|ghost| fits(ghost, None)))?;
        self.ghosts.remove(index)
    }

    /// Puts a ghost away. Gives one back that must go instead: itself when the shelf is closed, or the one that has waited
    /// longest of the used ones when there are twice as many as should be.
    pub(crate) fn put(&mut self, ghost: G) -> Option<G> {
        if self.closed {
            return Some(ghost);
        }
        let egress = ghost.egress();
        self.ghosts.push_back(ghost);
        let of_kind = self.ghosts.iter().filter(|ghost| ghost.egress() == egress);
        if of_kind.count() <= 2 * self.depth.of(egress) {
            return None;
        }
        let used = |ghost: &G| ghost.egress() == egress && ghost.account().is_some();
        let index = self.ghosts.iter().position(used);
        self.ghosts.remove(index.unwrap_or(self.ghosts.len() - 1))
    }

    /// The kind of which an unused ghost should be made next, if any.
    pub(crate) fn wants(&self) -> Option<bool> {
        if self.closed {
            return None;
        }
        let unused = |egress: bool| {
            let is_one = |ghost: &&G| ghost.egress() == egress && ghost.account().is_none();
            self.ghosts.iter().filter(is_one).count()
        };
        [false, true]
            .into_iter()
            .find(|egress| unused(*egress) < self.depth.of(*egress))
    }

    /// Lets nothing be put any more, and gives all that is there.
    pub(crate) fn close(&mut self) -> Vec<G> {
        self.closed = true;
        self.ghosts.drain(..).collect()
    }

    /// Gives all that is there; the filler makes new ones.
    pub(crate) fn drain(&mut self) -> Vec<G> {
        self.ghosts.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Fake(u32, Option<Account>, bool);

    impl Shelved for Fake {
        fn account(&self) -> Option<&Account> {
            self.1.as_ref()
        }
        fn egress(&self) -> bool {
            self.2
        }
    }

    fn account(name: &str) -> Account {
        Account::from(name)
    }

    fn shelf(quiet: usize, egress: usize) -> Shelf<Fake> {
        Shelf::new(Depth { quiet, egress })
    }

    fn used(number: u32, by: &str) -> Fake {
        Fake(number, Some(account(by)), false)
    }

    #[test]
    fn ghost_of_another_account_is_never_given() {
        let mut shelf = shelf(4, 0);
        assert_eq!(shelf.put(used(1, "a")), None);
        assert_eq!(shelf.take(&account("b"), false), None);
        assert_eq!(shelf.take(&account("a"), false), Some(used(1, "a")));
    }

    #[test]
    fn own_ghost_comes_before_an_unused_one_and_the_latest_first() {
        let mut shelf = shelf(4, 0);
        for ghost in [Fake(1, None, false), used(2, "a"), used(3, "a")] {
            assert_eq!(shelf.put(ghost), None);
        }
        let order = [0; 4].map(|_| shelf.take(&account("a"), false).map(|ghost| ghost.0));
        assert_eq!(order, [Some(3), Some(2), Some(1), None]);
    }

    #[test]
    fn kinds_are_not_mixed() {
        let mut shelf = shelf(1, 1);
        assert_eq!(shelf.put(Fake(1, None, true)), None);
        assert_eq!(shelf.take(&account("a"), false), None);
        assert_eq!(shelf.wants(), Some(false));
        assert_eq!(shelf.put(Fake(2, None, false)), None);
        assert_eq!(shelf.wants(), None);
    }

    #[test]
    fn used_ghosts_do_not_count_as_filling_and_go_when_there_are_too_many() {
        let mut shelf = shelf(1, 0);
        assert_eq!(shelf.put(used(1, "a")), None);
        assert_eq!(shelf.wants(), Some(false));
        assert_eq!(shelf.put(Fake(2, None, false)), None);
        assert_eq!(shelf.put(used(3, "b")), Some(used(1, "a")));
    }

    #[test]
    fn closed_shelf_takes_nothing_and_wants_nothing() {
        let mut shelf = shelf(2, 0);
        assert_eq!(shelf.put(used(1, "a")), None);
        assert_eq!(shelf.close(), [used(1, "a")]);
        assert_eq!(shelf.put(used(2, "a")), Some(used(2, "a")));
        assert_eq!(shelf.wants(), None);
    }

    #[test]
    fn shelf_of_depth_zero_keeps_nothing() {
        let mut shelf = shelf(0, 0);
        assert!(!shelf.keeps(false));
        assert_eq!(shelf.put(used(1, "a")), Some(used(1, "a")));
        assert_eq!(shelf.wants(), None);
    }
}
