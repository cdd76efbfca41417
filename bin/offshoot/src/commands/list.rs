//! `offshoot list`.

use crate::cli::Context;
use crate::console::bytes_for_people;
use crate::report::Failure;

/// Runs the command.
pub async fn run(context: &Context) -> Result<(), Failure> {
    let functions = context.client()?.list_functions().await?;
    let console = &context.console;
    if console.wants_json() {
        return Ok(console.json(&functions)?);
    }
    if functions.is_empty() {
        console.note("no functions yet: deploy one with `offshoot deploy DIR`");
        return Ok(());
    }
    let rows = functions.into_iter().map(|function| {
        vec![
            function.function_name.unwrap_or_default(),
            function.runtime.unwrap_or_default(),
            function.handler.unwrap_or_default(),
            function
                .memory_size
                .map(|mb| format!("{mb} MB"))
                .unwrap_or_default(),
            function
                .timeout
                .map(|seconds| format!("{seconds} s"))
                .unwrap_or_default(),
            bytes_for_people(
                function
                    .code_size
                    .and_then(|bytes| u64::try_from(bytes).ok())
                    .unwrap_or_default(),
            ),
            function.state.unwrap_or_default(),
            function.last_modified.unwrap_or_default(),
        ]
    });
    let header = [
        "name", "runtime", "handler", "memory", "timeout", "code", "state", "modified",
    ];
    Ok(console.table(&header, rows.collect())?)
}
