//! The search in real processes: everything that an image stores is looked at. Needs root.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use offshoot_checkpoint::{CheckpointError, Options, checkpoint_reviewed};
use offshoot_image::Key;
use offshoot_pool::{ImageName, Mount, Pool, PoolConfig};

use super::*;

const CANARY: &str = "open sesame, says the canary";

/// A Python program that waits for its end, and has the canary in its environment if that is wanted. The canary is in no
/// source: `V` is it, reversed.
fn program(body: &str, environment: bool) -> Child {
    let reversed: String = CANARY.chars().rev().collect();
    let close = r#"for f in /proc/self/fd/*; do n=${f##*/}; ((n > 2)) && eval "exec $n>&-"; done; exec "$@""#;
    let source = format!(
        "import os, mmap, sys\nV = {reversed:?}\n{body}\nprint('ready', flush=True)\nsys.stdin.read()\n"
    );
    let mut command = Command::new("/bin/bash");
    command
        .args(["-c", close, "bash", "/usr/bin/python3", "-I", "-c", &source])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if environment {
        command.env("CANARY", CANARY);
    }
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    child
}

/// What a checkpoint of it finds.
fn findings(mut child: Child) -> Vec<Finding> {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let config = PoolConfig {
        dir: dir.path().join("pool"),
        mount: Mount::Existing,
    };
    let pool = Pool::open(&config, Key([7; 32])).unwrap();
    let options = Options {
        name: ImageName::new("canary").unwrap(),
        external: BTreeSet::from([0, 1, 2]),
        leave_running: true,
        parent: None,
        for_mapping: true,
    };
    let secrets = Secrets {
        policy: Policy::Warn,
        withheld: vec![Withheld {
            name: "CANARY".to_owned(),
            value: CANARY.to_owned(),
        }],
    };
    let made = checkpoint_reviewed(child.id(), &options, &pool, &|manifest, image| {
        secrets.review(manifest, image).map(drop)
    });
    let _ = child.kill();
    let _ = child.wait();
    match made {
        Ok(_) => Vec::new(),
        Err(CheckpointError::Rejected { source, .. }) => source.downcast::<Found>().unwrap().0,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn each_place_that_an_image_stores_is_searched() {
    // Each leaves no copy elsewhere: bytes are written one by one.
    let write = "for at, c in enumerate(reversed(V)): m[4090 + at] = ord(c)";
    for (body, place) in [
        // Across the border of two pages.
        (
            format!("m = mmap.mmap(-1, 1 << 16, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n{write}"),
            "anonymous memory at",
        ),
        (
            format!("m = mmap.mmap(-1, 1 << 16)\n{write}"),
            "shared memory",
        ),
        (
            format!(
                "f = os.memfd_create('held')\nos.ftruncate(f, 1 << 16)\nm = mmap.mmap(f, 1 << 16)\n{write}"
            ),
            "a memory file named held",
        ),
        (
            "r, w = os.pipe()\nfor c in reversed(V): os.write(w, c.encode())".to_owned(),
            "a pipe",
        ),
        ("V = ''.join(reversed(V))".to_owned(), "at "),
    ] {
        let found = findings(program(&body, false));
        assert!(
            found.iter().any(|finding| finding.place.starts_with(place)
                || (place == "at " && finding.place.contains(place))),
            "{body}: {found:?}"
        );
        assert!(
            found
                .iter()
                .all(|finding| finding.what == What::Value("CANARY".to_owned()))
        );
    }
}

#[test]
fn environment_is_searched_and_a_process_without_the_value_is_clean() {
    let found = findings(program("", true));
    let stack = found
        .iter()
        .any(|finding| finding.place.starts_with("the stack"));
    assert!(stack, "{found:?}");
    assert_eq!(findings(program("", false)), []);
}
