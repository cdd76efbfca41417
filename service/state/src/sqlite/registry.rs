//! [`Registry`] over SQLite.

use futures_util::FutureExt;
use serde_json::value::RawValue;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Connection, Row, SqliteConnection};

use super::call::{Outcome, Work};
use super::writer::Writer;
use crate::error::StoreError;
use crate::registry::{
    Change, Document, MAX_DOCUMENT_BYTES, MAX_KEY_BYTES, Registry, RegistryError, RegistryFuture,
    Rev,
};

/// The registry of a state directory. Cheap to clone.
#[derive(Clone)]
pub struct SqliteRegistry {
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
}

/// Forgets the deletions of earlier runs: nobody follows the changes of a daemon that ended.
pub(crate) async fn prune_deletions(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM document WHERE body IS NULL)";
    if !sqlx::query(sql)
        .fetch_one(&mut *conn)
        .await?
        .try_get::<bool, _>(0)?
    {
        return Ok(());
    }
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("DELETE FROM document WHERE body IS NULL")
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE meta SET pruned_rev = rev")
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

impl SqliteRegistry {
    /// Writes (or deletes, for `None`) one document under the rule of compare-and-swap.
    async fn write(
        &self,
        key: &str,
        body: Option<Box<RawValue>>,
        expect: Option<Rev>,
    ) -> Result<Rev, RegistryError> {
        check_key(key)?;
        let len_bytes = body.as_ref().map_or(0, |body| body.get().len());
        if len_bytes > MAX_DOCUMENT_BYTES {
            return Err(RegistryError::TooLarge {
                key: key.into(),
                len_bytes,
            });
        }
        let key = key.to_owned();
        let work: Work<Rev, RegistryError> =
            Box::new(move |conn| swap(conn, key, body, expect).boxed());
        self.writer.call(false, work).await
    }
}

impl Registry for SqliteRegistry {
    fn get<'a>(&'a self, key: &'a str) -> RegistryFuture<'a, Option<Document>> {
        Box::pin(async move {
            check_key(key)?;
            let sql = "SELECT key, rev, body FROM document WHERE key = ? AND body IS NOT NULL";
            let row = sqlx::query(sql)
                .bind(key)
                .fetch_optional(&self.readers)
                .await;
            row.map_err(StoreError::from)?
                .as_ref()
                .map(read_document)
                .transpose()
        })
    }

    fn cas<'a>(
        &'a self,
        key: &'a str,
        body: Box<RawValue>,
        expect: Option<Rev>,
    ) -> RegistryFuture<'a, Rev> {
        Box::pin(self.write(key, Some(body), expect))
    }

    fn delete<'a>(&'a self, key: &'a str, expect: Rev) -> RegistryFuture<'a, Rev> {
        Box::pin(self.write(key, None, Some(expect)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> RegistryFuture<'a, Vec<Document>> {
        Box::pin(async move {
            // U+10FFFF sorts after every other character.
            let sql = "SELECT key, rev, body FROM document
                       WHERE key >= ?1 AND key < ?1 || char(1114111) AND body IS NOT NULL
                       ORDER BY key";
            let rows = sqlx::query(sql).bind(prefix).fetch_all(&self.readers).await;
            rows.map_err(StoreError::from)?
                .iter()
                .map(read_document)
                .collect()
        })
    }

    fn since(&self, rev: Rev, limit: u32) -> RegistryFuture<'_, Vec<Change>> {
        Box::pin(async move {
            let asked = i64::try_from(rev.0).unwrap_or(i64::MAX);
            // One statement, so that no pruning or change can come between the two questions.
            let sql = "SELECT pruned_rev, key, document.rev, body FROM meta
                       LEFT JOIN document ON document.rev > ?
                       ORDER BY document.rev LIMIT ?";
            let rows = sqlx::query(sql)
                .bind(asked)
                .bind(limit)
                .fetch_all(&self.readers)
                .await;
            let rows = rows.map_err(StoreError::from)?;
            let mut changes = Vec::with_capacity(rows.len());
            for row in &rows {
                let oldest: i64 = row.try_get(0).map_err(StoreError::from)?;
                if asked < oldest {
                    return Err(RegistryError::Compacted {
                        asked: rev,
                        oldest: to_rev(oldest),
                    });
                }
                changes.extend(read_change(row)?);
            }
            Ok(changes)
        })
    }
}

async fn swap(
    conn: &mut SqliteConnection,
    key: String,
    body: Option<Box<RawValue>>,
    expect: Option<Rev>,
) -> Result<Outcome<Rev, RegistryError>, sqlx::Error> {
    let found = current_rev(conn, &key).await?;
    if found != expect {
        let refusal = RegistryError::Conflict {
            key,
            expected: expect,
            found,
        };
        return Ok(Outcome::Refused(refusal));
    }
    put(conn, &key, body.as_deref()).await.map(Outcome::Done)
}

async fn current_rev(conn: &mut SqliteConnection, key: &str) -> Result<Option<Rev>, sqlx::Error> {
    let sql = "SELECT rev FROM document WHERE key = ? AND body IS NOT NULL";
    let row = sqlx::query(sql).bind(key).fetch_optional(conn).await?;
    row.map(|row| row.try_get(0).map(to_rev)).transpose()
}

/// The revision comes from a counter row of the same transaction, so revisions become visible in order.
async fn put(
    conn: &mut SqliteConnection,
    key: &str,
    body: Option<&RawValue>,
) -> Result<Rev, sqlx::Error> {
    let next = "UPDATE meta SET rev = rev + 1 RETURNING rev";
    let rev: i64 = sqlx::query(next).fetch_one(&mut *conn).await?.try_get(0)?;
    let sql = "INSERT INTO document (key, rev, body) VALUES (?, ?, ?)
               ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, body = excluded.body";
    let body = body.map(RawValue::get);
    sqlx::query(sql)
        .bind(key)
        .bind(rev)
        .bind(body)
        .execute(conn)
        .await?;
    Ok(to_rev(rev))
}

fn check_key(key: &str) -> Result<(), RegistryError> {
    match key.len() {
        1..=MAX_KEY_BYTES => Ok(()),
        len_bytes => Err(RegistryError::BadKey { len_bytes }),
    }
}

fn read_document(row: &SqliteRow) -> Result<Document, RegistryError> {
    let key: String = row.try_get("key").map_err(StoreError::from)?;
    let rev: i64 = row.try_get("rev").map_err(StoreError::from)?;
    let text: String = row.try_get("body").map_err(StoreError::from)?;
    match RawValue::from_string(text) {
        Ok(body) => Ok(Document {
            key,
            rev: to_rev(rev),
            body,
        }),
        Err(_) => Err(RegistryError::DamagedDocument { key }),
    }
}

fn read_change(row: &SqliteRow) -> Result<Option<Change>, RegistryError> {
    let key: Option<String> = row.try_get("key").map_err(StoreError::from)?;
    let Some(key) = key else { return Ok(None) };
    let rev: i64 = row.try_get("rev").map_err(StoreError::from)?;
    let text: Option<String> = row.try_get("body").map_err(StoreError::from)?;
    match text.map(RawValue::from_string).transpose() {
        Ok(body) => Ok(Some(Change {
            key,
            rev: to_rev(rev),
            body,
        })),
        Err(_) => Err(RegistryError::DamagedDocument { key }),
    }
}

fn to_rev(number: i64) -> Rev {
    Rev(number.unsigned_abs())
}
