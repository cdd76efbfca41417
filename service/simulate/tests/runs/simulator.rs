use offshoot_decide::{MINUTE_US, Policy};
use offshoot_simulate::{Load, Report, Shape, System, simulate};

fn load() -> Load {
    let shape = Shape {
        functions: 60,
        minutes: 10,
        calls_per_minute: 120.0,
        duration_spread: 1.0,
        ..Shape::default()
    };
    shape.generate().unwrap().load(3, 4)
}

fn keep_alive() -> System {
    System::KeepAlive {
        window_us: 10 * MINUTE_US,
    }
}

fn core(seeds_at_publish: bool) -> System {
    System::Core {
        policy: Box::new(Policy::default()),
        seeds_at_publish,
    }
}

/// Keep-alive's own need, and a quarter of it.
fn memory(load: &Load) -> [u64; 2] {
    let whole = simulate(load, u64::MAX, &keep_alive()).peak_bytes;
    [whole, whole / 4]
}

fn is_complete(report: &Report, load: &Load) -> bool {
    let starts: u64 = report.rungs.values().sum();
    report.unanswered == 0 && report.calls == load.calls.len() as u64 && starts == report.calls
}

#[test]
fn every_call_is_answered_once_whoever_decides() {
    let load = load();
    assert!(load.calls.len() > 500);
    for limit in memory(&load) {
        for system in [keep_alive(), core(false), core(true)] {
            let report = simulate(&load, limit, &system);
            assert!(is_complete(&report, &load), "{report:?}");
        }
    }
    // Control: in memory that holds no instance nothing is answered, and that is seen.
    let report = simulate(&load, 1 << 20, &keep_alive());
    assert_eq!(report.unanswered, report.calls);
    assert!(!is_complete(&report, &load));
}

#[test]
fn the_same_load_gives_the_same_report() {
    let load = load();
    let [_, quarter] = memory(&load);
    assert_eq!(
        simulate(&load, quarter, &core(true)),
        simulate(&load, quarter, &core(true))
    );
    assert_ne!(
        simulate(&load, quarter, &core(true)),
        simulate(&load, quarter, &core(false))
    );
}

#[test]
fn keep_alive_stays_in_its_memory_and_loses_starts_to_it() {
    let load = load();
    let [whole, quarter] = memory(&load);
    let (ample, short) = (
        simulate(&load, whole, &keep_alive()),
        simulate(&load, quarter, &keep_alive()),
    );
    assert!(short.peak_bytes <= quarter && ample.peak_bytes <= whole);
    assert!(short.init_ratio > ample.init_ratio);
}

#[test]
fn clones_need_fewer_inits_in_a_quarter_of_the_memory() {
    let load = load();
    let [_, quarter] = memory(&load);
    let (kept, cloned) = (
        simulate(&load, quarter, &keep_alive()),
        simulate(&load, quarter, &core(true)),
    );
    assert!(
        cloned.init_ratio < kept.init_ratio / 4.0,
        "{cloned:?} {kept:?}"
    );
    assert!(
        cloned.start.p99_us < kept.start.p99_us,
        "{cloned:?} {kept:?}"
    );
}
