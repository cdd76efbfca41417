//! Who the clone is: users, groups, capabilities (`credentials(7)`, `capabilities(7)`).

use core::ptr::addr_of;

use crate::sys;
use offshoot_plan::{Credentials, Who};

const SETFSUID: u32 = 122;
const SETFSGID: u32 = 123;
const EINVAL: i64 = -22;
const CAPGET: u32 = 125;
const PR_SET_KEEPCAPS: u64 = 8;
const PR_CAPBSET_DROP: u64 = 24;
const PR_SET_SECUREBITS: u64 = 28;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const PR_CAP_AMBIENT: u64 = 47;
const PR_CAP_AMBIENT_RAISE: u64 = 2;
/// `_LINUX_CAPABILITY_VERSION_3`, this process.
static CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];
const INHERITABLE: usize = 0;
const PERMITTED: usize = 1;
const EFFECTIVE: usize = 2;
const BOUNDING: usize = 3;
const AMBIENT: usize = 4;

/// Becomes who the credentials say, or of it what a sandbox allows. Rights can only shrink.
pub fn apply(seed: &Credentials, who: Option<Who>) -> Result<(), i64> {
    match who {
        Some(who) => {
            // SAFETY: changes only what this process may become.
            must(unsafe { sys::call3(sys::PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0) })?;
            become_who(&clamped(seed, who))
        }
        None if seed.apply == 0 => Ok(()),
        None => become_who(seed),
    }
}

fn clamped(seed: &Credentials, who: Who) -> Credentials {
    Credentials {
        users: [who.user; 4],
        groups: [who.group; 4],
        supplementary_count: 0,
        capabilities: seed.capabilities.map(|set| set & who.capabilities),
        ..*seed
    }
}

fn become_who(wanted: &Credentials) -> Result<(), i64> {
    let [ruid, euid, suid, fsuid] = wanted.users.map(u64::from);
    let [rgid, egid, sgid, fsgid] = wanted.groups.map(u64::from);
    let groups = u64::from(wanted.supplementary_count);
    // SAFETY: each call changes only who this process is; the pointers are to live memory.
    unsafe {
        // Else the change of user takes the capabilities that the next steps need.
        must(sys::call3(sys::PRCTL, PR_SET_KEEPCAPS, 1, 0))?;
        must(sys::call3(sys::SETGROUPS, groups, wanted.supplementary, 0))?;
        must(sys::call3(sys::SETRESGID, rgid, egid, sgid))?;
        must(sys::call3(sys::SETRESUID, ruid, euid, suid))?;
        // They say who it was before, and not whether it worked.
        sys::call3(SETFSGID, fsgid, 0, 0);
        sys::call3(SETFSUID, fsuid, 0, 0);
        let mut words = [0_u32; 6];
        let header = addr_of!(CAPABILITY_HEADER) as u64;
        must(sys::call3(CAPGET, header, words.as_mut_ptr() as u64, 0))?;
        // The change of user has emptied the effective set.
        words[0] = words[1];
        words[3] = words[4];
        must(sys::call3(sys::CAPSET, header, words.as_ptr() as u64, 0))?;
        for capability in 0..64 {
            let drops = wanted.capabilities[BOUNDING] & (1 << capability) == 0;
            // EINVAL: behind the last capability of this kernel.
            if drops && sys::call3(sys::PRCTL, PR_CAPBSET_DROP, capability, 0) == EINVAL {
                break;
            }
        }
        must(sys::call3(
            sys::PRCTL,
            PR_SET_SECUREBITS,
            u64::from(wanted.securebits),
            0,
        ))?;
        let set = |which: usize, word: u32| (wanted.capabilities[which] >> (32 * word)) as u32;
        let words = [
            set(EFFECTIVE, 0),
            set(PERMITTED, 0),
            set(INHERITABLE, 0),
            set(EFFECTIVE, 1),
            set(PERMITTED, 1),
            set(INHERITABLE, 1),
        ];
        must(sys::call3(sys::CAPSET, header, words.as_ptr() as u64, 0))?;
        for capability in 0..64 {
            if wanted.capabilities[AMBIENT] & (1 << capability) != 0 {
                let raise = [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0, 0];
                must(sys::call(sys::PRCTL, raise))?;
            }
        }
    }
    Ok(())
}

fn must(result: i64) -> Result<(), i64> {
    if sys::is_error(result) {
        Err(result)
    } else {
        Ok(())
    }
}
