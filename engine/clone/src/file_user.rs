//! Opening files as somebody who may less.

use rustix::io::Errno;
use rustix::process::{Gid, Uid, getgid, getgroups, getuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::FileUser;

/// Does some work as `user`, or as the caller if there is none, and is the caller again. For a process with one thread.
/// The kernel takes all capabilities that concern files from who has another effective user than root, and gives them
/// back afterwards (`capabilities(7)`).
///
/// # Errors
/// Why the caller cannot become that user, or not again who it was; else what the work says.
pub(crate) fn with<T>(
    user: Option<FileUser>,
    work: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    let Some(user) = user else {
        return work();
    };
    let said = |errno: Errno| {
        let FileUser { user, group } = user;
        format!("files cannot be opened as user {user} and group {group}: {errno}")
    };
    let groups = getgroups().map_err(said)?;
    become_user(&[], Gid::from_raw(user.group), Uid::from_raw(user.user)).map_err(said)?;
    let result = work();
    // In the other order: who is no longer root may not change groups.
    let user = getuid();
    set_thread_res_uid(user, user, user).map_err(said)?;
    become_user(&groups, getgid(), user).map_err(said)?;
    result
}

/// Changes the effective ids; the real and saved ones stay, as the way back.
fn become_user(groups: &[Gid], group: Gid, user: Uid) -> Result<(), Errno> {
    set_thread_groups(groups)?;
    set_thread_res_gid(getgid(), group, getgid())?;
    set_thread_res_uid(getuid(), user, getuid())
}
