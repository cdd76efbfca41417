//! What a mapping or buffer is called in a finding.

use offshoot_image::model::{Backing, Content, ContentKind, Manifest, Mapping, MappingFlags};

/// A mapping, by what it is and its addresses.
pub(super) fn of_mapping(manifest: &Manifest, mapping: &Mapping) -> String {
    let [heap, end_of_heap] = manifest.process.memory.brk;
    let what = match mapping.backing {
        Backing::File { file, .. } => match manifest.files.get(file as usize) {
            Some(file) => format!("memory of {}", String::from_utf8_lossy(&file.path)),
            None => "memory of a file".to_owned(),
        },
        _ if mapping.flags.any(MappingFlags::GROWS_DOWN) => "the stack".to_owned(),
        _ if heap < mapping.end && mapping.start < end_of_heap => "the heap".to_owned(),
        _ if !mapping.name.is_empty() => {
            format!("memory named {}", String::from_utf8_lossy(&mapping.name))
        }
        _ => "anonymous memory".to_owned(),
    };
    format!("{what} at {:x}-{:x}", mapping.start, mapping.end)
}

/// Memory or a file that exists only in the image.
pub(super) fn of_content(content: &Content) -> String {
    match &content.kind {
        ContentKind::Memfd { name, .. } => {
            format!("a memory file named {}", String::from_utf8_lossy(name))
        }
        ContentKind::SharedAnonymous => "shared memory".to_owned(),
        ContentKind::DeletedFile { path, .. } => {
            format!("the removed file {}", String::from_utf8_lossy(path))
        }
    }
}
