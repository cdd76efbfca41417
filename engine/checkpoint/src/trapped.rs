//! A clone whose memory is mapped from the pool has traps of the engine's (`offshoot_plan::traps`). They are no part of the
//! program: in its image it is as it believes to be.

use offshoot_image::model::{Manifest, SeccompMode, SignalAction};
use offshoot_plan::traps::{BLOCKED_SLOTS, Instruction, SIGSYS_BIT, TrapState};
use offshoot_plan::{Header, MAGIC, PLAN_BASE, VERSION};
use offshoot_trace::{Memory, Tracee};
use std::mem::offset_of;

const SIGSYS: u8 = 31;
/// `SIG_DFL` and `SIG_IGN` have no handler.
const IGNORED: u64 = 1;

/// What the stub keeps for the program.
#[derive(Debug)]
pub(crate) struct Trapped {
    bytes: [u8; size_of::<TrapState>()],
    /// Whether there are filters besides: a sandbox's, or the program's own.
    is_filtered: bool,
}

impl Trapped {
    /// The traps of a stopped process; none if it has none.
    ///
    /// A program could write anything where the engine's region is. So its word is not taken for what its filter is: the
    /// kernel is asked for the first one that it got, which a template's is, and one that could do anything but trap is
    /// another one.
    pub(crate) fn find(tracee: &Tracee, memory: &Memory) -> Option<Self> {
        let mut header = [0; size_of::<Header>()];
        memory.read_at(PLAN_BASE, &mut header).ok()?;
        let header = Header::from_bytes(&header)?;
        let is_ours = header.magic == MAGIC && header.version == VERSION;
        if !is_ours || header.traps.filter.count == 0 {
            return None;
        }
        let filter = tracee.seccomp_filter(0).ok()??;
        let is_harmless = filter
            .iter()
            .all(|bytes| Instruction::from_bytes(bytes).is_some_and(|one| one.is_allowed()));
        if !is_harmless {
            return None;
        }
        let is_filtered = tracee.seccomp_filter(1).ok()?.is_some();
        let mut bytes = [0; size_of::<TrapState>()];
        let address = PLAN_BASE.checked_add(header.traps.state.offset)?;
        memory.read_at(address, &mut bytes).ok()?;
        Some(Self { bytes, is_filtered })
    }

    /// Makes a manifest what the program believes to be.
    pub(crate) fn hide(&self, manifest: &mut Manifest) {
        if !self.is_filtered {
            manifest.process.seccomp = SeccompMode::Disabled;
        }
        let masks = self.word(offset_of!(TrapState, masks));
        let own = self.own_action();
        let actions = &mut manifest.process.actions;
        actions.retain(|action| action.signal != SIGSYS);
        for action in actions.iter_mut() {
            if masks >> (action.signal - 1) & 1 != 0 {
                action.mask |= SIGSYS_BIT;
            }
        }
        if own.handler != 0 || own.flags != 0 || own.mask != 0 {
            let at = actions.partition_point(|action| action.signal < SIGSYS);
            actions.insert(at, own);
        }
        for thread in &mut manifest.threads {
            let slot = thread.tid as usize % BLOCKED_SLOTS;
            if self.number(offset_of!(TrapState, blocked) + 4 * slot) == thread.tid {
                thread.signal_mask |= SIGSYS_BIT;
            }
        }
    }

    fn own_action(&self) -> SignalAction {
        let word = |index: usize| self.word(offset_of!(TrapState, action) + 8 * index);
        let handler = word(0);
        SignalAction {
            signal: SIGSYS,
            handler,
            flags: word(1),
            restorer: if handler > IGNORED { word(2) } else { 0 },
            mask: word(3),
        }
    }

    fn word(&self, at: usize) -> u64 {
        u64::from(self.number(at)) | u64::from(self.number(at + 4)) << 32
    }

    fn number(&self, at: usize) -> u32 {
        let bytes = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offshoot_image::sample;

    #[test]
    fn an_image_has_what_the_program_believes_of_its_signals() {
        let mut manifest = sample::manifest(1);
        manifest.threads = vec![sample::thread(300), sample::thread(301)];
        let action = |signal, handler, mask| SignalAction {
            signal,
            handler,
            flags: 4,
            restorer: 7,
            mask,
        };
        manifest.process.seccomp = SeccompMode::Filter;
        manifest.process.actions = vec![
            action(10, 0x5000, 1),
            action(SIGSYS, PLAN_BASE, u64::MAX),
            action(40, 0x6000, 2),
        ];
        let mut bytes = [0; size_of::<TrapState>()];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(offset_of!(TrapState, masks), &(1_u64 << 39).to_le_bytes());
        put(offset_of!(TrapState, action), &0x7000_u64.to_le_bytes());
        let slot = 301 % BLOCKED_SLOTS;
        put(
            offset_of!(TrapState, blocked) + 4 * slot,
            &301_u32.to_le_bytes(),
        );
        let mut trapped = Trapped {
            bytes,
            is_filtered: true,
        };
        let mut filtered = manifest.clone();
        trapped.hide(&mut filtered);
        assert_eq!(filtered.process.seccomp, SeccompMode::Filter, "a sandbox's");
        trapped.is_filtered = false;
        trapped.hide(&mut manifest);
        assert_eq!(filtered.process.actions, manifest.process.actions);
        let actions = &manifest.process.actions;
        assert_eq!(manifest.process.seccomp, SeccompMode::Disabled);
        assert_eq!(
            [actions[0].mask, actions[2].mask],
            [1, 2 | SIGSYS_BIT],
            "of SIGUSR1 and another"
        );
        assert_eq!([actions[1].signal.into(), actions[1].handler], [31, 0x7000]);
        let masks: Vec<u64> = manifest
            .threads
            .iter()
            .map(|thread| thread.signal_mask)
            .collect();
        assert_eq!(masks, [0, SIGSYS_BIT]);
    }
}
