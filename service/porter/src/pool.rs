//! Idle instances, newest used first, so that the oldest become idle for long and end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The idle instances of all functions. Not locked: the porter holds it under one lock.
#[derive(Debug)]
pub(crate) struct Pool<I> {
    functions: HashMap<Arc<str>, Revisions<I>>,
    /// Counts the changes of each function: an instance born before the last one is not taken back.
    generations: HashMap<Arc<str>, u64>,
    len: usize,
}

/// The idle instances of one function, by revision; each stack has the newest on top.
type Revisions<I> = HashMap<Arc<str>, Vec<Idle<I>>>;

#[derive(Debug)]
struct Idle<I> {
    instance: I,
    since: Instant,
}

impl<I> Default for Pool<I> {
    fn default() -> Self {
        Self {
            functions: HashMap::new(),
            generations: HashMap::new(),
            len: 0,
        }
    }
}

impl<I> Pool<I> {
    /// The instance of this revision that was used last.
    pub(crate) fn take(&mut self, function: &str, revision: &str) -> Option<I> {
        let idle = self.functions.get_mut(function)?.get_mut(revision)?.pop()?;
        self.len -= 1;
        Some(idle.instance)
    }

    /// The generation that an instance made now belongs to.
    pub(crate) fn generation(&self, function: &str) -> u64 {
        self.generations.get(function).copied().unwrap_or(0)
    }

    /// Keeps an instance, unless its function has changed since `generation`.
    pub(crate) fn put(
        &mut self,
        function: &Arc<str>,
        revision: &Arc<str>,
        generation: u64,
        instance: I,
    ) -> Result<(), I> {
        if self.generation(function) != generation {
            return Err(instance);
        }
        let revisions = self.functions.entry(Arc::clone(function)).or_default();
        let idle = revisions.entry(Arc::clone(revision)).or_default();
        idle.push(Idle {
            instance,
            since: Instant::now(),
        });
        self.len += 1;
        Ok(())
    }

    /// How many of this revision are idle.
    pub(crate) fn count(&self, function: &str, revision: &str) -> usize {
        let revisions = self.functions.get(function);
        let idle = revisions.and_then(|revisions| revisions.get(revision));
        idle.map_or(0, Vec::len)
    }

    /// All idle instances of a function that has changed.
    pub(crate) fn take_function(&mut self, function: &Arc<str>) -> Vec<I> {
        *self.generations.entry(Arc::clone(function)).or_default() += 1;
        let revisions = self.functions.remove(function).unwrap_or_default();
        self.taken(revisions.into_values().flatten())
    }

    /// Everything.
    pub(crate) fn take_all(&mut self) -> Vec<I> {
        let functions = std::mem::take(&mut self.functions);
        self.taken(
            functions
                .into_values()
                .flat_map(HashMap::into_values)
                .flatten(),
        )
    }

    /// Everything that has been idle for `keep_alive`.
    pub(crate) fn take_expired(&mut self, now: Instant, keep_alive: Duration) -> Vec<I> {
        let mut expired = Vec::new();
        for revisions in self.functions.values_mut() {
            for idle in revisions.values_mut() {
                let fresh = idle.iter().position(|idle| now - idle.since < keep_alive);
                expired.extend(idle.drain(..fresh.unwrap_or(idle.len())));
            }
            revisions.retain(|_, idle| !idle.is_empty());
        }
        self.functions.retain(|_, revisions| !revisions.is_empty());
        self.taken(expired.into_iter())
    }

    /// The instance that has been idle for longest.
    pub(crate) fn take_oldest(&mut self) -> Option<I> {
        let oldest = self
            .stacks_mut()
            .min_by_key(|idle| idle.first().map(|idle| idle.since))?;
        let instance = oldest.remove(0).instance;
        self.len -= 1;
        Some(instance)
    }

    /// Since when the longest idle instance has been so.
    pub(crate) fn oldest_since(&self) -> Option<Instant> {
        let stacks = self.functions.values().flat_map(HashMap::values);
        stacks
            .filter_map(|idle| idle.first().map(|idle| idle.since))
            .min()
    }

    /// How many are idle.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn stacks_mut(&mut self) -> impl Iterator<Item = &mut Vec<Idle<I>>> {
        self.functions
            .values_mut()
            .flat_map(HashMap::values_mut)
            .filter(|idle| !idle.is_empty())
    }

    fn taken(&mut self, idle: impl Iterator<Item = Idle<I>>) -> Vec<I> {
        let instances: Vec<I> = idle.map(|idle| idle.instance).collect();
        self.len -= instances.len();
        instances
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn put(pool: &mut Pool<u32>, revision: &str, instance: u32) {
        let generation = pool.generation("f");
        pool.put(&"f".into(), &revision.into(), generation, instance)
            .unwrap();
    }

    #[test]
    fn the_instance_used_last_is_taken_first_and_the_oldest_expires() {
        let mut pool = Pool::default();
        put(&mut pool, "r", 1);
        std::thread::sleep(Duration::from_millis(20));
        put(&mut pool, "r", 2);
        let expired = pool.take_expired(Instant::now(), Duration::from_millis(15));
        assert_eq!(expired, [1]);
        assert_eq!(pool.take("f", "r"), Some(2));
        assert_eq!((pool.take("f", "r"), pool.len()), (None, 0));
    }

    #[test]
    fn another_revision_is_never_given() {
        let mut pool = Pool::default();
        put(&mut pool, "old", 1);
        assert_eq!(pool.take("f", "new"), None);
    }

    #[test]
    fn an_instance_born_before_its_function_changed_is_refused() {
        let mut pool = Pool::default();
        let before = pool.generation("f");
        put(&mut pool, "r", 1);
        assert_eq!(pool.take_function(&"f".into()), [1]);
        assert_eq!(pool.put(&"f".into(), &"r".into(), before, 2), Err(2));
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn the_oldest_of_all_functions_makes_room() {
        let mut pool = Pool::default();
        put(&mut pool, "a", 1);
        put(&mut pool, "b", 2);
        put(&mut pool, "a", 3);
        assert_eq!(pool.take_oldest(), Some(1));
        assert_eq!(pool.len(), 2);
    }
}
