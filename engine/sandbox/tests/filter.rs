//! The rules of the system call filter hold, and the runtimes that it must carry start (`reach.rs` has the numbers).
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{launcher, lines, program, python};

#[tokio::test]
async fn namespaces_foreign_sockets_and_other_abis_are_refused() {
    let Some((_, launcher)) = launcher("rules").await else {
        return;
    };
    let script = r#"
import ctypes, errno, mmap, socket
libc = ctypes.CDLL(None, use_errno=True)
def answer(*call):
    return 0 if libc.syscall(*call) >= 0 else errno.errorcode[ctypes.get_errno()]
CLONE_NEWUSER, SIGCHLD = 0x10000000, 17
print(answer(56, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))
print(answer(272, CLONE_NEWUSER))
print(answer(435, 0, 0))
print(answer(0x40000000 | 39))
for family, protocol in ((17, 0), (38, 0), (40, 0), (16, 12), (16, 0)):
    print(answer(41, family, 2, protocol))
print(answer(16, 0, 0x5412, 0))
print(answer(133, b'/tmp/device', 0o020666, 0), answer(133, b'/tmp/fifo', 0o010666, 0))
# getpid by int 0x80, of the i386 ABI
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b'\xb8\x14\0\0\0\xcd\x80\xc3')
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
print(errno.errorcode.get(-function(), 'carried out'))
"#;
    let seen = lines(&launcher, python("a", script)).await;
    let expected = [
        "EPERM",
        "EPERM",
        "ENOSYS",
        "EPERM",
        "EAFNOSUPPORT",
        "EAFNOSUPPORT",
        "EAFNOSUPPORT",
        "EAFNOSUPPORT",
        "0",
        "EPERM",
        "EPERM 0",
        "ENOSYS",
    ];
    assert_eq!(seen, expected);
    launcher.shutdown().await;
}

#[tokio::test]
async fn node_starts_threads_and_listens() {
    let Some((_, launcher)) = launcher("node").await else {
        return;
    };
    if !Path::new("/usr/bin/node").exists() {
        eprintln!("skipped: /usr/bin/node is missing");
        return;
    }
    let script = r#"
const { Worker } = require('worker_threads'), http = require('http'), fs = require('fs');
const crypto = require('crypto'), os = require('os'), child = require('child_process');
console.log(os.cpus().length > 0, os.availableParallelism() > 0, os.hostname());
fs.writeFileSync('/tmp/a', crypto.randomBytes(16));
console.log(child.execFileSync('/bin/echo', ['child']).toString().trim());
new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true })
  .on('message', (text) => {
    console.log(text);
    const server = http.createServer((_, response) => response.end('served'));
    server.listen(0, '127.0.0.1', () =>
      http.get(server.address(), (response) =>
        response.on('data', (data) => { console.log(data.toString()); process.exit(0); })));
  });
"#;
    let mut spec = program("a", &["/usr/bin/node", "-e", script]);
    spec.memory_bytes = 512 << 20;
    let seen = lines(&launcher, spec).await;
    assert_eq!(seen, ["true true test-box", "child", "worker", "served"]);
    launcher.shutdown().await;
}

#[tokio::test]
async fn python_has_its_standard_library() {
    let Some((_, launcher)) = launcher("python").await else {
        return;
    };
    let script = r#"
import asyncio, concurrent.futures, multiprocessing, os, random, sqlite3, ssl, subprocess
import tempfile, threading, uuid
print(os.cpu_count() > 0, len(ssl.create_default_context().get_ca_certs()) >= 0)
print(subprocess.check_output(['/bin/echo', 'child']).decode().strip())
with concurrent.futures.ThreadPoolExecutor() as pool:
    print(sum(pool.map(lambda number: number, range(10))))
with multiprocessing.Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
async def main():
    process = await asyncio.create_subprocess_exec('/bin/true')
    print(await process.wait())
asyncio.run(main())
with tempfile.NamedTemporaryFile() as file:
    print(file.name.startswith('/tmp/'))
print(os.path.expanduser('~'))
"#;
    let spec = program("a", &["/usr/bin/python3", "-I", "-c", script]);
    let seen = lines(&launcher, spec).await;
    assert_eq!(
        seen,
        ["True True", "child", "45", "[1, 2]", "0", "True", "/tmp"]
    );
    launcher.shutdown().await;
}
