//! What a sandbox makes of clones, appended to a plan that was looked over.
//!
//! It comes from the client and never from an image: a filter's verdicts can make the stub believe anything.

use std::ffi::CStr;
use std::mem::offset_of;

use offshoot_plan::traps::MAX_INSTRUCTIONS;
use offshoot_plan::{Confinement as Spans, Header, PLAN_MAX_BYTES, Span};
use seccompiler::sock_filter;
use serde::{Deserialize, Serialize};

/// Every part of a plan begins at a multiple of this.
const ALIGNED: usize = 8;

/// What a sandbox makes of every clone, whatever its image says. Clones get no rights by executing programs, either
/// (`PR_SET_NO_NEW_PRIVS`), are never more urgent than others, and have limits that are at most these.
///
/// Two filters, because loading a long one costs each clone more than it costs to be made: the template loads the larger
/// part once. Of two filters' answers the kernel takes the stricter one.
#[derive(Debug, Clone, Copy)]
pub struct Confinement<'a> {
    /// The filter of system calls (`seccomp(2)`) that the template loads and clones inherit. It must let through what
    /// [`setup_calls`] names, and may refuse all else.
    pub inherited: &'a [sock_filter],
    /// The filter that each clone loads for all its threads as its last step: it refuses what the other one must let
    /// through. Not empty.
    pub last: &'a [sock_filter],
    /// Numbers of resources (`setrlimit(2)`), and what soft and hard limit are at most.
    pub limits: &'a [(u32, u64)],
    /// What clones may open; none where the kernel has no Landlock.
    pub paths: Option<PathRules<'a>>,
}

/// A ruleset (`landlock(7)`) that each clone makes in its sandbox, when it has opened what its image names, and puts itself
/// under, all its threads with it.
#[derive(Debug, Clone, Copy)]
pub struct PathRules<'a> {
    /// The rights that are refused wherever no rule allows them, as bits of `LANDLOCK_ACCESS_FS_*`. Not 0.
    pub handled: u64,
    /// Flags of `landlock_restrict_self(2)`.
    pub flags: u32,
    /// Absolute paths of directories in the sandbox, and the rights to all that lies beneath each.
    pub beneath: &'a [(&'a CStr, u64)],
}

/// The system calls that a template makes for its clones, and a clone before its program goes on.
pub fn setup_calls() -> Vec<libc::c_long> {
    let mut calls: Vec<_> = offshoot_plan::calls_of_clones().map(Into::into).collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}

/// The same, as it crosses to the nursery: instructions as `struct sock_filter` lies in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confined {
    inherited: Vec<u64>,
    last: Vec<u64>,
    limits: Vec<(u32, u64)>,
    paths: Option<Paths>,
}

/// [`PathRules`]; paths without their last zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Paths {
    handled: u64,
    flags: u32,
    beneath: Vec<(Vec<u8>, u64)>,
}

impl Confined {
    pub(crate) fn new(confinement: &Confinement<'_>) -> Self {
        Self {
            inherited: words(confinement.inherited),
            last: words(confinement.last),
            limits: confinement.limits.to_vec(),
            paths: confinement.paths.as_ref().map(Paths::new),
        }
    }

    /// Appends it to a plan that [`offshoot_plan::check()`] lets pass.
    pub(crate) fn append(&self, plan: &mut Vec<u8>) -> Result<(), String> {
        let fits = |filter: &[u64]| (1..=MAX_INSTRUCTIONS).contains(&(filter.len() as u64));
        if !fits(&self.inherited) || !fits(&self.last) {
            return Err("a filter for clones is empty, or longer than the kernel takes".into());
        }
        let limits: Vec<u64> = self
            .limits
            .iter()
            .flat_map(|(resource, most)| [u64::from(*resource), *most])
            .collect();
        let spans = Spans {
            inherited: put(plan, &self.inherited, self.inherited.len()),
            last: put(plan, &self.last, self.last.len()),
            limits: put(plan, &limits, self.limits.len()),
            ..self
                .paths
                .as_ref()
                .map(|paths| paths.put(plan))
                .unwrap_or_default()
        };
        if plan.len() as u64 > PLAN_MAX_BYTES {
            return Err("with the filter for clones the plan is too long".into());
        }
        let at = offset_of!(Header, confinement);
        let places = [
            (offset_of!(Spans, inherited), spans.inherited),
            (offset_of!(Spans, last), spans.last),
            (offset_of!(Spans, limits), spans.limits),
            (offset_of!(Spans, beneath), spans.beneath),
        ];
        for (place, span) in places {
            write(plan, at + place + offset_of!(Span, offset), span.offset);
            write(plan, at + place + offset_of!(Span, count), span.count);
        }
        write(plan, at + offset_of!(Spans, handled), spans.handled);
        let place = at + offset_of!(Spans, restrict_flags);
        write(plan, place, spans.restrict_flags);
        let bytes = plan.len() as u64;
        write(plan, offset_of!(Header, bytes), bytes);
        Ok(())
    }
}

impl Paths {
    fn new(rules: &PathRules<'_>) -> Self {
        let one = |(path, rights): &(&CStr, u64)| (path.to_bytes().to_vec(), *rights);
        Self {
            handled: rules.handled,
            flags: rules.flags,
            beneath: rules.beneath.iter().map(one).collect(),
        }
    }

    /// Appends them; what is not theirs is empty.
    fn put(&self, plan: &mut Vec<u8>) -> Spans {
        let mut records = Vec::new();
        for (path, rights) in &self.beneath {
            records.extend([plan.len() as u64, *rights]);
            plan.extend(path);
            plan.push(0);
        }
        Spans {
            beneath: put(plan, &records, self.beneath.len()),
            handled: self.handled,
            restrict_flags: self.flags.into(),
            ..Spans::default()
        }
    }
}

fn words(filter: &[sock_filter]) -> Vec<u64> {
    let word = |one: &sock_filter| {
        let jumps = u64::from(one.jt) << 16 | u64::from(one.jf) << 24;
        u64::from(one.code) | jumps | u64::from(one.k) << 32
    };
    filter.iter().map(word).collect()
}

fn put(plan: &mut Vec<u8>, words: &[u64], count: usize) -> Span {
    plan.resize(plan.len().next_multiple_of(ALIGNED), 0);
    let offset = plan.len() as u64;
    plan.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    Span {
        offset,
        count: count as u64,
    }
}

/// The header is there: the plan was looked over.
fn write(plan: &mut [u8], at: usize, value: u64) {
    if let Some(place) = plan.get_mut(at..at + 8) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compilation, Memory, compile};
    use offshoot_image::sample;
    use offshoot_plan::Refused;
    use offshoot_plan::traps::{ALLOW, Instruction, code};

    const PASS: sock_filter = sock_filter {
        code: code::RETURN,
        jt: 1,
        jf: 2,
        k: ALLOW,
    };

    fn plan() -> Vec<u8> {
        let how = Compilation {
            memory: Memory::Local,
            is_confined: true,
        };
        compile(&sample::manifest(4), how).map_or_else(|_| Vec::new(), |plan| plan.bytes)
    }

    fn confined(inherited: &[sock_filter]) -> Confined {
        Confined::new(&Confinement {
            inherited,
            last: &[PASS],
            limits: &[(7, 1024), (6, 742)],
            paths: Some(PathRules {
                handled: 15,
                flags: 1,
                beneath: &[(c"/", 12), (c"/tmp", 15)],
            }),
        })
    }

    #[test]
    fn what_is_appended_is_found_again_and_the_rest_stays() {
        let (before, mut plan) = (plan(), plan());
        assert_eq!(confined(&[PASS, PASS]).append(&mut plan), Ok(()));
        let header = Header::from_bytes(&plan).unwrap_or_default();
        assert_eq!(header.bytes, plan.len() as u64);
        let of = |span: Span| &plan[span.offset as usize..];
        let spans = header.confinement;
        let counts = [spans.inherited.count, spans.last.count, spans.limits.count];
        assert_eq!(counts, [2, 1, 2]);
        let wanted = Instruction::compare(code::RETURN, ALLOW, 1, 2);
        assert_eq!(Instruction::from_bytes(of(spans.last)), Some(wanted));
        let limits: Vec<u8> = [7_u64, 1024, 6, 742].map(u64::to_le_bytes).concat();
        assert!(of(spans.limits).starts_with(&limits));
        let beneath = of(spans.beneath).as_chunks().0;
        let words: Vec<u64> = beneath
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        let path = |at: u64| CStr::from_bytes_until_nul(&plan[at as usize..]);
        assert_eq!([path(words[0]), path(words[2])], [Ok(c"/"), Ok(c"/tmp")]);
        let numbers = [words[1], words[3], spans.handled, spans.restrict_flags];
        assert_eq!((spans.beneath.count, numbers), (2, [12, 15, 15, 1]));
        let head = size_of::<Header>();
        assert_eq!(plan[head..before.len()], before[head..]);
    }

    #[test]
    fn a_plan_that_brings_its_own_is_refused() {
        let mut plan = plan();
        assert_eq!(offshoot_plan::check(&plan), Ok(()));
        assert_eq!(confined(&[PASS]).append(&mut plan), Ok(()));
        assert_eq!(offshoot_plan::check(&plan), Err(Refused::Confinement));
    }

    #[test]
    fn empty_and_endless_filters_are_refused() {
        let endless = vec![PASS; 4097];
        for inherited in [&[][..], &endless] {
            let mut plan = plan();
            assert!(confined(inherited).append(&mut plan).is_err());
            assert_eq!(offshoot_plan::check(&plan), Ok(()));
        }
    }
}
