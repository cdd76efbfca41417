//! The kernel's own mappings, and getting threads out of them.

use std::time::Duration;

use offshoot_image::model::{Registers, SpecialKind, SpecialMapping, Vdso};
use offshoot_trace::{Memory, SYSCALL_INSTRUCTION, Tracee};

use crate::smaps::Area;
use crate::{CheckpointError, Refusal};

/// Longest vDSO that is believed, in bytes; today's has two pages.
const MOST_BYTES: u64 = 1 << 20;
/// Instructions that a thread is given to leave the vDSO. Reading a clock takes about a hundred.
const MOST_STEPS: u32 = 4096;
const STEP_PATIENCE: Duration = Duration::from_secs(1);
/// All signals but `SIGTRAP`, which reports a step: a step with it blocked would change its action.
const ALL_BUT_TRAP: u64 = !(1 << 4);

/// The vDSO of a process, found and read.
pub(crate) struct Found {
    /// For the manifest.
    pub vdso: Vdso,
    /// Address of a `syscall` instruction.
    pub syscall_at: u64,
    start: u64,
    end: u64,
}

/// Which of the kernel's mappings it is; none if it is not one.
pub(crate) fn special_kind(area: &Area) -> Option<SpecialKind> {
    match area.bracketed()? {
        b"vvar" => Some(SpecialKind::Vvar),
        b"vvar_vclock" => Some(SpecialKind::VvarVclock),
        b"vdso" => Some(SpecialKind::Vdso),
        _ => None,
    }
}

/// Finds and reads the vDSO.
pub(crate) fn find(pid: u32, areas: &[Area], memory: &Memory) -> Result<Found, CheckpointError> {
    let mappings: Vec<SpecialMapping> = areas
        .iter()
        .filter_map(|area| {
            let kind = special_kind(area)?;
            Some(SpecialMapping {
                kind,
                start: area.start,
                bytes: area.end - area.start,
            })
        })
        .collect();
    let missing = || CheckpointError::NoVdso { pid };
    let code = mappings
        .iter()
        .find(|mapping| mapping.kind == SpecialKind::Vdso);
    let code = *code
        .filter(|code| code.bytes <= MOST_BYTES)
        .ok_or_else(missing)?;
    let mut bytes = vec![0; usize::try_from(code.bytes).unwrap_or(0)];
    memory
        .read_at(code.start, &mut bytes)
        .map_err(|source| CheckpointError::Memory {
            what: format!("the vDSO of process {pid}"),
            source,
        })?;
    let at = bytes
        .windows(2)
        .position(|pair| pair == SYSCALL_INSTRUCTION)
        .ok_or_else(missing)?;
    Ok(Found {
        syscall_at: code.start + at as u64,
        start: code.start,
        end: code.start + code.bytes,
        vdso: Vdso {
            digest: blake3::hash(&bytes).into(),
            mappings,
        },
    })
}

impl Found {
    fn holds(&self, registers: &[u64; 27]) -> bool {
        (self.start..self.end).contains(&registers[Registers::RIP])
    }

    /// Brings a thread that stopped inside the vDSO to the first instruction behind it: another kernel's vDSO is
    /// other code, and no thread may wake in its middle.
    pub(crate) fn step_out(
        &self,
        pid: u32,
        thread: &mut Tracee,
        ignores_trap: bool,
    ) -> Result<(), CheckpointError> {
        let trace = |source| CheckpointError::Trace { pid, source };
        let tid = thread.tid();
        if !self.holds(&thread.registers().map_err(trace)?) {
            return Ok(());
        }
        if ignores_trap {
            return Err(Refusal::IgnoresTrap { tid }.into());
        }
        let mask = thread.signal_mask().map_err(trace)?;
        thread.set_signal_mask(ALL_BUT_TRAP).map_err(trace)?;
        let mut left = Ok(false);
        for _ in 0..MOST_STEPS {
            left = thread
                .step(STEP_PATIENCE)
                .and_then(|()| thread.registers())
                .map(|registers| !self.holds(&registers));
            if !matches!(left, Ok(false)) {
                break;
            }
        }
        thread.settle(STEP_PATIENCE).map_err(trace)?;
        thread.set_signal_mask(mask).map_err(trace)?;
        match left.map_err(trace)? {
            true => Ok(()),
            false => Err(Refusal::InsideVdso {
                tid,
                steps: MOST_STEPS,
            }
            .into()),
        }
    }
}
