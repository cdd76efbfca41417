//! The pages that every clone writes are copied by `fork` itself.
//!
//! `fork` shares private memory, and the first write to each page is a fault: 2 to 3 µs. A page that is pinned for
//! transfers it copies at once (`copy_present_page` in the kernel's `mm/memory.c`): half a microsecond, because there is
//! no exception, no walk of the page tables and no flush of the TLB. Memory that is registered with an io_uring is pinned
//! as long as the ring lives; the template has such a ring, and does nothing else with it (`trusted/stub/stub/pin.rs`).

use offshoot_image::model::{Backing, Manifest, Mapping, MappingFlags, PAGE_BYTES};
use offshoot_plan::{GENERATION_BASE, STUB_DATA_BASE, Span};

use super::builder::Builder;
use super::ranges::within;

/// Most buffers of a ring (`IORING_MAX_REG_BUFFERS`), and longest of them.
const MAX_BUFFERS: usize = 1 << 14;
const MAX_BUFFER_BYTES: u64 = 1 << 30;

/// Puts the buffers to be pinned into the plan: what the profile says is written, and what the stub writes.
pub(super) fn compile(builder: &mut Builder, manifest: &Manifest) -> Span {
    let mut buffers = vec![(STUB_DATA_BASE, offshoot_stub::data_bytes())];
    buffers.push((GENERATION_BASE, PAGE_BYTES));
    buffers.extend(builder.thread_stacks());
    for mapping in manifest
        .mappings
        .iter()
        .filter(|mapping| is_forked(mapping))
    {
        let dirty = within(&manifest.profile.dirty, mapping.start, mapping.end);
        let bytes = dirty
            .iter()
            .map(|range| (range.page * PAGE_BYTES, range.pages * PAGE_BYTES));
        buffers.extend(bytes);
    }
    buffers.retain(|(_, bytes)| *bytes <= MAX_BUFFER_BYTES);
    buffers.truncate(MAX_BUFFERS);
    let words: Vec<u64> = buffers
        .iter()
        .flat_map(|(start, bytes)| [*start, *bytes])
        .collect();
    Span {
        offset: builder.put_words(&words) - offshoot_plan::PLAN_BASE,
        count: buffers.len() as u64,
    }
}

/// Whether it is private memory that can be written, and that a clone has from its template. One buffer that is not
/// would have all refused.
pub(super) fn is_forked(mapping: &Mapping) -> bool {
    let not_forked = MappingFlags::WIPE_ON_FORK | MappingFlags::DROPPABLE;
    let is_templates = !matches!(mapping.backing, Backing::Content { .. });
    let is_private = !mapping.shared && mapping.protection.write();
    is_private && is_templates && !mapping.flags.any(not_forked)
}
