//! Which descriptors are duplicates: they lead to one open file description.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use offshoot_sys::kcmp;

use super::error::FileError;
use super::target::Listed;

/// Groups descriptors by description. Each group is ascending, and so are the groups, by their
/// first descriptor.
///
/// Only what looks alike in `/proc` is compared by the kernel, by binary search in the order that
/// `kcmp(2)` gives: n log n calls at most.
pub(super) fn group(pid: i32, listed: Vec<Listed>) -> Result<Vec<Vec<Listed>>, FileError> {
    let mut alike: BTreeMap<_, Vec<Listed>> = BTreeMap::new();
    for one in listed {
        let info = &one.info;
        let look = (info.inode, info.mount, info.flags, info.position);
        alike.entry(look).or_default().push(one);
    }
    let mut groups = Vec::new();
    for candidates in alike.into_values() {
        groups.append(&mut split(pid, candidates)?);
    }
    groups.sort_by_key(|group| group.first().map(|one| one.number));
    Ok(groups)
}

/// Splits descriptors that look alike, ascending by number, into groups.
fn split(pid: i32, candidates: Vec<Listed>) -> Result<Vec<Vec<Listed>>, FileError> {
    let mut groups: Vec<Vec<Listed>> = Vec::new();
    for candidate in candidates {
        match search(pid, &groups, candidate.number)? {
            Ok(same) => groups[same].push(candidate),
            Err(place) => groups.insert(place, vec![candidate]),
        }
    }
    Ok(groups)
}

/// Where in `groups`, which are in the kernel's order, `number` belongs: `Ok` in this one, `Err`
/// before it.
fn search(
    pid: i32,
    groups: &[Vec<Listed>],
    number: u32,
) -> Result<Result<usize, usize>, FileError> {
    let (mut low, mut high) = (0, groups.len());
    while low < high {
        let middle = low.midpoint(high);
        let other = groups[middle].first().map_or(number, |one| one.number);
        let order = kcmp::descriptions(pid, number, other).map_err(|source| FileError::Query {
            descriptor: number,
            what: "whether another descriptor is a duplicate",
            source,
        })?;
        match order {
            Ordering::Equal => return Ok(Ok(middle)),
            Ordering::Less => high = middle,
            Ordering::Greater => low = middle + 1,
        }
    }
    Ok(Err(low))
}
