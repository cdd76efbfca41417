//! Which pages a parked clone reads before it waits.
//!
//! `fork` gives a child page table entries that are marked as not accessed (`pte_mkold` in `__copy_present_ptes` of the
//! kernel's `mm/memory.c`). The processor marks each at the first access, and that is dear: 330 ns a page on a Xeon with
//! AMX under KVM, against 20 ns afterwards (`docs/design/clone.md`). A parked clone has time for it.

use offshoot_image::model::{Manifest, Mapping, PAGE_BYTES};
use offshoot_plan::Span;

use super::builder::Builder;
use super::pin::is_forked;
use super::ranges::within;

/// Puts the addresses and lengths into the plan.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest) -> Span {
    let is_read = |mapping: &&Mapping| {
        !mapping.shared
            && mapping.protection.read()
            && (is_forked(mapping) || !mapping.protection.write())
    };
    let mut words = Vec::new();
    for mapping in manifest.mappings.iter().filter(is_read) {
        for range in within(&manifest.profile.accessed, mapping.start, mapping.end) {
            words.extend([range.page * PAGE_BYTES, range.pages * PAGE_BYTES]);
        }
    }
    Span {
        offset: builder.put_words(&words) - offshoot_plan::PLAN_BASE,
        count: words.len() as u64 / 2,
    }
}
