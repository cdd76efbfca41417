//! Figures as a table for the terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::record::Measurement;
use crate::target::standing;

const HEADER: [&str; 11] = [
    "scenario", "system", "metric", "n", "p50", "p90", "p99", "mean", "ratio", "target", "met",
];

/// All figures, with what they are compared with.
pub(crate) fn table(all: &[Measurement]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADER);
    for one in all {
        table.add_row(row(one, all));
    }
    for column in table.column_iter_mut().skip(3).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The cells of one figure, in the order of the header.
pub(crate) fn row(one: &Measurement, all: &[Measurement]) -> [String; 11] {
    if let Some(reason) = &one.absent {
        let mut cells = [const { String::new() }; 11];
        cells[0].clone_from(&one.scenario);
        cells[1].clone_from(&one.system);
        cells[2].clone_from(&one.metric);
        cells[3].push('0');
        cells[9] = format!("absent: {reason}");
        return cells;
    }
    let standing = standing(one, all);
    let summary = &one.summary;
    let met = standing
        .met
        .map_or("", |met| if met { "yes" } else { "NO" });
    [
        one.scenario.clone(),
        one.system.clone(),
        one.metric.clone(),
        summary.n.to_string(),
        short(summary.p50),
        short(summary.p90),
        short(summary.p99),
        short(summary.mean),
        standing
            .ratio
            .map(|ratio| format!("{ratio:.2}"))
            .unwrap_or_default(),
        standing
            .target
            .map(|target| target.to_string())
            .unwrap_or_default(),
        met.to_owned(),
    ]
}

/// As many digits as can be read at a glance: 0.42, 82.4, 15203.
fn short(value: f64) -> String {
    match value {
        v if v.fract() == 0.0 => format!("{v:.0}"),
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 1000.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shortened_not_cut() {
        let shown: Vec<_> = [0.0, 0.424, 82.44, 999.96, 15_203.4].map(short).into();
        assert_eq!(shown, ["0", "0.42", "82.4", "1000.0", "15203"]);
    }
}
