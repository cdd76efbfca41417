//! Events as rows of the `event` table.

use bytes::Bytes;
use sqlx::Row;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};

use crate::queue::{Claim, ClaimId, DeadId, DeadLetter, Event, MAX_PAYLOAD_BYTES, QueueError};

/// Longest field of an event other than its payload.
const MAX_FIELD_BYTES: usize = 16 << 10;

/// The columns that an insert sets, in the order of [`bind`].
pub(crate) const COLUMNS: &str = "request_id, function, qualifier, version, invoked_arn, payload, \
     payload_blob, payload_bytes, payload_crc32, client_context, trace_id, accepted_at_ms, \
     max_attempts, max_age_ms, visible_at_ms";

/// An event and where its payload is.
pub(crate) struct EventRow {
    /// Its payload is empty when `blob` is set.
    pub(crate) event: Event,
    pub(crate) payload_bytes: i64,
    pub(crate) payload_crc32: u32,
    pub(crate) blob: Option<String>,
}

impl EventRow {
    /// An event whose payload is stored in the row.
    pub(crate) fn inline(event: Event) -> Self {
        EventRow {
            payload_bytes: event.payload.len() as i64,
            payload_crc32: crc32fast::hash(&event.payload),
            event,
            blob: None,
        }
    }

    /// An event whose payload goes to the blob `key`; the payload is handed back.
    pub(crate) fn with_blob(event: Event, key: String) -> (Self, Bytes) {
        let mut row = EventRow::inline(event);
        let payload = std::mem::take(&mut row.event.payload);
        row.blob = Some(key);
        (row, payload)
    }
}

/// Binds one row of an insert.
pub(crate) fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    row: &'q EventRow,
) -> Query<'q, Sqlite, SqliteArguments> {
    let event = &row.event;
    let inline = row.blob.is_none().then(|| event.payload.to_vec());
    query
        .bind(&event.request_id)
        .bind(&event.function)
        .bind(&event.qualifier)
        .bind(&event.version)
        .bind(&event.invoked_arn)
        .bind(inline)
        .bind(&row.blob)
        .bind(row.payload_bytes)
        .bind(i64::from(row.payload_crc32))
        .bind(&event.client_context)
        .bind(&event.trace_id)
        .bind(event.accepted_at_ms)
        .bind(i64::from(event.max_attempts))
        .bind(event.max_age_ms)
        .bind(event.visible_at_ms)
}

/// A claimed row, its payload not yet checked.
pub(crate) struct ClaimedRow {
    pub(crate) claim: Claim,
    pub(crate) payload_crc32: i64,
    pub(crate) blob: Option<String>,
}

impl ClaimedRow {
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let payload: Option<Vec<u8>> = row.try_get("payload")?;
        let event = Event {
            request_id: row.try_get("request_id")?,
            function: row.try_get("function")?,
            qualifier: row.try_get("qualifier")?,
            version: row.try_get("version")?,
            invoked_arn: row.try_get("invoked_arn")?,
            payload: payload.unwrap_or_default().into(),
            client_context: row.try_get("client_context")?,
            trace_id: row.try_get("trace_id")?,
            accepted_at_ms: row.try_get("accepted_at_ms")?,
            max_attempts: row.try_get("max_attempts")?,
            max_age_ms: row.try_get("max_age_ms")?,
            visible_at_ms: row.try_get("visible_at_ms")?,
        };
        let delivery: i64 = row.try_get("delivery")?;
        let claim = Claim {
            id: ClaimId {
                event: row.try_get("id")?,
                delivery,
            },
            event,
            attempt: row.try_get("attempt")?,
            deliveries: u32::try_from(delivery).unwrap_or(u32::MAX),
            last_error: row.try_get("last_error")?,
        };
        Ok(ClaimedRow {
            claim,
            payload_crc32: row.try_get("payload_crc32")?,
            blob: row.try_get("payload_blob")?,
        })
    }
}

/// Reads a dead letter.
pub(crate) fn read_dead(row: &SqliteRow) -> Result<DeadLetter, sqlx::Error> {
    let payload_bytes: i64 = row.try_get("payload_bytes")?;
    let why: Option<String> = row.try_get("why")?;
    let buried_at_ms: Option<i64> = row.try_get("buried_at_ms")?;
    Ok(DeadLetter {
        id: DeadId(row.try_get("id")?),
        request_id: row.try_get("request_id")?,
        function: row.try_get("function")?,
        version: row.try_get("version")?,
        invoked_arn: row.try_get("invoked_arn")?,
        payload_bytes: payload_bytes.unsigned_abs(),
        accepted_at_ms: row.try_get("accepted_at_ms")?,
        buried_at_ms: buried_at_ms.unwrap_or_default(),
        attempt: row.try_get("attempt")?,
        why: why.unwrap_or_default(),
        last_error: row.try_get("last_error")?,
    })
}

/// Refuses events that the queue would not take back whole.
pub(crate) fn check_sizes(event: &Event) -> Result<(), QueueError> {
    let optional = |field: &Option<String>| field.as_ref().map_or(0, String::len);
    let fields = [
        ("payload", event.payload.len(), MAX_PAYLOAD_BYTES),
        ("request id", event.request_id.len(), MAX_FIELD_BYTES),
        ("function name", event.function.len(), MAX_FIELD_BYTES),
        ("qualifier", optional(&event.qualifier), MAX_FIELD_BYTES),
        ("version", event.version.len(), MAX_FIELD_BYTES),
        ("function ARN", event.invoked_arn.len(), MAX_FIELD_BYTES),
        (
            "client context",
            optional(&event.client_context),
            MAX_FIELD_BYTES,
        ),
        ("trace id", optional(&event.trace_id), MAX_FIELD_BYTES),
    ];
    match fields
        .into_iter()
        .find(|(_, len_bytes, max_bytes)| len_bytes > max_bytes)
    {
        Some((field, len_bytes, max_bytes)) => Err(QueueError::TooLarge {
            field,
            len_bytes,
            max_bytes,
        }),
        None => Ok(()),
    }
}

/// Keys of all blobs of `rows`.
pub(crate) fn blobs_of(rows: &[EventRow]) -> Vec<String> {
    rows.iter().filter_map(|row| row.blob.clone()).collect()
}

/// An error text of bounded length: a function can fail with megabytes of message.
pub(crate) fn clipped(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_FIELD_BYTES)].to_owned()
}
