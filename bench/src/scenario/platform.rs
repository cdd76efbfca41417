//! One caller of the daemon on one connection: one write, then reads until the answer is whole.

use anyhow::ensure;
use offshoot_testkit::HttpConnection;

/// A connection, and the request that is sent on it again and again.
#[derive(Debug)]
pub(super) struct Platform {
    pub(super) connection: HttpConnection,
    pub(super) request: Vec<u8>,
}

impl Platform {
    /// Sends the request; whatever is no success is an error.
    pub(super) fn call(&mut self) -> anyhow::Result<()> {
        let answer = self.connection.exchange(&self.request)?;
        ensure!(
            answer.status == 200 && answer.header("x-amz-function-error").is_none(),
            "status {}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
        Ok(())
    }
}
