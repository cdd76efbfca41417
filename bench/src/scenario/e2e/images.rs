//! How much of the disk the images of seeds take.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bench::Running;
use crate::record::Recorder;
use crate::summary::Summary;

const PAGE: &str = "/offshoot/v1/seeds";
/// What names a seed: of a version, or of a runtime.
const NAMES: [&str; 3] = ["function", "runtime", "name"];

/// Sizes by the name of the function or runtime, in bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Images(BTreeMap<String, u64>);

impl Images {
    /// Adds what a daemon has.
    pub(super) fn look(&mut self, running: &Running) -> anyhow::Result<()> {
        self.add(&running.page(PAGE)?);
        Ok(())
    }

    pub(super) fn record(&self, recorder: &mut Recorder) -> anyhow::Result<()> {
        for (name, bytes) in &self.0 {
            let size = Summary::single(1, (bytes >> 10) as f64);
            let scenario = format!("seed/{name}");
            recorder.record(&scenario, "offshoot", "image_kb", "KiB", size)?;
        }
        Ok(())
    }

    /// Every entry with a name and a size, in whichever list of the page it is.
    fn add(&mut self, page: &Value) {
        match page {
            Value::Array(entries) => entries.iter().for_each(|entry| self.add(entry)),
            Value::Object(fields) => {
                let name = NAMES.iter().find_map(|name| fields.get(*name)?.as_str());
                let bytes = fields.get("storedBytes").and_then(Value::as_u64);
                if let (Some(name), Some(bytes)) = (name, bytes) {
                    self.0.insert(name.to_owned(), bytes);
                }
                fields.values().for_each(|field| self.add(field));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn seeds_of_versions_and_of_runtimes_are_found_and_those_without_an_image_are_not() {
        let mut images = Images::default();
        images.add(&json!({
            "seeds": [
                { "function": "json", "version": "$LATEST", "storedBytes": 100 },
                { "function": "echo", "state": "refused" },
            ],
            "runtimes": [{ "runtime": "python3.11", "storedBytes": 7 }],
        }));
        let expected = [("json", 100), ("python3.11", 7)];
        let expected = expected.map(|(name, bytes)| (name.to_owned(), bytes));
        assert_eq!(images, Images(BTreeMap::from(expected)));
    }
}
