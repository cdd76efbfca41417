//! Addresses of the page: what is open stands in the query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All that could end a value of a query, or begin something in HTML.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// A function, by its name as it was asked for: it may not exist.
    pub function: Option<String>,
    /// One of its starts, by its number; the latest without one.
    pub start: Option<u64>,
}

impl Chosen {
    /// The query, with its question mark, or nothing.
    pub(crate) fn query(&self) -> String {
        let Some(function) = &self.function else {
            return String::new();
        };
        let function = utf8_percent_encode(function, VALUE);
        match self.start {
            Some(start) => format!("?function={function}&start={start}"),
            None => format!("?function={function}"),
        }
    }
}

/// The address of the page with a function open.
pub(crate) fn function(name: &str) -> String {
    let chosen = Chosen {
        function: Some(name.to_owned()),
        start: None,
    };
    format!("/ui{}#starts", chosen.query())
}

/// The address of the page with a start open.
pub(crate) fn start(name: &str, number: u64) -> String {
    let chosen = Chosen {
        function: Some(name.to_owned()),
        start: Some(number),
    };
    format!("/ui{}#starts", chosen.query())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_an_address() {
        assert_eq!(function("a&start=9"), "/ui?function=a%26start%3D9#starts");
        assert_eq!(
            start("\"><b>", 3),
            "/ui?function=%22%3E%3Cb%3E&start=3#starts"
        );
        assert_eq!(Chosen::default().query(), "");
    }
}
