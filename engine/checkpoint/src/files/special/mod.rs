//! Files without a name in any directory ("anonymous inodes"), and devices.

pub(super) mod device;
mod epoll;
mod event;
mod inotify;

use offshoot_image::model::OpenFileKind;

use super::description::Description;
use super::error::Halt;
use super::obstacle::Obstacle;
use super::survey::Survey;

/// The kind of an anonymous inode: what follows `anon_inode:`, without brackets. None for any
/// other file.
pub(super) fn anonymous_name(link: &[u8]) -> Option<String> {
    let name = link.strip_prefix(b"anon_inode:")?;
    let bare = name
        .strip_prefix(b"[")
        .and_then(|name| name.strip_suffix(b"]"));
    Some(bare.unwrap_or(name).escape_ascii().to_string())
}

/// The kind of a description of an anonymous inode.
pub(super) fn kind(
    survey: &Survey,
    description: &Description,
    name: &str,
) -> Result<OpenFileKind, Halt> {
    match name {
        "eventfd" => event::counter(survey, description),
        "timerfd" => event::timer(survey, description),
        "signalfd" => event::signals(survey, description),
        "eventpoll" => epoll::kind(survey, description),
        "inotify" => inotify::kind(survey, description),
        _ => Err(Obstacle::Anonymous(noun(description, name)).into()),
    }
}

/// What an anonymous inode that cannot be carried is called.
fn noun(description: &Description, name: &str) -> String {
    let known = match name {
        "io_uring" => "an io_uring",
        "userfaultfd" => "a userfaultfd",
        "fanotify" => "a fanotify group",
        "perf_event" => "a performance counter (perf_event)",
        "landlock-ruleset" => "a Landlock ruleset",
        "fscontext" => "a file system context (fsopen)",
        "seccomp notify" => "a seccomp listener",
        "pidfd" => {
            return match description.info.value("Pid") {
                Some(pid) => format!("a pidfd of process {pid}"),
                None => "a pidfd".to_owned(),
            };
        }
        _ if name.starts_with("bpf") => return format!("a BPF object ({name})"),
        _ if name.starts_with("kvm") => return format!("a KVM object ({name})"),
        _ => return format!("an anonymous inode of the kind `{name}`"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_with_and_without_brackets() {
        assert_eq!(
            anonymous_name(b"anon_inode:[eventfd]").as_deref(),
            Some("eventfd")
        );
        assert_eq!(
            anonymous_name(b"anon_inode:inotify").as_deref(),
            Some("inotify")
        );
        assert_eq!(anonymous_name(b"/tmp/anon_inode:[eventfd]"), None);
    }
}
