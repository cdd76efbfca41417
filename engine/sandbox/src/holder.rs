//! The program that a ghost sandbox's init becomes: it holds the namespaces, and waits.
//!
//! As small as a process can be: one page of code, no heap, no descriptor. Being PID 1 of its
//! namespace, it inherits every orphan; since it ignores `SIGCHLD`, the kernel reaps those by itself
//! (`wait(2)`, "Notes"). What it never does needs no trust: it makes no system call but `pause`.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

/// The process's only argument.
pub(crate) const NAME: &CStr = c"offshoot-init";
/// The file's name; process lists show `memfd:ghost` (Linux 6.14).
const FILE_NAME: &CStr = c"ghost";

/// Where the program is loaded: an ordinary address for a program without relocations.
const ADDRESS: u64 = 0x40_0000;
const ELF_HEADER_BYTES: u64 = 64;
const PROGRAM_HEADER_BYTES: u64 = 56;

/// `loop { pause() }`
#[cfg(target_arch = "x86_64")]
const CODE: [u8; 9] = [
    0xb8, 34, 0, 0, 0, // mov eax, SYS_pause
    0x0f, 0x05, // syscall
    0xeb, 0xf7, // jmp -9
];
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;

/// `loop { ppoll(NULL, 0, NULL, NULL) }`
#[cfg(target_arch = "aarch64")]
const CODE: [u8; 28] = [
    0x00, 0x00, 0x80, 0xd2, // mov x0, #0
    0x01, 0x00, 0x80, 0xd2, // mov x1, #0
    0x02, 0x00, 0x80, 0xd2, // mov x2, #0
    0x03, 0x00, 0x80, 0xd2, // mov x3, #0
    0x28, 0x09, 0x80, 0xd2, // mov x8, SYS_ppoll
    0x01, 0x00, 0x00, 0xd4, // svc #0
    0xfa, 0xff, 0xff, 0x17, // b -24
];
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// The program as an executable file (`elf(5)`): a header, one segment, the code.
fn program() -> Vec<u8> {
    let code_at = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;
    let len = code_at + CODE.len() as u64;
    let mut file = Vec::with_capacity(256);
    // 64 bits, little-endian, version 1.
    file.extend(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let short = |file: &mut Vec<u8>, values: &[u16]| {
        values
            .iter()
            .for_each(|value| file.extend(value.to_le_bytes()));
    };
    let word = |file: &mut Vec<u8>, values: &[u32]| {
        values
            .iter()
            .for_each(|value| file.extend(value.to_le_bytes()));
    };
    let long = |file: &mut Vec<u8>, values: &[u64]| {
        values
            .iter()
            .for_each(|value| file.extend(value.to_le_bytes()));
    };
    // ET_EXEC; entry, program headers, no section headers; flags; sizes and counts.
    short(&mut file, &[2, MACHINE]);
    word(&mut file, &[1]);
    long(&mut file, &[ADDRESS + code_at, ELF_HEADER_BYTES, 0]);
    word(&mut file, &[0]);
    short(&mut file, &[64, 56, 1, 0, 0, 0]);
    // PT_LOAD, readable and executable; offset, addresses, sizes, alignment.
    word(&mut file, &[1, 4 | 1]);
    long(&mut file, &[0, ADDRESS, ADDRESS, len, len, 4096]);
    file.extend(CODE);
    file
}

/// The program in a sealed memfd that everybody may execute and nobody may read, so that its
/// process cannot be looked into (`prctl(2)`, `PR_SET_DUMPABLE`).
pub(crate) fn open() -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let memfd = match rustix::fs::memfd_create(FILE_NAME, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(FILE_NAME, flags)?,
        other => other?,
    };
    let mut file = std::fs::File::from(memfd);
    file.write_all(&program())?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o111))?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    // Executing a file that somebody has open for writing is refused (`ETXTBSY`).
    let read_only = rustix::fs::open(
        format!("/proc/self/fd/{}", file.as_raw_fd()),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(read_only)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn program_waits_and_does_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("holder");
        std::fs::write(&path, program()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = std::process::Command::new(&path).spawn().unwrap();
        let proc = format!("/proc/{}", child.id());
        // "S": asleep in its one system call.
        let asleep = || {
            let stat = std::fs::read_to_string(format!("{proc}/stat")).unwrap();
            stat.contains(") S ")
        };
        for _ in 0..1000 {
            if asleep() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(asleep() && child.try_wait().unwrap().is_none());
        let status = std::fs::read_to_string(format!("{proc}/statm")).unwrap();
        let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
        assert!(pages < 64, "{pages} pages of address space");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
