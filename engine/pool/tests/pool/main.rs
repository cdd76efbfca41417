//! Pools in temporary directories.

#![allow(clippy::unwrap_used, missing_docs)]

mod damage;
mod lineage;
mod mounted;
mod writing;

use std::path::Path;

use offshoot_image::model::{Manifest, PAGE_BYTES};
use offshoot_image::{FIRST_PAGE, Key, sample};
use offshoot_pool::{ImageName, Mount, NewImage, OpenImage, Pool, PoolConfig, PoolError};

const KEY: Key = Key([42; 32]);

#[test]
fn image_opens_as_it_was_written() {
    let (_dir, pool) = pool();
    let manifest = sample::manifest(35);
    let written = write(&pool, "a", &manifest);
    let opened = pool.open_image(&name("a")).unwrap();
    assert_eq!(opened.id(), written.id());
    assert_eq!(opened.read_manifest().unwrap(), manifest);
    let mut page = vec![0; 4096];
    opened.read_pages_at(FIRST_PAGE + 34, &mut page).unwrap();
    assert_eq!(page, pages(FIRST_PAGE + 34, 1));
    let digests = opened.read_digests(&manifest).unwrap();
    assert_eq!(
        digests.verify(FIRST_PAGE + 32, &pages(FIRST_PAGE + 32, 3)),
        Ok(())
    );
    let verified = opened.verify().unwrap();
    assert_eq!((verified.chunks, verified.page_bytes), (3, 35 * PAGE_BYTES));
}

#[test]
fn image_of_scattered_runs_is_verified() {
    let (_dir, pool) = pool();
    let mut manifest = sample::manifest(700);
    let mut placement = offshoot_image::Placement::new();
    manifest.mappings[1].runs = [(0, 600), (605, 1), (610, 40), (699, 1)]
        .map(|(page, pages)| {
            let page = sample::HEAP / PAGE_BYTES + page;
            offshoot_image::model::Run {
                page,
                pages,
                file_page: placement.place(page, pages).unwrap(),
                generation: 0,
                clean: false,
            }
        })
        .to_vec();
    let verified = write(&pool, "a", &manifest).verify().unwrap();
    assert_eq!(
        (verified.chunks, verified.page_bytes),
        (38 + 1 + 3 + 1, 642 * PAGE_BYTES)
    );
}

#[test]
fn usage_and_list_count_images() {
    let (_dir, pool) = pool();
    assert_eq!(
        (pool.usage().unwrap().images, pool.list().unwrap().len()),
        (0, 0)
    );
    let first = write(&pool, "b", &sample::manifest(35));
    write(&pool, "a", &sample::manifest(0));
    let usage = pool.usage().unwrap();
    assert_eq!(usage.images, 2);
    assert!(
        (35 * 4096..1 << 20).contains(&usage.image_bytes),
        "{usage:?}"
    );
    assert!(usage.used_bytes >= usage.image_bytes && usage.total_bytes > usage.used_bytes);
    let list = pool.list().unwrap();
    assert_eq!(
        list.iter()
            .map(|image| image.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(list[1].header.as_ref().unwrap().id, first.id());
    assert!(list[0].stored_bytes < list[1].stored_bytes && list[1].stored_bytes < 1 << 20);
}

#[test]
fn removed_image_is_gone_but_stays_readable_where_it_is_open() {
    let (_dir, pool) = pool();
    let image = write(&pool, "a", &sample::manifest(3));
    pool.remove(&name("a")).unwrap();
    assert!(pool.list().unwrap().is_empty());
    assert!(image.verify().is_ok());
    let refused = pool.remove(&name("a")).unwrap_err();
    assert_eq!(refused.to_string(), "the pool has no image a");
}

#[test]
fn pool_that_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    let refused = Pool::open(&existing(dir.path()), KEY).unwrap_err();
    assert!(
        matches!(refused, PoolError::Exposed { mode: 0o777, .. }),
        "{refused:?}"
    );
}

#[test]
fn pool_is_made_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/b");
    let pool = Pool::open(&existing(&inner), KEY).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(pool.dir()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o700);
}

fn pool() -> (tempfile::TempDir, Pool) {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::open(&existing(dir.path()), KEY).unwrap();
    (dir, pool)
}

fn existing(dir: &Path) -> PoolConfig {
    PoolConfig {
        dir: dir.to_owned(),
        mount: Mount::Existing,
    }
}

fn name(name: &str) -> ImageName {
    ImageName::new(name).unwrap()
}

/// Writes an image whose every page holds its own number.
fn write(pool: &Pool, as_name: &str, manifest: &Manifest) -> OpenImage {
    let new = pool.create(&name(as_name)).unwrap();
    fill(&new, manifest);
    new.finish(manifest).unwrap()
}

fn fill(new: &NewImage, manifest: &Manifest) {
    let runs = manifest.mappings.iter().flat_map(|mapping| &mapping.runs);
    for run in runs.filter(|run| run.generation == 0) {
        new.write_pages_at(run.file_page, &pages(run.file_page, run.pages))
            .unwrap();
    }
}

fn pages(file_page: u64, pages: u32) -> Vec<u8> {
    let numbers = file_page..file_page + u64::from(pages);
    numbers.flat_map(|page| vec![page as u8; 4096]).collect()
}

/// What is in a directory.
fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
