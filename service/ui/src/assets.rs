//! Scripts, styles and the icon, with addresses that change with their bytes.

use std::sync::LazyLock;

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    name: &'static str,
    path: String,
}

/// Where they are found.
const FOLDER: &str = "/ui/assets/";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    // vendor/README.md tells versions, licences and where they come from.
    let htmx = include_bytes!("../vendor/htmx-4.0.1.min.js");
    let plot = include_bytes!("../vendor/uPlot-1.6.32.iife.min.js");
    let plot_style = include_bytes!("../vendor/uPlot-1.6.32.min.css");
    vec![
        Asset::new("htmx.js", SCRIPT, htmx),
        Asset::new("uplot.js", SCRIPT, plot),
        Asset::new("uplot.css", STYLE, plot_style),
        Asset::new("ui.js", SCRIPT, include_bytes!("../assets/ui.js")),
        Asset::new("ui.css", STYLE, include_bytes!("../assets/ui.css")),
        Asset::new(
            "icon.svg",
            "image/svg+xml",
            include_bytes!("../assets/icon.svg"),
        ),
    ]
});

impl Asset {
    fn new(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = blake3::hash(bytes).to_hex();
        Self {
            media_type,
            bytes,
            name,
            path: format!("{FOLDER}{}/{name}", &digest[..16]),
        }
    }
}

/// The file at a path, if its digest is of these bytes.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The address of a file, for the templates.
pub(crate) fn path(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.map_or("", |asset| asset.path.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn file_is_found_only_under_its_digest() {
        let path = path("ui.js");
        assert_eq!(asset(path).unwrap().media_type, SCRIPT);
        assert!(asset("/ui/assets/0000000000000000/ui.js").is_none());
        assert!(asset("/ui/assets/ui.js").is_none());
    }
}
