//! Settings of a whole function: reserved concurrency and tags.

use std::collections::BTreeMap;

use offshoot_lambda::limits::UNRESERVED_CONCURRENCY_MIN;

use crate::catalog::{Catalog, unreserved};
use crate::error::CatalogError;
use crate::rules::check_tags;

impl Catalog {
    /// Sets concurrency apart for the function; 0 stops it.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`]; [`CatalogError::TooLittleUnreserved`] when less than 100 of the
    /// account's 1,000 would be left to the other functions.
    pub async fn put_reserved_concurrency(
        &self,
        name: &str,
        reserved: u32,
    ) -> Result<(), CatalogError> {
        self.change(name, |function, memory| {
            let left = unreserved(memory, Some(name)) - i64::from(reserved);
            if left < UNRESERVED_CONCURRENCY_MIN {
                let minimum = UNRESERVED_CONCURRENCY_MIN;
                return Err(CatalogError::TooLittleUnreserved { minimum });
            }
            function.reserved_concurrency = Some(reserved);
            Ok(())
        })
        .await
    }

    /// Gives the function's reserved concurrency back.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`].
    pub async fn delete_reserved_concurrency(&self, name: &str) -> Result<(), CatalogError> {
        self.change(name, |function, _| {
            function.reserved_concurrency = None;
            Ok(())
        })
        .await
    }

    /// Adds or replaces tags.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`], [`CatalogError::TooManyTags`].
    pub async fn tag(
        &self,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), CatalogError> {
        self.change(name, |function, _| {
            let mut all = function.tags.clone();
            all.extend(tags.clone());
            check_tags(&all)?;
            function.tags = all;
            function.touch();
            Ok(())
        })
        .await
    }

    /// Removes tags; removing what is not there is fine.
    ///
    /// # Errors
    /// [`CatalogError::FunctionNotFound`].
    pub async fn untag(&self, name: &str, keys: &[String]) -> Result<(), CatalogError> {
        self.change(name, |function, _| {
            function.tags.retain(|key, _| !keys.contains(key));
            function.touch();
            Ok(())
        })
        .await
    }
}
