//! What the templates print: figures as text, and bars with their places.

use crate::bins::{Bar, bars};
use crate::figures::{bytes, count, duration, more, percent, time_of_day};
use crate::links::{self, Chosen};
use crate::view::{Decision, Function, Kind, LivingClone, Memory, Pools, Seed, Start};

/// A function of the table.
pub(crate) struct FunctionRow {
    pub(crate) name: String,
    pub(crate) link: String,
    pub(crate) is_open: bool,
    pub(crate) kinds: Vec<KindRow>,
}

/// One kind of start of a function.
pub(crate) struct KindRow {
    pub(crate) name: String,
    pub(crate) count: String,
    pub(crate) p50: String,
    pub(crate) p99: String,
    pub(crate) bars: Vec<Bar>,
    /// Microseconds and counts, for the script that draws.
    pub(crate) us: String,
    pub(crate) counts: String,
}

/// A start of the list.
pub(crate) struct StartRow {
    pub(crate) number: u64,
    pub(crate) link: String,
    pub(crate) is_open: bool,
    pub(crate) time: String,
    pub(crate) kind: String,
    pub(crate) total: String,
    pub(crate) failed: bool,
    pub(crate) stages: Vec<StageRow>,
    pub(crate) version: String,
    pub(crate) request_id: String,
}

/// A stage of a start, on a scale of all of them.
pub(crate) struct StageRow {
    pub(crate) name: &'static str,
    pub(crate) took: String,
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) is_skipped: bool,
}

/// A figure with its name.
pub(crate) struct Tile {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) note: String,
}

/// A decision of the list.
pub(crate) struct DecisionRow {
    pub(crate) number: u64,
    pub(crate) time: String,
    pub(crate) function: Option<(String, String)>,
    pub(crate) action: String,
    pub(crate) why: String,
}

/// A seed of the tree.
pub(crate) struct SeedRow {
    pub(crate) depth: usize,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) state: String,
    pub(crate) image: Option<String>,
    pub(crate) stored: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) template: Option<MemoryRow>,
    pub(crate) clones: Vec<CloneRow>,
    pub(crate) more_clones: Option<String>,
    pub(crate) sum: Option<String>,
}

/// A clone below its seed.
pub(crate) struct CloneRow {
    pub(crate) instance: String,
    pub(crate) memory: MemoryRow,
}

/// Memory as a bar: shared, then private.
pub(crate) struct MemoryRow {
    pub(crate) private: String,
    pub(crate) shared: String,
    pub(crate) proportional: String,
    pub(crate) shared_width: String,
    pub(crate) private_width: String,
}

impl FunctionRow {
    pub(crate) fn of(function: &Function, chosen: &Chosen) -> Self {
        Self {
            name: function.name.clone(),
            link: links::function(&function.name),
            is_open: chosen.function.as_deref() == Some(&*function.name),
            kinds: function.kinds.iter().map(KindRow::of).collect(),
        }
    }
}

impl KindRow {
    fn of(kind: &Kind) -> Self {
        let listed = |numbers: Vec<String>| numbers.join(",");
        let recorded = kind.recorded.iter();
        Self {
            name: kind.name.clone(),
            count: count(kind.count),
            p50: duration(kind.p50_us),
            p99: duration(kind.p99_us),
            bars: bars(&kind.recorded),
            us: listed(recorded.clone().map(|(us, _)| us.to_string()).collect()),
            counts: listed(recorded.map(|(_, count)| count.to_string()).collect()),
        }
    }
}

impl StartRow {
    pub(crate) fn of(start: &Start, function: &str, open: Option<u64>) -> Self {
        let total_us = start.stages.iter().map(|(_, us)| us).sum();
        let mut begun_us = 0;
        let stage = |(name, us): &(&'static str, u64)| {
            let row = StageRow {
                name,
                took: duration(*us),
                x: percent(begun_us, total_us),
                width: percent(*us, total_us),
                is_skipped: *us == 0,
            };
            begun_us += us;
            row
        };
        Self {
            stages: start.stages.iter().map(stage).collect(),
            number: start.number,
            link: links::start(function, start.number),
            is_open: open == Some(start.number),
            time: time_of_day(start.at_ms),
            kind: start.kind.clone(),
            total: duration(total_us),
            failed: start.failed,
            version: start.version.clone(),
            request_id: start.request_id.clone(),
        }
    }
}

impl DecisionRow {
    pub(crate) fn of(decision: &Decision) -> Self {
        let function = decision.function.as_ref();
        Self {
            number: decision.number,
            time: time_of_day(decision.at_ms),
            function: function.map(|name| (name.clone(), links::function(name))),
            action: decision.action.clone(),
            why: decision.why.clone(),
        }
    }
}

/// The pools' figures.
pub(crate) fn tiles(pools: &Pools) -> Vec<Tile> {
    let tile = |name, value, note: &str| Tile {
        name,
        value: count(value),
        note: note.to_owned(),
    };
    let mut tiles = vec![
        tile("hot, idle", pools.idle as u64, "between two events"),
        tile("parked", pools.parked as u64, "clones before their first"),
        tile("busy", pools.busy as u64, "at work or being made"),
    ];
    let Some(sandboxes) = &pools.sandboxes else {
        return tiles;
    };
    let mean = |total_us: u64, times: u64| match times {
        0 => "none yet".to_owned(),
        _ => format!("{} each", duration(total_us / times)),
    };
    let recreated: u64 = sandboxes.recreations.iter().map(|(_, times)| times).sum();
    let reasons: Vec<String> = sandboxes.recreations.iter().map(reason).collect();
    tiles.extend([
        tile("ghosts", sandboxes.ghosts as u64, "sandboxes ready"),
        tile("taken", sandboxes.taken as u64, "sandboxes in use"),
        tile(
            "takes",
            sandboxes.takes,
            &mean(sandboxes.take_us, sandboxes.takes),
        ),
        tile("misses", sandboxes.misses, "starts that found no ghost"),
        tile(
            "repurposed",
            sandboxes.repurposed,
            &mean(sandboxes.repurpose_us, sandboxes.repurposed),
        ),
        tile(
            "made anew",
            recreated,
            if reasons.is_empty() {
                "nothing to discard".to_owned()
            } else {
                reasons.join(", ")
            }
            .as_str(),
        ),
    ]);
    tiles
}

fn reason((name, times): &(String, u64)) -> String {
    format!("{} {}", name.replace('_', " "), count(*times))
}

/// The tree, from the top, each seed before those that are made of it.
pub(crate) fn seeds(seeds: &[Seed]) -> Vec<SeedRow> {
    let mut rows = Vec::new();
    let most = seeds.iter().map(most_resident).max().unwrap_or(0);
    for seed in seeds {
        push_seed(&mut rows, seed, 0, most);
    }
    rows
}

fn push_seed(rows: &mut Vec<SeedRow>, seed: &Seed, depth: usize, most: u64) {
    let clone = |clone: &LivingClone| CloneRow {
        instance: clone.instance.clone(),
        memory: MemoryRow::of(clone.memory, most),
    };
    rows.push(SeedRow {
        depth,
        name: seed.name.clone(),
        version: seed.version.clone(),
        state: seed.state.clone(),
        image: seed.image.clone(),
        stored: seed.stored_bytes.map(bytes),
        reason: seed.reason.clone(),
        template: seed.template.map(|memory| MemoryRow::of(memory, most)),
        clones: seed.clones.iter().map(clone).collect(),
        more_clones: more(seed.more_clones),
        sum: sum(seed),
    });
    for child in &seed.children {
        push_seed(rows, child, depth + 1, most);
    }
}

/// What the clones take together, and would without sharing.
fn sum(seed: &Seed) -> Option<String> {
    if seed.clones.is_empty() {
        return None;
    }
    let add =
        |what: fn(&Memory) -> u64| bytes(seed.clones.iter().map(|one| what(&one.memory)).sum());
    Some(format!(
        "{} {} and the rest is shared: {} instead of {}",
        match seed.clones.len() {
            1 => "1 clone owns".to_owned(),
            many => format!("{many} clones own"),
        },
        add(|one| one.private),
        add(|one| one.proportional),
        add(Memory::resident),
    ))
}

fn most_resident(seed: &Seed) -> u64 {
    let clones = seed.clones.iter().map(|clone| clone.memory);
    let own = clones.chain(seed.template).map(|one| one.resident()).max();
    let children = seed.children.iter().map(most_resident).max();
    own.max(children).unwrap_or(0)
}

impl Memory {
    fn resident(&self) -> u64 {
        self.shared + self.private
    }
}

impl MemoryRow {
    fn of(memory: Memory, most: u64) -> Self {
        Self {
            private: bytes(memory.private),
            shared: bytes(memory.shared),
            proportional: bytes(memory.proportional),
            shared_width: percent(memory.shared, most),
            private_width: percent(memory.private, most),
        }
    }
}
