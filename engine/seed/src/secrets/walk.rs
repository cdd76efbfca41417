//! All that an image would store, one place after the other.

use std::os::fd::AsFd;

use offshoot_image::model::{Manifest, PAGE_BYTES, Run};
use rustix::io::Errno;

use super::search::{Searcher, Stretch, Tally};
use super::{Finding, place};

/// How much is read at once: it stays in a processor's cache while it is looked at twice.
const PIECE_PAGES: u64 = 256;

/// Searches pages and buffers; what was found, and in how many bytes.
pub(super) fn search(
    searcher: &Searcher,
    manifest: &Manifest,
    image: &impl AsFd,
) -> Result<(Vec<Finding>, u64), Errno> {
    let mut walk = Walk {
        searcher,
        findings: Vec::new(),
        bytes: 0,
    };
    for mapping in &manifest.mappings {
        walk.pages(image, &mapping.runs, || {
            place::of_mapping(manifest, mapping)
        })?;
    }
    for content in &manifest.contents {
        walk.pages(image, &content.runs, || place::of_content(content))?;
    }
    for pipe in &manifest.pipes {
        walk.buffer(&pipe.content, "a pipe");
    }
    for message in manifest.sockets.iter().flat_map(|socket| &socket.queue) {
        walk.buffer(message, "a socket");
    }
    Ok((walk.findings, walk.bytes))
}

struct Walk<'a> {
    searcher: &'a Searcher,
    findings: Vec<Finding>,
    bytes: u64,
}

impl Walk<'_> {
    /// Runs are ascending; those that lie side by side in memory are searched as one, wherever they lie in the file.
    fn pages(
        &mut self,
        image: &impl AsFd,
        runs: &[Run],
        place: impl Fn() -> String,
    ) -> Result<(), Errno> {
        let mut tally = Tally::new();
        let mut stretch = Stretch::new(self.searcher);
        let mut next_page = None;
        for run in runs.iter().filter(|run| run.generation == 0 && !run.clean) {
            if next_page != Some(run.page) {
                stretch.end(&mut tally);
            }
            self.read(image, run, &mut stretch, &mut tally)?;
            next_page = Some(run.end());
        }
        stretch.end(&mut tally);
        self.note(tally, place);
        Ok(())
    }

    fn read(
        &mut self,
        image: &impl AsFd,
        run: &Run,
        stretch: &mut Stretch<'_>,
        tally: &mut Tally,
    ) -> Result<(), Errno> {
        let (mut file_page, mut left) = (run.file_page, u64::from(run.pages));
        while left > 0 {
            let pages = left.min(PIECE_PAGES);
            let room = stretch.room((pages * PAGE_BYTES) as usize);
            read_exact_at(image, room, file_page.saturating_mul(PAGE_BYTES))?;
            stretch.look(tally);
            self.bytes += pages * PAGE_BYTES;
            (file_page, left) = (file_page.saturating_add(pages), left - pages);
        }
        Ok(())
    }

    fn buffer(&mut self, bytes: &[u8], what: &str) {
        let mut tally = Tally::new();
        let mut stretch = Stretch::new(self.searcher);
        stretch.room(bytes.len()).copy_from_slice(bytes);
        stretch.end(&mut tally);
        self.bytes += bytes.len() as u64;
        self.note(tally, || what.to_owned());
    }

    fn note(&mut self, tally: Tally, place: impl Fn() -> String) {
        let found = tally.into_iter().map(|(what, count)| Finding {
            what,
            count,
            place: place(),
        });
        self.findings.extend(found);
    }
}

fn read_exact_at(file: &impl AsFd, mut bytes: &mut [u8], mut offset: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::pread(file, &mut *bytes, offset) {
            Ok(0) => return Err(Errno::NODATA),
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
