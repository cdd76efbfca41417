//! Python processes whose descriptors the tests read.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use offshoot_checkpoint::files::{FileError, Others, Refusal, Tables, Target, read};
use offshoot_image::model::{Descriptor, OpenFile, OpenFileKind};
use rustix::process::Pid;

/// Every script has these; `ready(...)` says that the process may be read, and goes on when
/// [`Subject::resume`] is called.
const PRELUDE: &str = r"
import ctypes, fcntl, os, select, signal, socket, struct, sys, time
os.closerange(3, 256)
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def ready(*words):
    print(*words, flush=True)
    sys.stdin.readline()
def place(old, new):
    os.dup2(old, new, inheritable=False)
    os.close(old)
    return new
";

/// A process that waits to be read.
pub struct Subject {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub words: Vec<String>,
}

impl Subject {
    /// Starts a script; its standard streams are pipes of ours.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new("/usr/bin/python3")
            .arg("-c")
            .arg(format!("{PRELUDE}\n{script}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut subject = Self {
            process,
            input,
            output,
            words: Vec::new(),
        };
        subject.words = subject.line();
        subject
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn target(&self) -> Target {
        let pid = i32::try_from(self.pid()).unwrap();
        Target::open(Pid::from_raw(pid).unwrap()).unwrap()
    }

    /// Reads its descriptors; the standard streams are external.
    pub fn read(&self) -> Result<Tables, FileError> {
        self.read_with(&[0, 1, 2])
    }

    pub fn read_with(&self, external: &[u32]) -> Result<Tables, FileError> {
        let external: BTreeSet<u32> = external.iter().copied().collect();
        let mut tables = Tables::default();
        read(
            &self.target(),
            &external,
            &mut Others::default(),
            &mut tables,
        )
        .map(|()| tables)
    }

    /// The refusals, and that there is nothing else.
    pub fn refusals(&self) -> Vec<Refusal> {
        match self.read() {
            Err(FileError::Refused(refusals)) => refusals,
            Err(error) => panic!("another error: {error} ({error:?})"),
            Ok(tables) => panic!("nothing is refused: {:?}", tables.open_files),
        }
    }

    /// Lets it go on, and gives what it says next.
    pub fn resume(&mut self) -> Vec<String> {
        self.input.write_all(b"\n").unwrap();
        self.line()
    }

    fn line(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the script has failed");
        line.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The entry of a descriptor.
pub fn descriptor(tables: &Tables, number: u32) -> Descriptor {
    *tables
        .descriptors
        .iter()
        .find(|one| one.number == number)
        .unwrap_or_else(|| panic!("descriptor {number} is missing"))
}

/// The description that a descriptor leads to.
pub fn open_file(tables: &Tables, number: u32) -> &OpenFile {
    &tables.open_files[descriptor(tables, number).open_file as usize]
}

/// What a descriptor leads to.
pub fn kind(tables: &Tables, number: u32) -> &OpenFileKind {
    &open_file(tables, number).kind
}

/// Every script leaves its one bad file at descriptor 10. The words must be in the message.
pub fn expect(script: &str, arguments: &[&str], words: &[&str]) {
    let subject = Subject::start(&format!("{script}\nready()"), arguments);
    let refusals = subject.refusals();
    let text = refusals
        .iter()
        .find(|refusal| refusal.descriptors.contains(&10))
        .unwrap_or_else(|| panic!("descriptor 10 is not refused: {refusals:?}"))
        .to_string();
    let remedy = [
        "descriptor 10 is",
        "which an image cannot hold",
        "close it before the checkpoint, or pass it with `--external 10` and give a file for it at \
         clone time",
    ];
    for word in words.iter().chain(&remedy) {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    assert!(remedy_works(&subject, &refusals), "{script}");
}

/// Whether all is well once everything refused is external; of a pair, the other end may follow.
fn remedy_works(subject: &Subject, refusals: &[Refusal]) -> bool {
    let mut external = vec![0, 1, 2];
    external.extend(refusals.iter().flat_map(|one| one.descriptors.clone()));
    match subject.read_with(&external) {
        Ok(_) => true,
        Err(FileError::Refused(other_ends)) => {
            external.extend(other_ends.iter().flat_map(|one| one.descriptors.clone()));
            subject.read_with(&external).is_ok()
        }
        Err(_) => false,
    }
}
