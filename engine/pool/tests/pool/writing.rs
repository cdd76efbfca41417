//! Images that come into being, or do not.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Barrier;

use offshoot_image::{ImageId, SealError};
use offshoot_pool::WriteError;

use super::*;

/// Names the pool in which a copy of this test program is to write and wait.
const WRITER_DIR: &str = "OFFSHOOT_POOL_TEST_WRITER";

#[test]
fn unfinished_image_has_no_name_and_goes_when_it_is_dropped() {
    let (dir, pool) = pool();
    let new = pool.create(&name("a")).unwrap();
    new.write_pages_at(FIRST_PAGE, &pages(0, 5)).unwrap();
    assert!(pool.list().unwrap().is_empty() && pool.open_image(&name("a")).is_err());
    let usage = pool.usage().unwrap();
    assert!(usage.images == 0 && usage.image_bytes >= 5 * 4096);
    assert_eq!(files(dir.path()).len(), 1);
    drop(new);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn finished_image_is_read_only_and_alone() {
    let (dir, pool) = pool();
    write(&pool, "a", &sample::manifest(1));
    assert_eq!(files(dir.path()), ["a"]);
    let mode = std::fs::metadata(dir.path().join("a"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o400);
}

#[test]
fn name_that_is_taken_is_refused() {
    let (dir, pool) = pool();
    let late = pool.create(&name("a")).unwrap();
    fill(&late, &sample::manifest(2));
    let first = write(&pool, "a", &sample::manifest(1));
    let refused = late.finish(&sample::manifest(2)).unwrap_err();
    assert_eq!(refused.to_string(), "the pool already has an image a");
    assert!(matches!(
        pool.create(&name("a")),
        Err(WriteError::AlreadyExists { .. })
    ));
    assert_eq!(pool.open_image(&name("a")).unwrap().id(), first.id());
    assert_eq!(files(dir.path()), ["a"]);
}

#[test]
fn of_many_writers_of_one_name_exactly_one_wins() {
    let (dir, pool) = pool();
    let barrier = Barrier::new(8);
    let attempt = |number: u32| {
        let manifest = sample::manifest(number);
        barrier.wait();
        let new = pool.create(&name("a"));
        barrier.wait();
        let new = new?;
        fill(&new, &manifest);
        new.finish(&manifest)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let attempt = &attempt;
        let writers: Vec<_> = (1..=8)
            .map(|number| scope.spawn(move || attempt(number)))
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(
        lost.iter()
            .all(|e| matches!(e, Err(WriteError::AlreadyExists { .. })))
    );
    let winner = won.into_iter().next().unwrap().unwrap();
    let stored = pool.open_image(&name("a")).unwrap();
    assert_eq!(stored.id(), winner.id());
    assert!(stored.verify().is_ok());
    assert_eq!(files(dir.path()), ["a"]);
}

#[test]
fn pages_outside_the_page_area_are_refused() {
    let (_dir, pool) = pool();
    let new = pool.create(&name("a")).unwrap();
    for (file_page, bytes) in [
        (0, 4096),
        (511, 4096),
        (1 << 26, 4096),
        (u64::MAX, 4096),
        (512, 4095),
    ] {
        let refused = new.write_pages_at(file_page, &vec![0; bytes]);
        assert!(
            matches!(refused, Err(WriteError::Misplaced { .. })),
            "{file_page} {bytes}"
        );
    }
    assert!(matches!(
        new.reserve(512, u64::MAX),
        Err(WriteError::Misplaced { .. })
    ));
}

#[test]
fn manifest_that_breaks_a_rule_makes_no_image() {
    let (dir, pool) = pool();
    let mut manifest = sample::manifest(1);
    manifest.threads.clear();
    let new = pool.create(&name("a")).unwrap();
    let refused = new.finish(&manifest).unwrap_err();
    let invalid = |e: &WriteError| {
        matches!(
            e,
            WriteError::Seal {
                source: SealError::Invalid(_),
                ..
            }
        )
    };
    assert!(invalid(&refused), "{refused:?}");
    assert!(files(dir.path()).is_empty());
}

#[test]
fn pages_that_were_never_written_make_no_image() {
    let (dir, pool) = pool();
    let new = pool.create(&name("a")).unwrap();
    assert!(new.finish(&sample::manifest(1)).is_err());
    assert!(files(dir.path()).is_empty());
}

#[test]
fn child_of_an_unknown_parent_is_refused() {
    let (dir, pool) = pool();
    let mut manifest = sample::manifest(0);
    manifest.parent = Some(ImageId([7; 32]));
    let refused = pool
        .create(&name("a"))
        .unwrap()
        .finish(&manifest)
        .unwrap_err();
    let expected = "image a names the parent 070707070707, which is not in the pool";
    assert_eq!(refused.to_string(), expected);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn what_a_writer_left_behind_the_last_page_goes() {
    let (_dir, pool) = pool();
    let manifest = sample::manifest(2);
    let new = pool.create(&name("a")).unwrap();
    fill(&new, &manifest);
    new.write_pages_at(FIRST_PAGE + 300, &pages(9, 40)).unwrap();
    let image = new.finish(&manifest).unwrap();
    assert!(image.verify().is_ok());
    assert!(image.header().file_bytes < (FIRST_PAGE + 3) * PAGE_BYTES);
}

#[test]
fn living_writer_keeps_its_file_when_the_pool_is_opened_again() {
    let (dir, pool) = pool();
    let manifest = sample::manifest(1);
    let new = pool.create(&name("a")).unwrap();
    fill(&new, &manifest);
    Pool::open(&existing(dir.path()), KEY).unwrap();
    assert!(new.finish(&manifest).is_ok());
}

#[test]
fn file_of_a_killed_writer_is_gone_when_the_pool_is_opened_again() {
    if let Some(dir) = std::env::var_os(WRITER_DIR) {
        write_and_wait(Path::new(&dir));
    }
    let (dir, pool) = pool();
    write(&pool, "kept", &sample::manifest(1));
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "writing::file_of_a_killed_writer_is_gone_when_the_pool_is_opened_again",
            "--nocapture",
        ])
        .env(WRITER_DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(writer.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(output);
    assert!(lines.any(|line| line.unwrap().ends_with("written")));
    assert_eq!(files(dir.path()).len(), 2);
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    Pool::open(&existing(dir.path()), KEY).unwrap();
    assert_eq!(files(dir.path()), ["kept"]);
}

fn write_and_wait(dir: &Path) -> ! {
    let pool = Pool::open(&existing(dir), KEY).unwrap();
    let new = pool.create(&name("killed")).unwrap();
    fill(&new, &sample::manifest(5));
    println!("written");
    loop {
        std::thread::park();
    }
}
