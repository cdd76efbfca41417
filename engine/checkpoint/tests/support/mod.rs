//! Programs to checkpoint, and a pool to put them into.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use offshoot_checkpoint::{CheckpointError, Options, Report, checkpoint};
use offshoot_image::Key;
use offshoot_image::model::PAGE_BYTES;
use offshoot_pool::{ImageName, Lineage, Mount, Pool, PoolConfig};

/// A pool in a directory of its own.
pub struct TestPool {
    pub pool: Pool,
    _dir: tempfile::TempDir,
}

impl TestPool {
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let config = PoolConfig {
            dir: dir.path().join("pool"),
            mount: Mount::Existing,
        };
        Self {
            pool: Pool::open(&config, Key([7; 32])).unwrap(),
            _dir: dir,
        }
    }

    /// Nothing but images lies in the pool's directory, and those are so many.
    pub fn files(&self) -> usize {
        std::fs::read_dir(self.pool.dir()).unwrap().count()
    }

    pub fn lineage(&self, name: &str) -> Lineage {
        self.pool.open_lineage(&image_name(name)).unwrap()
    }
}

pub fn image_name(name: &str) -> ImageName {
    ImageName::new(name).unwrap()
}

/// Standard input, output and error are substituted; the process goes on.
pub fn options(name: &str) -> Options {
    Options {
        name: image_name(name),
        external: BTreeSet::from([0, 1, 2]),
        leave_running: true,
        parent: None,
        for_mapping: true,
    }
}

/// A program that talks with us by lines.
pub struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// A program that prints `ready` when it is. It has no descriptors but the first three, whatever we inherited.
    pub fn start(command: &[&str]) -> Self {
        let close = r#"for f in /proc/self/fd/*; do n=${f##*/}; ((n > 2)) && eval "exec $n>&-"; done; exec "$@""#;
        let mut child = Command::new("/bin/bash")
            .args(["-c", close, "bash"])
            .args(command)
            .env("UV_USE_IO_URING", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self {
            child,
            input,
            output,
        };
        assert_eq!(program.line(), "ready");
        program
    }

    pub fn python(source: &str) -> Self {
        Self::start(&["/usr/bin/python3", "-I", "-u", "-c", source])
    }

    pub fn node(source: &str) -> Self {
        Self::start(&["/usr/bin/node", "-e", source])
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.input
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
        self.line()
    }

    /// Sends it a signal and gives it time to take it.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status();
        assert!(kill.unwrap().success());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }

    /// How it ended, waiting for that.
    pub fn end(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn checkpoint(&self, pool: &TestPool, name: &str) -> Result<Report, CheckpointError> {
        checkpoint(self.pid(), &options(name), &pool.pool)
    }

    /// Its mappings as `/proc` shows them.
    pub fn maps(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/maps", self.pid())).unwrap()
    }

    /// Where it keeps a page of the image, read from the live process.
    pub fn page(&self, page: u64) -> Vec<u8> {
        let mut bytes = vec![0; PAGE_BYTES as usize];
        let memory = offshoot_trace::Memory::open(self.pid()).unwrap();
        memory.read_at(page * PAGE_BYTES, &mut bytes).unwrap();
        bytes
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A page of an image, from whichever generation has it; none where no run has it.
pub fn image_page(lineage: &Lineage, page: u64) -> Option<Vec<u8>> {
    let mut runs = lineage
        .manifest
        .mappings
        .iter()
        .flat_map(|mapping| &mapping.runs);
    let run = runs.find(|run| run.page <= page && page < run.end())?;
    let image = match run.generation {
        0 => &lineage.image,
        generation => &lineage.ancestors[usize::from(generation) - 1],
    };
    let mut bytes = vec![0; PAGE_BYTES as usize];
    image
        .read_pages_at(run.file_page + (page - run.page), &mut bytes)
        .unwrap();
    Some(bytes)
}
