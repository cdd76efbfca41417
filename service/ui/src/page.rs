//! The templates, filled.

use askama::Template;

use crate::figures::more;
use crate::links::Chosen;
use crate::rows::{DecisionRow, FunctionRow, SeedRow, StartRow, Tile, seeds as seed_rows, tiles};
use crate::view::{Live, Seed};

/// Why the page could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("the page cannot be rendered")]
pub struct RenderError(#[from] askama::Error);

/// The whole page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    version: &'a str,
    query: String,
    live: LiveRows,
    rows: Vec<SeedRow>,
}

/// What changes with every start.
#[derive(Template)]
#[template(path = "live.html")]
struct LivePart {
    live: LiveRows,
}

/// The tree of seeds.
#[derive(Template)]
#[template(path = "seeds.html")]
struct SeedsPart {
    rows: Vec<SeedRow>,
}

struct LiveRows {
    tiles: Vec<Tile>,
    functions: Vec<FunctionRow>,
    waiting: Vec<String>,
    left_out: Option<String>,
    open: Option<OpenRows>,
    decisions: Vec<DecisionRow>,
}

/// The function that is open.
struct OpenRows {
    name: String,
    function: Option<FunctionRow>,
    starts: Vec<StartRow>,
}

/// The whole page, as HTML.
///
/// # Errors
/// When a template fails, which only its own text can bring about.
pub fn page(view: &Live, seeds: &[Seed], chosen: &Chosen) -> Result<String, RenderError> {
    let page = Page {
        version: &view.version,
        query: chosen.query(),
        live: LiveRows::of(view, chosen),
        rows: seed_rows(seeds),
    };
    Ok(page.render()?)
}

/// The part that changes with every start, as HTML.
///
/// # Errors
/// As [`page`].
pub fn live(view: &Live, chosen: &Chosen) -> Result<String, RenderError> {
    let live = LiveRows::of(view, chosen);
    Ok(LivePart { live }.render()?)
}

/// The tree of seeds, as HTML.
///
/// # Errors
/// As [`page`].
pub fn seeds(seeds: &[Seed]) -> Result<String, RenderError> {
    let rows = seed_rows(seeds);
    Ok(SeedsPart { rows }.render()?)
}

impl LiveRows {
    fn of(view: &Live, chosen: &Chosen) -> Self {
        let functions = view.functions.iter();
        Self {
            tiles: tiles(&view.pools),
            functions: functions
                .map(|function| FunctionRow::of(function, chosen))
                .collect(),
            waiting: view.waiting.clone(),
            left_out: more(view.started.saturating_sub(view.functions.len())),
            open: OpenRows::of(view, chosen),
            decisions: view.decisions.iter().map(DecisionRow::of).collect(),
        }
    }
}

impl OpenRows {
    fn of(view: &Live, chosen: &Chosen) -> Option<Self> {
        let name = chosen.function.as_ref()?;
        let latest = view.starts.first().map(|start| start.number);
        let open = chosen.start.or(latest);
        let function = view.functions.iter().find(|one| one.name == *name);
        let starts = view.starts.iter();
        Some(Self {
            name: name.clone(),
            function: function.map(|function| FunctionRow::of(function, chosen)),
            starts: starts
                .map(|start| StartRow::of(start, name, open))
                .collect(),
        })
    }

    /// The start whose stages are shown.
    fn start(&self) -> Option<&StartRow> {
        self.starts.iter().find(|start| start.is_open)
    }
}
