//! From the published table to a BPF program (`seccomp(2)`, `Documentation/networking/filter`).
//!
//! ```text
//! arch? ──other──> ENOSYS
//!   │ number ≥ x32 bit? ──> EPERM            (x86-64 only)
//!   └ binary search over ranges of numbers ──> allow | errno | tests of the arguments
//! ```

use libc::c_long;
use seccompiler::{BpfProgram, sock_filter};

use super::table::{Answer, FIRST_UNKNOWN, Rule, Test};

// Instruction codes of classic BPF (linux/bpf_common.h).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_ALWAYS: u16 = 0x05;
const RETURN: u16 = 0x06;

// Offsets in `struct seccomp_data` (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;
/// The bit that marks a call of the x32 ABI, whose numbers the table does not describe.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// System calls of successive numbers that get the same answer, up to the next range's first.
struct Range {
    first: u32,
    answer: Answer,
}

/// Compiles a filter that gives these answers.
pub(super) fn compile(answer: impl Fn(c_long) -> Answer) -> BpfProgram {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        jump(JUMP_IF_EQUAL, AUDIT_ARCH, 1, 0),
        give(Answer::Errno(libc::ENOSYS as u16)),
        statement(LOAD, NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    program.extend([
        jump(JUMP_IF_AT_LEAST, X32_BIT, 0, 1),
        give(Answer::Errno(libc::EPERM as u16)),
    ]);
    program.extend(search(&ranges(answer)));
    program
}

fn ranges(answer: impl Fn(c_long) -> Answer) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for call in 0..=FIRST_UNKNOWN {
        let answer = answer(call);
        if ranges.last().is_none_or(|last| last.answer != answer) {
            ranges.push(Range {
                first: number_of(call),
                answer,
            });
        }
    }
    ranges
}

fn number_of(call: c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// The code that finds the range of the loaded number.
fn search(ranges: &[Range]) -> BpfProgram {
    if let [range] = ranges {
        return leaf(range.answer);
    }
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    let (lower, first_upper) = (search(lower), upper[0].first);
    let mut code = Vec::new();
    // A conditional jump reaches 255 instructions, an unconditional one any distance.
    match u8::try_from(lower.len()) {
        Ok(distance) => code.push(jump(JUMP_IF_AT_LEAST, first_upper, distance, 0)),
        Err(_) => code.extend([
            jump(JUMP_IF_AT_LEAST, first_upper, 0, 1),
            statement(JUMP_ALWAYS, lower.len() as u32),
        ]),
    }
    code.extend(lower);
    code.extend(search(upper));
    code
}

fn leaf(answer: Answer) -> BpfProgram {
    match answer {
        Answer::Depends(rule) => tests(rule),
        other => vec![give(other)],
    }
}

/// Alternative after alternative; a failed test jumps to the next alternative.
fn tests(rule: &Rule) -> BpfProgram {
    let mut code = Vec::new();
    for alternative in rule.allow_when {
        let len = alternative.iter().map(test_len).sum::<usize>() + 1;
        let mut block = Vec::with_capacity(len);
        for test in *alternative {
            let after = block.len() + test_len(test);
            block.extend(test_code(*test, (len - after) as u8));
        }
        block.push(give(Answer::Allow));
        code.extend(block);
    }
    code.push(give(Answer::Errno(rule.otherwise as u16)));
    code
}

fn test_len(test: &Test) -> usize {
    test_code(*test, 0).len()
}

/// Loads the argument's lower half; goes on if the test holds, else jumps by `skip`.
fn test_code(test: Test, skip: u8) -> BpfProgram {
    match test {
        Test::Equals(argument, value) => {
            vec![load_argument(argument), jump(JUMP_IF_EQUAL, value, 0, skip)]
        }
        Test::Differs(argument, value) => {
            vec![load_argument(argument), jump(JUMP_IF_EQUAL, value, skip, 0)]
        }
        Test::NoneOf(argument, mask) => vec![
            load_argument(argument),
            statement(AND, mask),
            jump(JUMP_IF_EQUAL, 0, 0, skip),
        ],
    }
}

/// The lower 32 bits of an argument; both supported architectures are little-endian.
fn load_argument(argument: u8) -> sock_filter {
    statement(LOAD, FIRST_ARGUMENT + 8 * u32::from(argument))
}

fn give(answer: Answer) -> sock_filter {
    let value = match answer {
        Answer::Allow => libc::SECCOMP_RET_ALLOW,
        Answer::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
        Answer::Depends(rule) => libc::SECCOMP_RET_ERRNO | rule.otherwise as u32,
    };
    statement(RETURN, value)
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::answer;
    use super::super::table::SETUP;
    use super::*;

    /// Runs the program as the kernel would.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let (mut at, mut register) = (0_usize, 0_u32);
        loop {
            let step = &program[at];
            at += 1;
            match step.code {
                LOAD => {
                    register = match step.k {
                        NUMBER => number,
                        ARCHITECTURE => arch,
                        offset => arguments[((offset - FIRST_ARGUMENT) / 8) as usize] as u32,
                    }
                }
                AND => register &= step.k,
                JUMP_ALWAYS => at += step.k as usize,
                JUMP_IF_EQUAL => {
                    at += usize::from(if register == step.k { step.jt } else { step.jf })
                }
                JUMP_IF_AT_LEAST => {
                    at += usize::from(if register >= step.k { step.jt } else { step.jf });
                }
                RETURN => return step.k,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    /// What both filters together answer: the one of the greater precedence, which among ALLOW
    /// and ERRNO is the smaller action.
    fn both(arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        both_of(SETUP, arch, number, arguments)
    }

    fn both_of(setup: &[c_long], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let outer = run(&super::super::outer(setup), arch, number, arguments);
        let inner = run(&super::super::inner(setup), arch, number, arguments);
        if outer == libc::SECCOMP_RET_ALLOW {
            inner
        } else {
            outer
        }
    }

    fn own(number: c_long, arguments: [u64; 6]) -> u32 {
        both(AUDIT_ARCH, u32::try_from(number).unwrap(), arguments)
    }

    fn errno(errno: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | errno as u32
    }

    #[test]
    fn filters_together_give_the_published_answer_to_every_number() {
        for number in 0..600 {
            let expected = match answer(number) {
                Answer::Depends(_) => continue,
                other => give(other).k,
            };
            let given = own(number, [0; 6]);
            assert_eq!(given, expected, "system call {number}");
        }
    }

    #[test]
    fn whatever_set_up_calls_the_filters_together_answer_the_same() {
        let everything: Vec<c_long> = (0..600).collect();
        for setup in [
            &[][..],
            &[libc::SYS_rt_sigqueueinfo, libc::SYS_prctl],
            &everything,
        ] {
            for number in 0..600 {
                for arguments in [[0; 6], [libc::PR_SET_MM as u64, 3, 1, 0, 0, 0]] {
                    let given = both_of(setup, AUDIT_ARCH, number, arguments);
                    let wanted = both(AUDIT_ARCH, number, arguments);
                    assert_eq!(given, wanted, "system call {number}");
                }
            }
        }
    }

    #[test]
    fn clone_makes_threads_but_no_namespaces() {
        let thread = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND) as u64;
        assert_eq!(
            own(libc::SYS_clone, [thread, 0, 0, 0, 0, 0]),
            libc::SECCOMP_RET_ALLOW
        );
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET] {
            let flags = thread | flag as u64;
            assert_eq!(
                own(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]),
                errno(libc::EPERM)
            );
        }
    }

    #[test]
    fn netlink_is_for_routing_queries_only() {
        let socket = |domain: i32, protocol: i32| {
            own(
                libc::SYS_socket,
                [domain as u64, 2, protocol as u64, 0, 0, 0],
            )
        };
        assert_eq!(
            socket(libc::AF_NETLINK, libc::NETLINK_ROUTE),
            libc::SECCOMP_RET_ALLOW
        );
        let refused = errno(libc::EAFNOSUPPORT);
        assert_eq!(socket(libc::AF_NETLINK, libc::NETLINK_NETFILTER), refused);
        assert_eq!(socket(libc::AF_PACKET, 0), refused);
        assert_eq!(socket(libc::AF_VSOCK, 0), refused);
        assert_eq!(socket(libc::AF_INET6, 0), libc::SECCOMP_RET_ALLOW);
    }

    #[test]
    fn upper_half_of_an_int_argument_does_not_hide_its_value() {
        let domain = (1_u64 << 32) | libc::AF_PACKET as u64;
        assert_eq!(
            own(libc::SYS_socket, [domain, 3, 0, 0, 0, 0]),
            errno(libc::EAFNOSUPPORT)
        );
        let request = (0xdead_u64 << 32) | libc::TIOCSTI;
        assert_eq!(
            own(libc::SYS_ioctl, [0, request, 0, 0, 0, 0]),
            errno(libc::EPERM)
        );
    }

    #[test]
    fn calls_of_another_abi_are_refused() {
        const I386: u32 = 0x4000_0003;
        assert_eq!(both(I386, 4, [0; 6]), errno(libc::ENOSYS));
        #[cfg(target_arch = "x86_64")]
        assert_eq!(both(AUDIT_ARCH, X32_BIT | 1, [0; 6]), errno(libc::EPERM));
    }
}
