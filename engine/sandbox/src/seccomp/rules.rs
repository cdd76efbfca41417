//! The calls whose answer depends on their arguments.

use libc::c_long;

/// Allowed when all tests of one of the alternatives hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The system call.
    pub call: c_long,
    /// Its name in the kernel's tables.
    pub name: &'static str,
    /// Who needs it, and what is kept from them.
    pub why: &'static str,
    /// The alternatives, in words.
    pub when: &'static str,
    /// One list of tests each.
    pub allow_when: &'static [&'static [Test]],
    /// The errno otherwise; 0 is "done", without doing it.
    pub otherwise: i32,
}

/// A test of one argument's lower 32 bits: all of these arguments are `int` or `unsigned int` in
/// the kernel, or flags of which it reads 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The argument of this index equals the value.
    Equals(u8, u32),
    /// It differs from the value.
    Differs(u8, u32),
    /// It has none of the mask's bits.
    NoneOf(u8, u32),
}

const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Bits of the types of files other than FIFOs; no type at all is a regular file.
const OTHER_TYPES: u32 = libc::S_IFMT & !libc::S_IFIFO;

/// Carried out for some arguments.
pub const RULES: &[Rule] = &[
    Rule {
        call: libc::SYS_clone,
        name: "clone",
        why: "threads and processes, but no new namespaces: user namespaces open most of the kernel",
        when: "no flag of a new namespace",
        allow_when: &[&[Test::NoneOf(0, NEW_NAMESPACES)]],
        otherwise: libc::EPERM,
    },
    Rule {
        call: libc::SYS_socket,
        name: "socket",
        why: "local and internet sockets; routing queries, which getaddrinfo and getifaddrs make",
        when: "AF_UNIX, AF_INET, AF_INET6, AF_NETLINK with NETLINK_ROUTE",
        allow_when: &[
            &[Test::Equals(0, libc::AF_UNIX as u32)],
            &[Test::Equals(0, libc::AF_INET as u32)],
            &[Test::Equals(0, libc::AF_INET6 as u32)],
            &[
                Test::Equals(0, libc::AF_NETLINK as u32),
                Test::Equals(2, libc::NETLINK_ROUTE as u32),
            ],
        ],
        otherwise: libc::EAFNOSUPPORT,
    },
    Rule {
        call: libc::SYS_socketpair,
        name: "socketpair",
        why: "pipes of both directions",
        when: "AF_UNIX",
        allow_when: &[&[Test::Equals(0, libc::AF_UNIX as u32)]],
        otherwise: libc::EAFNOSUPPORT,
    },
    Rule {
        call: libc::SYS_ioctl,
        name: "ioctl",
        why: "isatty, FIONREAD, FIONBIO; no typing into a terminal that somebody else reads",
        when: "any request but TIOCSTI and TIOCLINUX",
        allow_when: &[&[
            Test::Differs(1, libc::TIOCSTI as u32),
            Test::Differs(1, libc::TIOCLINUX as u32),
        ]],
        otherwise: libc::EPERM,
    },
    Rule {
        call: libc::SYS_prctl,
        name: "prctl",
        why: "names of threads and memory; no filters and no other layout of the process's memory",
        when: "any option but PR_SET_SECCOMP and PR_SET_MM",
        allow_when: &[&[
            Test::Differs(0, libc::PR_SET_SECCOMP as u32),
            Test::Differs(0, libc::PR_SET_MM as u32),
        ]],
        otherwise: libc::EINVAL,
    },
    Rule {
        call: libc::SYS_msync,
        name: "msync",
        why: "checks of addresses (libunwind); with MS_SYNC it would flush the host's disks",
        when: "no MS_SYNC; else it is answered \"done\"",
        allow_when: &[&[Test::NoneOf(2, libc::MS_SYNC as u32)]],
        otherwise: 0,
    },
    Rule {
        call: libc::SYS_mknodat,
        name: "mknodat",
        why: "mkfifo of glibc; no device nodes, which overlayfs takes for removed files",
        when: "FIFOs; regular files with no type given",
        allow_when: &[&[Test::NoneOf(2, OTHER_TYPES)]],
        otherwise: libc::EPERM,
    },
    #[cfg(target_arch = "x86_64")]
    Rule {
        call: libc::SYS_mknod,
        name: "mknod",
        why: "mkfifo of musl and Go",
        when: "FIFOs; regular files with no type given",
        allow_when: &[&[Test::NoneOf(1, OTHER_TYPES)]],
        otherwise: libc::EPERM,
    },
];
