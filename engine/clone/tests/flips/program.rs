//! The process whose images are damaged: a few pages of everything that an image stores.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use offshoot_checkpoint::{Options, checkpoint};

use crate::image::{TestPool, image_name};

/// Data, heap, a memory file and a thread's stack hold bytes that occur nowhere else; each byte of standard input makes
/// it write to every third page of the heap.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
enum { PAGES = 48, PAGE = 4096 };
static unsigned char data[PAGES * PAGE] = {1};
static void fill(unsigned char *bytes, unsigned state) {
    for (int i = 0; i < PAGES * PAGE; i++) { state = state * 1664525 + 1013904223; bytes[i] = state >> 24; }
}
static void *wait_for_ever(void *nothing) { for (;;) pause(); return nothing; }
int main(void) {
    syscall(SYS_close_range, 3, ~0U, 0);
    unsigned char *heap = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int memory = memfd_create("memory", MFD_CLOEXEC);
    if (ftruncate(memory, PAGES * PAGE)) return 1;
    unsigned char *shared = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    fill(data, 1), fill(heap, 2), fill(shared, 3);
    pthread_t thread;
    if (pthread_create(&thread, 0, wait_for_ever, 0)) return 2;
    char byte;
    do {
        if (write(1, "r", 1) != 1) return 3;
        if (read(0, &byte, 1) != 1) return 0;
        for (int page = 0; page < PAGES; page += 3) heap[page * PAGE]++;
    } while (1);
}
"#;

/// The process; killed when dropped.
pub struct Program(Child);

impl Program {
    /// Starts it and waits until it is ready.
    pub fn start() -> Self {
        let mut child = Command::new(binary())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        await_ready(&mut child);
        Self(child)
    }

    /// Makes it change a third of its heap.
    pub fn write_some_pages(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        await_ready(&mut self.0);
    }

    /// Makes an image of it; it goes on.
    pub fn checkpoint(&self, pool: &TestPool, name: &str, parent: Option<&str>) {
        let options = Options {
            name: image_name(name),
            external: [0, 1, 2].into(),
            leave_running: true,
            parent: parent.map(image_name),
            for_mapping: true,
        };
        checkpoint(self.0.id(), &options, &pool.pool).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn await_ready(child: &mut Child) {
    let mut byte = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut byte)
        .unwrap();
    assert_eq!(byte, *b"r");
}

/// Compiled once by each process of tests.
fn binary() -> PathBuf {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut compiler = Command::new("cc")
            .args(["-O1", "-pthread", "-x", "c", "-", "-o"])
            .arg(dir.path().join("program"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = compiler.stdin.take().unwrap();
        input.write_all(SOURCE.as_bytes()).unwrap();
        drop(input);
        assert!(compiler.wait().unwrap().success());
        dir
    });
    dir.path().join("program")
}
