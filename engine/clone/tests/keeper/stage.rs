//! An image, clones that answer, and a look at what is left.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use offshoot_checkpoint::{Options, checkpoint};
use offshoot_clone::{
    Cloned, Fork, ForkError, Keeper, Memory, Recipe, Template, TemplateError, TemplateSpec,
};
use offshoot_image::Key;
use offshoot_pool::{ImageName, Mount, Pool, PoolConfig};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process};

/// Says `r`, and then whatever it is told, until there is nothing more to hear. What others leave open is not its.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char byte = 'r';
    syscall(SYS_close_range, 3, ~0U, 0);
    do if (write(1, &byte, 1) != 1) return 1; while (read(0, &byte, 1) == 1);
    return 0;
}
"#;

/// A scratch directory with an image of the program. One at a time: what is left is told by who our children are.
pub struct Stage {
    pub key: Key,
    images: Vec<OwnedFd>,
    dir: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    pub fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // What a dead nursery leaves behind becomes ours.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let config = PoolConfig {
            dir: dir.path().join("pool"),
            mount: Mount::Existing,
        };
        let key = [7; 32];
        let pool = Pool::open(&config, Key(key)).unwrap();
        let name = ImageName::new("echo").unwrap();
        make_image(&pool, &name, &compile(dir.path()));
        let image = pool.open_image(&name).unwrap();
        Self {
            key: Key(key),
            images: vec![image.into()],
            dir,
            _alone: alone,
        }
    }

    /// A path in the scratch directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn template(
        &self,
        keeper: &mut Keeper,
        recipe: Option<&Recipe>,
    ) -> Result<Template, TemplateError> {
        keeper.template(&TemplateSpec {
            images: &self.images,
            key: &self.key,
            memory: Memory::Local,
            recipe,
            images_to_check: self.images.len(),
            confinement: None,
            profile: None,
            files_as: None,
            root: None,
        })
    }

    /// What must be true at the end of each test, when all that it had was dropped: nothing goes on, and no nursery is a
    /// zombie. Templates and clones may be, because they are ours when their nursery ends before them.
    pub fn assert_nothing_lives(self, nurseries: &[i32]) {
        for pid in nurseries {
            assert!(!exists(*pid), "nursery {pid} was not reaped");
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Ok(reaped) = rustix::process::wait(WaitOptions::NOHANG) {
            assert!(Instant::now() < deadline, "left: {:?}", children());
            if reaped.is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn compile(dir: &Path) -> PathBuf {
    let (source, binary) = (dir.join("echo.c"), dir.join("echo"));
    std::fs::write(&source, SOURCE).unwrap();
    let compiled = Command::new("cc")
        .arg("-o")
        .args([&binary, &source])
        .status();
    assert!(compiled.unwrap().success());
    binary
}

fn make_image(pool: &Pool, name: &ImageName, program: &Path) {
    let mut child: Child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    let options = Options {
        name: name.clone(),
        external: [0, 1, 2].into(),
        leave_running: true,
        parent: None,
        for_mapping: true,
    };
    checkpoint(child.id(), &options, pool).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A clone, and the other end of its standard input and output. It ends when this is dropped.
pub struct Clone {
    pub cloned: Cloned,
    line: UnixStream,
}

impl Clone {
    pub fn of(template: &mut Template) -> Self {
        Self::try_of(template).unwrap()
    }

    pub fn try_of(template: &mut Template) -> Result<Self, ForkError> {
        let (line, theirs) = UnixStream::pair().unwrap();
        let nothing = File::open("/dev/null").unwrap();
        let fork = Fork {
            substitutions: &[
                (0, theirs.as_fd()),
                (1, theirs.as_fd()),
                (2, nothing.as_fd()),
            ],
            ..Fork::default()
        };
        let cloned = template.fork(&fork)?;
        Ok(Self { cloned, line })
    }

    pub fn answers(&mut self, byte: u8) -> bool {
        let mut answer = [0];
        self.line.write_all(&[byte]).unwrap();
        self.line
            .read_exact(&mut answer)
            .is_ok_and(|()| answer == [byte])
    }

    /// Has it end by itself; its id.
    pub fn end(self) -> i32 {
        drop(self.line);
        let mut ended = [PollFd::new(&self.cloned.pidfd, PollFlags::IN)];
        poll(&mut ended, None).unwrap();
        self.cloned.pid
    }
}

/// Kills the nursery; its id. When this returns it is a zombie, or buried.
pub fn kill_nursery(keeper: &Keeper) -> i32 {
    let pid = keeper.pid().unwrap() as i32;
    kill(pid);
    pid
}

pub fn kill(pid: i32) {
    let id = Pid::from_raw(pid).unwrap();
    let pidfd = rustix::process::pidfd_open(id, rustix::process::PidfdFlags::empty()).unwrap();
    kill_process(id, Signal::KILL).unwrap();
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
}

/// Whether there is such a process; zombies count.
pub fn exists(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Our children, and what `/proc` says of them.
fn children() -> BTreeMap<i32, String> {
    let own = std::process::id().to_string();
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((pid, stat))
    });
    let ours = stats.filter(|(_, stat)| {
        let after_name = stat.rsplit(") ").next().unwrap();
        after_name.split(' ').nth(1) == Some(&own)
    });
    ours.map(|(pid, stat)| (pid, stat.chars().take(40).collect()))
        .collect()
}
