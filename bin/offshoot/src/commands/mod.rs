//! The client's commands, but for `deploy` and `doctor`, which have their own modules.

pub mod config;
pub mod delete;
pub mod events;
pub mod explain;
pub mod invoke;
pub mod list;
pub mod logs;
pub mod sandbox;
pub mod seed;

use crate::api::{ApiError, Client};
use crate::nearest::nearest;
use crate::report::Failure;

/// The failure that `error` means for the function `name`; if it does not exist, with the name that may
/// have been meant.
pub async fn about_function(client: &Client, name: &str, error: ApiError) -> Failure {
    if !error.is_not_found() {
        return error.into();
    }
    let failure = Failure::from(error);
    let Ok(functions) = client.list_functions().await else {
        return failure;
    };
    let names: Vec<String> = functions
        .into_iter()
        .filter_map(|function| function.function_name)
        .collect();
    match nearest(name, names.iter().map(String::as_str)).filter(|near| *near != name) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None if names.is_empty() => {
            failure.hint("no function is deployed yet: `offshoot deploy DIR`")
        }
        None => failure.hint("`offshoot list` shows what is deployed"),
    }
}
