//! A function's log, line by line.

use bytes::BytesMut;
use http::Method;

use super::client::{CONTROL_TIMEOUT, Call, Client, segment};
use super::error::ApiError;

/// A longer line is given in pieces.
const MAX_LINE_BYTES: usize = 1 << 20;
const OPERATION: &str = "reading the log";

/// Lines on their way.
#[derive(Debug)]
pub struct Lines<'a> {
    client: &'a Client,
    response: reqwest::Response,
    buffer: BytesMut,
}

impl Client {
    /// The last `bytes` of a function's log, and with `follow` everything that is added.
    pub async fn logs(
        &self,
        function: &str,
        follow: bool,
        bytes: u64,
    ) -> Result<Lines<'_>, ApiError> {
        let path = format!("/offshoot/v1/functions/{}/logs", segment(function));
        let bytes = bytes.to_string();
        let mut call = Call::new(OPERATION, Method::GET, path).query("bytes", Some(&bytes));
        call = call.query("follow", follow.then_some("true"));
        call.timeout = (!follow).then_some(CONTROL_TIMEOUT);
        let response = self.open(call).await?;
        if !response.status().is_success() {
            return Err(self.refusal(OPERATION, response).await);
        }
        Ok(Lines {
            client: self,
            response,
            buffer: BytesMut::new(),
        })
    }
}

impl Lines<'_> {
    /// The next line without its end, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let mut line = self.buffer.split_to(end + 1);
                line.truncate(end);
                return Ok(Some(line.to_vec()));
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                return Ok(Some(self.buffer.split().to_vec()));
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| self.client.broken(OPERATION, error))? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Ok(Some(self.buffer.split().to_vec())),
            }
        }
    }
}
