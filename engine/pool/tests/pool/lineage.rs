//! Parents and children.

use offshoot_pool::{OpenError, RemoveError};

use super::*;

#[test]
fn parent_is_kept_as_long_as_a_child_needs_it() {
    let (_dir, pool) = pool();
    let parent = write(&pool, "parent", &sample::manifest(4));
    write(&pool, "child", &child_of(&parent, 4));
    let refused = pool.remove(&name("parent")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "image parent is the parent of image child"
    );
    assert!(matches!(refused, RemoveError::InUse { .. }));
    pool.remove(&name("child")).unwrap();
    pool.remove(&name("parent")).unwrap();
}

#[test]
fn copy_of_a_parent_may_go() {
    let (_dir, pool) = pool();
    let parent = write(&pool, "parent", &sample::manifest(4));
    write(&pool, "copy", &sample::manifest(4));
    write(&pool, "child", &child_of(&parent, 4));
    pool.remove(&name("parent")).unwrap();
    assert!(matches!(
        pool.remove(&name("copy")),
        Err(RemoveError::InUse { .. })
    ));
    assert_eq!(
        pool.open_lineage(&name("child")).unwrap().ancestors[0].name(),
        &name("copy")
    );
}

#[test]
fn lineage_opens_parents_in_order() {
    let (_dir, pool) = pool();
    let oldest = write(&pool, "oldest", &sample::manifest(4));
    let middle = write(&pool, "middle", &child_of(&oldest, 4));
    let mut manifest = child_of(&middle, 4);
    manifest.mappings[1].runs[0].generation = 2;
    write(&pool, "youngest", &manifest);
    let lineage = pool.open_lineage(&name("youngest")).unwrap();
    assert_eq!(lineage.manifest, manifest);
    let names: Vec<_> = lineage
        .ancestors
        .iter()
        .map(|image| image.name().as_str())
        .collect();
    assert_eq!(names, ["middle", "oldest"]);
    let mut page = vec![0; 4096];
    lineage.ancestors[1]
        .read_pages_at(FIRST_PAGE, &mut page)
        .unwrap();
    assert_eq!(page, pages(FIRST_PAGE, 1));
}

#[test]
fn missing_ancestor_is_named() {
    let (dir, pool) = pool();
    let parent = write(&pool, "parent", &sample::manifest(4));
    write(&pool, "child", &child_of(&parent, 4));
    std::fs::remove_file(dir.path().join("parent")).unwrap();
    let refused = pool.open_lineage(&name("child")).unwrap_err();
    assert!(matches!(refused, OpenError::NoAncestor { ancestor, .. } if ancestor == parent.id()));
    assert!(pool.find(parent.id()).unwrap().is_none());
}

#[test]
fn child_that_wants_more_than_its_parent_stores_is_refused() {
    let (_dir, pool) = pool();
    let parent = write(&pool, "parent", &sample::manifest(4));
    write(&pool, "child", &child_of(&parent, 5));
    let refused = pool.open_lineage(&name("child")).unwrap_err();
    assert!(
        matches!(refused, OpenError::Ancestors { .. }),
        "{refused:?}"
    );
}

#[test]
fn chain_longer_than_the_format_allows_is_refused() {
    let (_dir, pool) = pool();
    let mut parent = write(&pool, "0", &sample::manifest(1));
    for generation in 1..=17 {
        let mut manifest = child_of(&parent, 1);
        // The first image stores the page for all others.
        manifest.mappings[1].runs[0].generation = generation.min(16);
        parent = write(&pool, &generation.to_string(), &manifest);
    }
    assert_eq!(pool.open_lineage(&name("16")).unwrap().ancestors.len(), 16);
    let refused = pool.open_lineage(&name("17")).unwrap_err();
    assert!(
        matches!(refused, OpenError::TooDeep { limit: 16, .. }),
        "{refused:?}"
    );
}

/// A child that takes its heap from its parent and stores nothing.
fn child_of(parent: &OpenImage, pages: u32) -> Manifest {
    let mut manifest = sample::manifest(pages);
    manifest.parent = Some(parent.id());
    manifest.mappings[1].runs[0].generation = 1;
    manifest
}
