//! Pages of lists. A marker is the key of the last item, so that pages stay right while items come and
//! go; it is base64 because callers should not read it.

use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offshoot_lambda::limits::LIST_PAGE_ITEMS;

use crate::error::CatalogError;

/// Which page.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// `NextMarker` of the page before; `None` for the first.
    pub marker: Option<String>,
    /// Items at most; 50 unless said, and never more.
    pub max_items: Option<u32>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Marker of the next page; `None` at the end.
    pub next_marker: Option<String>,
}

impl PageRequest {
    /// The page of `items`, whose keys must ascend.
    pub(crate) fn cut<T>(
        &self,
        items: impl Iterator<Item = (String, T)>,
    ) -> Result<Page<T>, CatalogError> {
        let limit =
            (LIST_PAGE_ITEMS as usize).min(self.max_items.unwrap_or(u32::MAX).max(1) as usize);
        let after = self.after()?;
        let is_after = |key: &String| match &after {
            Bound::Excluded(last) => key > last,
            _ => true,
        };
        let mut rest = items.filter(|(key, _)| is_after(key)).peekable();
        let (mut page, mut last) = (Vec::new(), String::new());
        while let Some((key, item)) = rest.next_if(|_| page.len() < limit) {
            page.push(item);
            last = key;
        }
        let next_marker = rest.peek().map(|_| URL_SAFE_NO_PAD.encode(last));
        Ok(Page {
            items: page,
            next_marker,
        })
    }

    fn after(&self) -> Result<Bound<String>, CatalogError> {
        let Some(marker) = &self.marker else {
            return Ok(Bound::Unbounded);
        };
        let key = URL_SAFE_NO_PAD
            .decode(marker)
            .ok()
            .and_then(|key| String::from_utf8(key).ok());
        key.map(Bound::Excluded).ok_or(CatalogError::BadMarker)
    }
}
