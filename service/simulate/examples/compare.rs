//! Compares keep-alive of ten minutes and of one with the core, in 100, 50 and 25 % of memory.
//!
//! `compare FILE` reads a load of either format; without a file it is generated. 100 % is what keep-alive of ten
//! minutes uses at most if memory has no limit. Prints a table as Markdown.

use std::error::Error;

use offshoot_decide::{MINUTE_US, Policy};
use offshoot_simulate::{
    Load, LoadError, Minutes, Report, Shape, System, milliseconds, parse_recorded, simulate,
};

fn main() -> Result<(), Box<dyn Error>> {
    let load = match std::env::args().nth(1) {
        Some(path) => read(&std::fs::read_to_string(path)?)?,
        None => generated().generate()?.load(1, 4),
    };
    let systems = systems();
    let whole = simulate(&load, u64::MAX, &systems[0].1).peak_bytes;
    println!(
        "{} functions, {} calls, 100 % = {} MiB\n",
        load.functions.len(),
        load.calls.len(),
        whole >> 20
    );
    println!(
        "| memory | system | start p50 ms | p90 ms | p99 ms | max ms | end to end p99 ms | init % | waited | peak MiB | mean MiB | hot / parked / clone / restore / level 1 / cold |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for percent in [100, 50, 25] {
        for (name, system) in &systems {
            let report = simulate(&load, whole / 100 * percent, system);
            print(percent, name, &report);
        }
    }
    Ok(())
}

/// Half an hour of 400 functions, whose day is as long.
fn generated() -> Shape {
    Shape {
        functions: 400,
        minutes: 30,
        calls_per_minute: 300.0,
        day_minutes: 30.0,
        ..Shape::default()
    }
}

fn read(text: &str) -> Result<Load, LoadError> {
    match Minutes::parse(text) {
        Ok(minutes) => Ok(minutes.load(1, 4)),
        Err(LoadError::Columns { .. }) => parse_recorded(text),
        Err(error) => Err(error),
    }
}

fn systems() -> Vec<(&'static str, System)> {
    let core = |seed_early_after, seeds_at_publish| System::Core {
        policy: Box::new(Policy {
            seed_early_after,
            ..Policy::default()
        }),
        seeds_at_publish,
    };
    vec![
        (
            "keepalive-10m",
            System::KeepAlive {
                window_us: 10 * MINUTE_US,
            },
        ),
        (
            "keepalive-1m",
            System::KeepAlive {
                window_us: MINUTE_US,
            },
        ),
        ("offshoot, seeds after 16", core(u64::MAX, false)),
        ("offshoot, seeds after 1", core(1, false)),
        ("offshoot, seeds at publication", core(u64::MAX, true)),
    ]
}

fn print(percent: u64, name: &str, report: &Report) {
    let rungs = ["hot", "parked", "clone", "restore", "level1", "cold"];
    let rungs = rungs.map(|rung| report.rungs[rung].to_string()).join(" / ");
    let start = report.start;
    println!(
        "| {percent} % | {name} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} | {:.2} | {} | {} | {} | {rungs} |",
        milliseconds(start.p50_us),
        milliseconds(start.p90_us),
        milliseconds(start.p99_us),
        milliseconds(start.max_us),
        milliseconds(report.end_to_end.p99_us),
        100.0 * report.init_ratio,
        report.waited,
        report.peak_bytes >> 20,
        report.mean_bytes >> 20,
    );
}
