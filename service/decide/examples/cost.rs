//! What telling and deciding cost: nanoseconds for each call, with 100 and with 10,000 functions.

use std::time::Instant;

use offshoot_decide::{Core, End, FunctionSpec, NodeReading, Policy, Rung, Slo, Started, Time};

const INVOCATIONS: u32 = 100_000;

fn main() {
    println!("functions  admit ns  started ns  ended ns  decide ns per function that has changed");
    for functions in [100, 10_000] {
        let [admit, started, ended, decide] = measure(functions);
        println!("{functions:9} {admit:9} {started:11} {ended:9} {decide:10}");
    }
}

/// Nanoseconds of each call, in the mean. One in 20 of the functions has changed at each decision.
fn measure(functions: u32) -> [u64; 4] {
    let mut core = Core::new(Policy {
        concurrency: u32::MAX,
        ..Policy::default()
    });
    core.read(NodeReading {
        limit_bytes: 64 << 30,
        ..NodeReading::default()
    });
    let ids: Vec<_> = (0..functions)
        .map(|number| core.add(Time(0), spec(number)))
        .collect();
    core.decide(Time(0));
    let mut spent = [0_u128; 4];
    let mut timed = |slot: usize, from: Instant| spent[slot] += from.elapsed().as_nanos();
    let batch = functions / 20;
    let (mut now, mut next) = (0, 0);
    for _ in 0..INVOCATIONS / batch {
        now += 100_000;
        let chosen = (0..batch).map(|_| {
            next = (next + 7919) % functions;
            ids[next as usize]
        });
        let chosen: Vec<_> = chosen.collect();
        let mut tickets = Vec::with_capacity(chosen.len());
        let begun = Instant::now();
        for id in chosen {
            tickets.extend(core.admit(Time(now), id, &mut Vec::new()).ok());
        }
        timed(0, begun);
        let begun = Instant::now();
        for ticket in &mut tickets {
            let rung = ticket.rung();
            let latency_us = if rung == Rung::Hot { 100 } else { 1000 };
            core.started(
                Time(now + 100),
                ticket,
                Started {
                    rung,
                    latency_us,
                    private_bytes: None,
                },
            );
        }
        timed(1, begun);
        let begun = Instant::now();
        for ticket in tickets {
            core.ended(
                Time(now + 200),
                ticket,
                End::Idle {
                    private_bytes: 1 << 20,
                },
            );
        }
        timed(2, begun);
        let begun = Instant::now();
        std::hint::black_box(core.decide(Time(now + 300)));
        timed(3, begun);
    }
    let calls = u128::from(INVOCATIONS / batch * batch);
    spent.map(|nanoseconds| (nanoseconds / calls) as u64)
}

fn spec(number: u32) -> FunctionSpec {
    FunctionSpec {
        name: format!("f{number}").into(),
        group: format!("f{number}").into(),
        account: format!("a{}", number % 7).into(),
        runtime: Some("python3.11".into()),
        slo: Slo::default(),
        reserved_concurrency: None,
        memory_bytes: None,
        seed_at_publish: false,
    }
}
