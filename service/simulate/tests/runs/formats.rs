use offshoot_decide::Time;
use offshoot_simulate::{LoadError, Minutes, Shape, ShapeError, parse_recorded};
use proptest::prelude::*;

const MINUTES: &str = "function,workload,mean_ms,m1,m2\nf0,pyaes,12.5,3,0\n\"f,1\",json,0.4,0,2\n";
const RECORDED: &str =
    "app,func,end_timestamp,duration\na,f,10.5,0.5\nb,f,5.25,0.25\na,f,9.0,8.5\n";

#[test]
fn calls_by_the_minute_are_read_and_written() {
    let minutes = Minutes::parse(MINUTES).unwrap();
    assert_eq!(minutes.to_csv(), MINUTES);
    let load = minutes.load(1, 2);
    let of = |function, minute| {
        let calls = load.calls.iter().filter(|call| call.function == function);
        calls
            .filter(|call| call.at.0 / 60_000_000 == minute)
            .count()
    };
    assert_eq!([of(0, 0), of(0, 1), of(1, 0), of(1, 1)], [3, 0, 0, 2]);
    assert!(load.calls.is_sorted());
    assert_eq!(
        load.calls
            .iter()
            .find(|call| call.function == 0)
            .unwrap()
            .duration_us,
        12_500
    );
    assert_ne!(load.functions[0].account, load.functions[1].account);
    assert_eq!(load, minutes.load(1, 2));
    assert_ne!(load, minutes.load(2, 2));
}

#[test]
fn calls_one_by_one_arrive_when_they_ended_less_their_duration() {
    let load = parse_recorded(RECORDED).unwrap();
    let calls: Vec<_> = load
        .calls
        .iter()
        .map(|call| (call.at, call.function, call.duration_us))
        .collect();
    let expected = [
        (Time(0), 0, 8_500_000),
        (Time(4_500_000), 1, 250_000),
        (Time(9_500_000), 0, 500_000),
    ];
    assert_eq!(calls, expected);
    assert_eq!(
        (&*load.functions[0].account, &*load.functions[1].account),
        ("a", "b")
    );
}

/// The line and column that an error names.
fn place(error: LoadError) -> (u64, String) {
    match error {
        LoadError::Field { line, column, .. } => (line, column),
        other => panic!("{other}"),
    }
}

#[test]
fn errors_name_line_and_column() {
    let minutes = |row: &str| {
        place(
            Minutes::parse(&format!("function,workload,mean_ms,m1\nf,w,1,1\n{row}\n")).unwrap_err(),
        )
    };
    assert_eq!(minutes("g,w,-1,1"), (3, "mean_ms".into()));
    assert_eq!(minutes("g,w,NaN,1"), (3, "mean_ms".into()));
    assert_eq!(minutes("g,w,1,-1"), (3, "m1".into()));
    assert_eq!(minutes(",w,1,1"), (3, "function".into()));
    assert_eq!(minutes("f,w,1,1"), (3, "new function".into()));
    let recorded = |row: &str| {
        place(parse_recorded(&format!("app,func,end_timestamp,duration\n{row}\n")).unwrap_err())
    };
    assert_eq!(recorded("a,f,x,1"), (2, "end_timestamp".into()));
    assert_eq!(recorded("a,f,1,inf"), (2, "duration".into()));
}

#[test]
fn other_files_are_refused() {
    assert!(matches!(
        Minutes::parse(RECORDED),
        Err(LoadError::Columns { .. })
    ));
    assert!(matches!(
        parse_recorded(MINUTES),
        Err(LoadError::Columns { .. })
    ));
    assert!(matches!(
        Minutes::parse("function,workload,mean_ms\n"),
        Err(LoadError::Columns { .. })
    ));
    let ragged = "function,workload,mean_ms,m1\nf,w,1\n";
    assert!(matches!(Minutes::parse(ragged), Err(LoadError::Csv(_))));
    let many = "function,workload,mean_ms,m1\nf,w,1,4000000000\n";
    assert!(matches!(
        Minutes::parse(many),
        Err(LoadError::TooMany { line: 2, .. })
    ));
}

#[test]
fn generated_load_is_skewed_rhythmic_and_the_same_for_each_seed() {
    let shape = Shape {
        day_minutes: 60.0,
        bursty: 0.0,
        ..Shape::default()
    };
    let minutes = shape.generate().unwrap();
    assert_eq!(minutes, shape.generate().unwrap());
    assert_ne!(
        minutes,
        Shape {
            seed: 2,
            ..shape.clone()
        }
        .generate()
        .unwrap()
    );
    let sums: Vec<u32> = minutes
        .rows
        .iter()
        .map(|row| row.calls.iter().sum())
        .collect();
    let (top, all) = (sums[..100].iter().sum::<u32>(), sums.iter().sum::<u32>());
    assert!((50_000..58_000).contains(&all), "{all}");
    assert!(top > all * 8 / 10, "{top} of {all}");
    let in_minutes = |range: std::ops::Range<usize>| -> u32 {
        minutes
            .rows
            .iter()
            .map(|row| row.calls[range.clone()].iter().sum::<u32>())
            .sum()
    };
    assert!(in_minutes(0..30) > in_minutes(30..60) * 3 / 2);
    // Controls: without skew and rhythm there is neither.
    let flat = Shape {
        skew: 0.0,
        diurnal: 0.0,
        ..shape
    }
    .generate()
    .unwrap();
    let top: u32 = flat.rows[..100].iter().flat_map(|row| &row.calls).sum();
    assert!(top < all * 2 / 10, "{top}");
}

#[test]
fn bursts_are_bursts() {
    let busiest_share = |bursty| {
        let shape = Shape {
            functions: 1,
            bursty,
            diurnal: 0.0,
            ..Shape::default()
        };
        let mut calls = shape.generate().unwrap().rows.remove(0).calls;
        calls.sort_unstable();
        let all: u32 = calls.iter().sum();
        f64::from(calls[calls.len() - 12..].iter().sum::<u32>()) / f64::from(all.max(1))
    };
    assert!(busiest_share(1.0) > 0.9);
    assert!(busiest_share(0.0) < 0.3);
}

#[test]
fn shapes_without_a_load_are_refused_by_name() {
    let refused = |shape: Shape| match shape.generate() {
        Err(ShapeError::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(Shape {
            functions: 0,
            ..Shape::default()
        }),
        "functions"
    );
    assert_eq!(
        refused(Shape {
            skew: f64::NAN,
            ..Shape::default()
        }),
        "skew"
    );
    assert_eq!(
        refused(Shape {
            bursty: 1.5,
            ..Shape::default()
        }),
        "bursty"
    );
    assert_eq!(
        refused(Shape {
            duration_median_ms: 0.0,
            ..Shape::default()
        }),
        "duration_median_ms"
    );
    let huge = Shape {
        functions: 1_000_000,
        minutes: 100_000,
        ..Shape::default()
    };
    assert!(matches!(huge.generate(), Err(ShapeError::TooMany { .. })));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*", rows in "([a-z0-9.,\"-]{0,12}\n){0,6}") {
        for text in [
            text,
            format!("function,workload,mean_ms,m1\n{rows}"),
            format!("app,func,end_timestamp,duration\n{rows}"),
        ] {
            let _ = Minutes::parse(&text);
            let _ = parse_recorded(&text);
        }
    }
}
