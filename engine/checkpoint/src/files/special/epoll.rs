//! Epoll sets.

use std::collections::BTreeMap;

use offshoot_image::model::{EpollWatch, OpenFileKind};
use offshoot_sys::kcmp::{EpollSlot, epoll_watches};

use super::super::description::Description;
use super::super::error::{FileError, Halt};
use super::super::obstacle::Obstacle;
use super::super::survey::Survey;

/// `epoll_create(2)`.
pub(super) fn kind(survey: &Survey, description: &Description) -> Result<OpenFileKind, Halt> {
    survey.refuse_shared(description, "an epoll set")?;
    let mut watches = Vec::new();
    // Several entries can have one number: the kernel tells them apart by their order.
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    for line in &description.info.rest {
        let watch = parse(line).ok_or_else(|| description.malformed(survey.target, line))?;
        let nth = seen.entry(watch.descriptor).or_default();
        let slot = EpollSlot {
            epoll: description.first(),
            target: watch.descriptor,
            nth: *nth,
        };
        *nth += 1;
        refuse_stale(survey, &slot)?;
        watches.push(watch);
    }
    Ok(OpenFileKind::Epoll { watches })
}

/// Refuses an entry whose number does not lead to the watched file any more.
fn refuse_stale(survey: &Survey, slot: &EpollSlot) -> Result<(), Halt> {
    let number_is_open = survey.is_open(slot.target);
    if number_is_open && watches(survey, slot, slot.target)? {
        return Ok(());
    }
    let mut duplicate = None;
    for other in &survey.descriptions {
        if watches(survey, slot, other.first())? {
            duplicate = Some(other.first());
            break;
        }
    }
    Err(Obstacle::EpollTarget {
        number: slot.target,
        number_is_open,
        duplicate,
    }
    .into())
}

fn watches(survey: &Survey, slot: &EpollSlot, descriptor: u32) -> Result<bool, FileError> {
    epoll_watches(survey.target.id(), slot, descriptor).map_err(|source| FileError::Query {
        descriptor: slot.epoll,
        what: "which file it watches",
        source,
    })
}

/// `tfd: 5 events: 80000019 data: 5  pos:0 ino:61 sdev:9` (`proc_pid_fdinfo(5)`).
fn parse(line: &str) -> Option<EpollWatch> {
    let mut words = line.split_ascii_whitespace();
    let mut after = |key| (words.next()? == key).then(|| words.next())?;
    Some(EpollWatch {
        descriptor: after("tfd:")?.parse().ok()?,
        events: u32::from_str_radix(after("events:")?, 16).ok()?,
        data: u64::from_str_radix(after("data:")?, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_data_are_hexadecimal() {
        let line = "tfd:        4 events: 80000019 data:       ff00000010  pos:0 ino:f902a sdev:9";
        let expected = EpollWatch {
            descriptor: 4,
            events: 0x8000_0019,
            data: 0xff_0000_0010,
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("tfd: 4 data: 1"), None);
    }
}
