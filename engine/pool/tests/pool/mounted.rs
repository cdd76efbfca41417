//! Pools on a tmpfs of their own. They need root; without it they say so and pass.

use offshoot_pool::{FileSystem, WriteError};

use super::*;

const SIZE_BYTES: u64 = 1 << 20;

#[test]
fn tmpfs_is_mounted_once_and_unmounted_when_it_is_empty() {
    let Some(dir) = directory() else { return };
    let first = Pool::open(&tmpfs(dir.path()), KEY).unwrap();
    let backing = first.backing();
    assert_eq!(backing.file_system, FileSystem::Tmpfs);
    assert!(backing.is_mount_point && !backing.dax);
    assert_eq!(backing.block_bytes, 4096);
    assert_eq!(first.usage().unwrap().total_bytes, SIZE_BYTES);
    write(&first, "a", &sample::manifest(2));
    let second = Pool::open(&tmpfs(dir.path()), KEY).unwrap();
    assert!(second.open_image(&name("a")).is_ok());
    assert_eq!(mounts(dir.path()), 1);
    let text = |refused: PoolError| refused.to_string();
    assert!(text(second.unmount(false).unwrap_err()).ends_with("still has 1 images"));
    first.remove(&name("a")).unwrap();
    first.unmount(false).unwrap();
    assert_eq!(mounts(dir.path()), 0);
}

#[test]
fn forced_unmount_takes_images_along() {
    let Some(dir) = directory() else { return };
    let pool = Pool::open(&tmpfs(dir.path()), KEY).unwrap();
    let image = write(&pool, "a", &sample::manifest(2));
    pool.unmount(true).unwrap();
    assert_eq!(mounts(dir.path()), 0);
    assert!(image.verify().is_ok());
    assert!(files(dir.path()).is_empty());
}

#[test]
fn full_pool_is_named_and_nothing_remains() {
    let Some(dir) = directory() else { return };
    let pool = Pool::open(&tmpfs(dir.path()), KEY).unwrap();
    let new = pool.create(&name("a")).unwrap();
    let refused = new
        .write_pages_at(FIRST_PAGE, &vec![1; 2 << 20])
        .unwrap_err();
    assert_full(&refused, 2 << 20);
    assert!(matches!(
        new.reserve(FIRST_PAGE, 512),
        Err(WriteError::Full { .. })
    ));
    drop(new);
    assert!(files(dir.path()).is_empty());
    assert_eq!(pool.usage().unwrap().used_bytes, 0);
    write(&pool, "a", &sample::manifest(20));
    pool.unmount(true).unwrap();
}

#[test]
fn pool_that_is_full_at_the_seal_keeps_no_part_of_the_image() {
    let Some(dir) = directory() else { return };
    let pool = Pool::open(&tmpfs(dir.path()), KEY).unwrap();
    // Header and pages take all room, so none is left for the metadata.
    let manifest = sample::manifest((SIZE_BYTES / PAGE_BYTES - 1) as u32);
    let new = pool.create(&name("a")).unwrap();
    fill(&new, &manifest);
    let refused = new.finish(&manifest).unwrap_err();
    assert!(matches!(refused, WriteError::Full { .. }), "{refused:?}");
    assert!(files(dir.path()).is_empty());
    assert_eq!(pool.usage().unwrap().used_bytes, 0);
    pool.unmount(false).unwrap();
}

#[test]
fn short_runs_take_only_their_own_pages_whatever_the_huge_page_policy() {
    let Some(dir) = directory() else { return };
    let config = PoolConfig {
        mount: Mount::Tmpfs {
            size_bytes: 64 << 20,
        },
        ..tmpfs(dir.path())
    };
    let pool = Pool::open(&config, KEY).unwrap();
    // One page in each 2 MiB, in ascending order.
    let mut manifest = sample::manifest(0);
    manifest.mappings[1].end = sample::HEAP + (10 << 21);
    let first = sample::HEAP / PAGE_BYTES;
    let run = |number: u64| offshoot_image::model::Run {
        page: first + number * 512,
        pages: 1,
        file_page: FIRST_PAGE + number * 512,
        generation: 0,
        clean: false,
    };
    manifest.mappings[1].runs = (0..10).map(run).collect();
    write(&pool, "a", &manifest);
    let stored_bytes = pool.list().unwrap()[0].stored_bytes;
    assert!(
        stored_bytes < 20 * PAGE_BYTES,
        "{stored_bytes}, huge={:?}",
        pool.backing().huge
    );
    pool.unmount(true).unwrap();
}

#[test]
fn what_is_not_mounted_by_a_pool_is_not_unmounted() {
    let (_dir, pool) = pool();
    assert!(matches!(
        pool.unmount(true),
        Err(PoolError::NotMounted { .. })
    ));
}

#[test]
fn tmpfs_without_a_size_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = PoolConfig {
        dir: dir.path().to_owned(),
        mount: Mount::Tmpfs { size_bytes: 0 },
    };
    assert!(matches!(
        Pool::open(&config, KEY),
        Err(PoolError::NoSize { .. })
    ));
}

#[test]
fn another_file_system_in_the_place_of_a_tmpfs_is_refused() {
    let refused = Pool::open(&tmpfs(Path::new("/proc")), KEY).unwrap_err();
    let expected = "the pool /proc should be a tmpfs and is on file system 0x9fa0";
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn mount_without_execution_is_refused() {
    let Some(dir) = directory() else { return };
    let flags = rustix::mount::MountFlags::NOEXEC;
    rustix::mount::mount("test", dir.path(), "tmpfs", flags, c"mode=0700").unwrap();
    for config in [tmpfs(dir.path()), existing(dir.path())] {
        assert!(matches!(
            Pool::open(&config, KEY),
            Err(PoolError::NoExec { .. })
        ));
    }
}

fn assert_full(refused: &WriteError, expected_bytes: u64) {
    match refused {
        WriteError::Full {
            needed_bytes,
            free_bytes,
            ..
        } => {
            assert_eq!(*needed_bytes, expected_bytes);
            assert!(*free_bytes <= SIZE_BYTES);
        }
        other => panic!("{other:?}"),
    }
}

fn tmpfs(dir: &Path) -> PoolConfig {
    PoolConfig {
        dir: dir.to_owned(),
        mount: Mount::Tmpfs {
            size_bytes: SIZE_BYTES,
        },
    }
}

fn mounts(dir: &Path) -> usize {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let path = dir.to_str().unwrap();
    table
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some(path))
        .count()
}

/// A directory that is unmounted whatever happens.
struct Directory(tempfile::TempDir);

impl Directory {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

fn directory() -> Option<Directory> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: mounting a tmpfs needs root");
        return None;
    }
    Some(Directory(tempfile::tempdir().unwrap()))
}
