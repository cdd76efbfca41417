//! Checkpoints of real programs. Needs root.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Program, TestPool};

const COUNTER: &str = "
import sys
print('ready')
n = 0
for line in sys.stdin:
    n += 1
    print(n, line.strip())
";

#[test]
fn python_goes_on_and_its_image_is_whole() {
    let pool = TestPool::new();
    let mut program = Program::python(COUNTER);
    assert_eq!(program.ask("a"), "1 a");
    let maps = program.maps();
    let report = program.checkpoint(&pool, "first").unwrap();
    eprintln!("{report:?}");
    assert_eq!(program.maps(), maps);
    assert_eq!(program.ask("b"), "2 b");
    let lineage = pool.lineage("first");
    assert_eq!(lineage.image.id(), report.id);
    lineage.image.verify().unwrap();
    assert_eq!(lineage.manifest.threads.len(), 1);
}
