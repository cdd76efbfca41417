//! eventfd, timerfd and signalfd, as their fdinfo shows them.

use offshoot_image::model::OpenFileKind;
use rustix::time::timerfd_gettime;

use super::super::description::Description;
use super::super::error::Halt;
use super::super::info::Info;
use super::super::survey::Survey;

/// `eventfd(2)`.
pub(super) fn counter(survey: &Survey, description: &Description) -> Result<OpenFileKind, Halt> {
    survey.refuse_shared(description, "an eventfd")?;
    let target = survey.target;
    Ok(OpenFileKind::Event {
        count: description.number(target, "eventfd-count", 16)?,
        semaphore: description.number(target, "eventfd-semaphore", 10)? != 0,
    })
}

/// `timerfd_create(2)`.
pub(super) fn timer(survey: &Survey, description: &Description) -> Result<OpenFileKind, Halt> {
    survey.refuse_shared(description, "a timer (timerfd)")?;
    let target = survey.target;
    // A timer that fires again and again stands still while nobody reads it; asking it makes the kernel count what it
    // has missed, as reading would.
    description.asked("the time left", timerfd_gettime(&description.file))?;
    let name = format!("fdinfo/{}", description.first());
    let text = target.proc_text(&name)?;
    let info = Info::parse(&text).map_err(|line| target.malformed(&name, line))?;
    let number = |key, radix| {
        let number = info.number(key, radix);
        number.ok_or_else(|| description.malformed(target, key))
    };
    let duration = |key| {
        let value = info.value(key);
        value
            .and_then(nanoseconds)
            .ok_or_else(|| description.malformed(target, key))
    };
    let clock = number("clockid", 10)?;
    let set_flags = number("settime flags", 8)?;
    Ok(OpenFileKind::Timer {
        clock: i32::try_from(clock).map_err(|_| description.malformed(target, "clockid"))?,
        ticks: number("ticks", 10)?,
        set_flags: u32::try_from(set_flags)
            .map_err(|_| description.malformed(target, "settime flags"))?,
        left_ns: duration("it_value")?,
        interval_ns: duration("it_interval")?,
    })
}

/// `signalfd(2)`.
pub(super) fn signals(survey: &Survey, description: &Description) -> Result<OpenFileKind, Halt> {
    survey.refuse_shared(description, "a signalfd")?;
    let mask = description.number(survey.target, "sigmask", 16)?;
    Ok(OpenFileKind::Signal { mask })
}

/// `(SECONDS, NANOSECONDS)`.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, nanoseconds) = text
        .strip_prefix('(')?
        .strip_suffix(')')?
        .split_once(", ")?;
    let seconds: u64 = seconds.parse().ok()?;
    let nanoseconds: u64 = nanoseconds.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_seconds_and_nanoseconds() {
        assert_eq!(nanoseconds("(2, 500)"), Some(2_000_000_500));
        assert_eq!(nanoseconds("(0, 0)"), Some(0));
        assert_eq!(nanoseconds("2, 500"), None);
        assert_eq!(nanoseconds("(18446744073709551615, 0)"), None);
    }
}
