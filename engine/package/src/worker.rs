//! The worker's side: one process per zip, started by the daemon, trusted by nobody.

use std::any::Any;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rustix::fs::{CWD, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::refusal::{Refusal, shown};
use crate::{archive, confine, plan, tree};

/// The variable in which the daemon passes [`Limits`] as JSON.
pub(crate) const LIMITS_VARIABLE: &str = "OFFSHOOT_UNPACK_LIMITS";

/// What the worker prints, as one JSON value.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// All is written.
    Unpacked {
        /// Bytes in files.
        bytes: u64,
        /// Files, links and directories.
        entries: u32,
        /// Landlock was in force.
        landlocked: bool,
    },
    /// It is not.
    Refused(Refusal),
}

/// The hidden subcommand's whole body: unpacks the zip on standard input into the (empty) working
/// directory and prints a verdict on standard output. It confines itself first and reads nothing
/// from its arguments. Must be called before the process starts any thread, an async runtime
/// included.
///
/// Exits with 0 whenever a verdict was printed, and 1 otherwise.
pub fn worker_main() -> ExitCode {
    let verdict = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(refusal)) => Verdict::Refused(refusal),
        Err(panic) => Verdict::Refused(Refusal::Failed {
            step: describe(&*panic),
            errno: None,
        }),
    };
    match print(&verdict) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn print(verdict: &Verdict) -> io::Result<()> {
    let text = serde_json::to_vec(verdict)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&text)?;
    stdout.flush()
}

fn work() -> Result<Verdict, Refusal> {
    let own_fault = |step: String| Refusal::Failed { step, errno: None };
    close_inherited().map_err(|error| own_fault(format!("close descriptors: {error}")))?;
    let limits = std::env::var(LIMITS_VARIABLE).unwrap_or_default();
    let limits: Limits = serde_json::from_str(&limits)
        .map_err(|error| own_fault(format!("read {LIMITS_VARIABLE}: {error}")))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, ".", flags, Mode::empty())
        .map_err(|errno| Refusal::failed("cannot open the working directory", errno))?;
    let landlocked = confine::enter(&limits).map_err(own_fault)?;
    // From here on, the zip is read.
    let tally = unpack(&read_zip(&limits)?, &root, &limits)?;
    Ok(Verdict::Unpacked {
        bytes: tally.bytes,
        entries: tally.entries,
        landlocked,
    })
}

/// Closes what somebody between the daemon and here forgot to. The program may have done so
/// already, in its first line.
fn close_inherited() -> io::Result<()> {
    match offshoot_sys::fds::close_inherited() {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn unpack(zip: &[u8], root: &OwnedFd, limits: &Limits) -> Result<tree::Tally, Refusal> {
    let entries = archive::read(zip, limits.entries)?;
    let plan = plan::make(&entries, limits)?;
    tree::make(root, &plan, limits)
}

/// The whole of standard input, up to the limit that the daemon has already checked.
fn read_zip(limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let mut zip = Vec::new();
    io::stdin()
        .lock()
        .take(limits.zipped_bytes)
        .read_to_end(&mut zip)
        .map_err(|error| {
            let errno = error.raw_os_error();
            Refusal::Failed {
                step: "cannot read the zip".to_owned(),
                errno,
            }
        })?;
    Ok(zip)
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("panic: {}", shown(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::content::Inflater;

    /// Paths and contents of `zip`, by the worker's own steps but for the writing.
    fn contents(zip: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
        let limits = Limits {
            unzipped_bytes: 1_000_000,
            ..Limits::default()
        };
        let entries = archive::read(zip, limits.entries)?;
        let plan = plan::make(&entries, &limits)?;
        let mut inflater = Inflater::new(limits.unzipped_bytes);
        let mut found: BTreeMap<String, Vec<u8>> = plan
            .directories
            .iter()
            .map(|path| (format!("{path}/"), Vec::new()))
            .collect();
        for file in plan.files.iter().chain(&plan.links) {
            let mut content = Vec::new();
            inflater.read(file.entry, |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            })?;
            found.insert(file.path.to_owned(), content);
        }
        Ok(found)
    }

    fn good_zip() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        writer.add_directory("dir", options).unwrap();
        writer.start_file("dir/text", options).unwrap();
        writer
            .write_all(&b"some text that deflates ".repeat(9))
            .unwrap();
        writer.start_file("wide", options.large_file(true)).unwrap();
        writer.write_all(b"0123456789").unwrap();
        writer.add_symlink("link", "dir/text", options).unwrap();
        writer.set_comment("a comment").unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn any_flipped_bit_is_refused_or_changes_no_content() {
        let good = good_zip();
        let original = contents(&good).unwrap();
        let mut refused = 0;
        for bit in 0..good.len() * 8 {
            let mut zip = good.clone();
            zip[bit / 8] ^= 1 << (bit % 8);
            match contents(&zip) {
                Ok(found) => assert_eq!(found, original, "bit {bit}"),
                Err(_) => refused += 1,
            }
        }
        // Versions, times, permissions, comments and attributes may change; most of it may not.
        assert!(
            refused > good.len() * 8 / 2,
            "{refused} of {}",
            good.len() * 8
        );
    }

    #[test]
    fn any_part_of_a_zip_is_refused() {
        let good = good_zip();
        for len in 0..good.len() {
            assert!(contents(&good[..len]).is_err(), "the first {len} bytes");
            assert!(
                contents(&good[good.len() - len..]).is_err(),
                "the last {len} bytes"
            );
        }
    }

    #[test]
    fn random_damage_never_panics() {
        let good = good_zip();
        let mut state = 7u64;
        let mut random = move |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let mut zip = good.clone();
            for _ in 0..1 + random(4) {
                let at = random(zip.len());
                match random(3) {
                    0 => zip[at] = random(256) as u8,
                    1 => zip[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
                    _ => drop(zip.drain(at..(at + random(9)).min(good.len() - 40).max(at))),
                }
            }
            let _ = contents(&zip);
        }
    }
}
