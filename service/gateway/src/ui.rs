//! The operator's web page, `/ui`: what the parts tell becomes a view, which `offshoot-ui` renders.

use http::StatusCode;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_ui::view::{Live, Seed};
use offshoot_ui::{CONTENT_SECURITY_POLICY, Chosen, RenderError};

use crate::body::{Answer, set, whole};
use crate::operator::{first, number};
use crate::{Gateway, rescue};

/// Where the page is.
const HOME: &str = "/ui";
/// Functions and decisions that it lists at most.
const MOST: usize = 100;

/// A part of the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Page,
    /// What changes with every start.
    Live,
    /// The tree of seeds.
    Seeds,
    /// A script, a style or the icon, by its path.
    Asset(String),
}

/// The part that `path` names, if it is one of the page's.
pub(crate) fn part(path: &str) -> Option<Part> {
    let rest = path.strip_prefix(HOME)?;
    match rest {
        "" | "/" => Some(Part::Page),
        "/live" => Some(Part::Live),
        "/seeds" => Some(Part::Seeds),
        _ if rest.starts_with("/assets/") => Some(Part::Asset(path.to_owned())),
        _ => None,
    }
}

/// A part of the page; `query` says what is open in it.
pub(crate) fn answer(gateway: &Gateway, part: &Part, query: &str) -> Result<Answer, ApiError> {
    let html = match part {
        Part::Asset(path) => return asset(path),
        Part::Page => {
            let chosen = chosen(query)?;
            offshoot_ui::page(&live(gateway, &chosen), &seeds(gateway), &chosen)
        }
        Part::Live => {
            let chosen = chosen(query)?;
            offshoot_ui::live(&live(gateway, &chosen), &chosen)
        }
        Part::Seeds => offshoot_ui::seeds(&seeds(gateway)),
    };
    let failed = |error: RenderError| rescue::internal("the page cannot be shown", &error);
    let mut answer = whole(StatusCode::OK, html.map_err(failed)?);
    set(&mut answer, "content-type", "text/html; charset=utf-8");
    set(&mut answer, "cache-control", "no-store");
    set(
        &mut answer,
        "content-security-policy",
        CONTENT_SECURITY_POLICY,
    );
    set(&mut answer, "referrer-policy", "no-referrer");
    Ok(answer)
}

fn asset(path: &str) -> Result<Answer, ApiError> {
    let found = offshoot_ui::asset(path).ok_or_else(|| {
        // A page of another release asks for it.
        ApiError::new(ErrorKind::ResourceNotFound, "There is no such file")
    })?;
    let mut answer = whole(StatusCode::OK, found.bytes);
    set(&mut answer, "content-type", found.media_type);
    set(
        &mut answer,
        "cache-control",
        "public, max-age=31536000, immutable",
    );
    Ok(answer)
}

fn chosen(query: &str) -> Result<Chosen, ApiError> {
    Ok(Chosen {
        function: first(query, "function"),
        start: number(query, "start")?,
    })
}

fn live(gateway: &Gateway, chosen: &Chosen) -> Live {
    let node = &gateway.parts.node;
    let (functions, started) = node.functions(MOST);
    let open = chosen.function.as_deref();
    let names = gateway.parts.catalog.function_names();
    let waiting = names.iter().filter(|name| !node.is_started(name));
    Live {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        waiting: waiting.take(MOST).map(|name| name.to_string()).collect(),
        starts: open.map(|name| node.starts(name)).unwrap_or_default(),
        functions,
        started,
        pools: node.pools(),
        decisions: node.latest_decisions(MOST),
    }
}

/// The seeds' memory is read from the kernel, which takes milliseconds with many clones.
fn seeds(gateway: &Gateway) -> Vec<Seed> {
    tokio::task::block_in_place(|| gateway.parts.node.seed_tree())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_of_the_page_are_its_own() {
        assert_eq!(part("/ui"), Some(Part::Page));
        assert_eq!(part("/ui/live"), Some(Part::Live));
        let path = "/ui/assets/0011/ui.js";
        assert_eq!(part(path), Some(Part::Asset(path.to_owned())));
        for path in ["/uid", "/ui/other", "/2015-03-31/functions", "/ui/assets"] {
            assert_eq!(part(path), None, "{path}");
        }
    }
}
