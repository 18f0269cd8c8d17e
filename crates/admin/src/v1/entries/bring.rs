//! Bringing an entry: whether it may stand there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use larder_core::fleet::Cursor;
use larder_core::key::KeyDigest;
use larder_core::wire::Frame;
use tokio::time::Instant;

use super::{Judged, broken, judge};
use crate::judge::Verdict;
use crate::metrics::Family;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::{NewEntry, Put};
use crate::v1::{Answered, query};

const LONGEST_KEEP: Duration = Duration::from_secs(30 * 86_400);
/// Where this replica has not followed as far as who brings an entry, it has so long to.
const CATCH_UP: Duration = Duration::from_millis(500);

/// `PUT /v1/entries/<digest>`
pub(crate) async fn put(
    State(service): State<Arc<Service>>,
    Path(text): Path<String>,
    request: Request,
) -> Answered {
    let fields = request.headers().clone();
    let stored = bring(&service, &text, request).await;
    let result = match &stored {
        Ok(()) => "stored",
        Err(refusal) => match refusal.status() {
            StatusCode::BAD_REQUEST => "malformed",
            StatusCode::CONFLICT => "outdated",
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            _ => "failed",
        },
    };
    service.metrics.count(Family::EntriesPut, &[result]);
    // Whatever has become of the entry: who waits for it need not wait any longer.
    let released = release(&service, &fields).await;
    stored.and(released)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn release(service: &Service, fields: &HeaderMap) -> Result<(), Refusal> {
    let Some(text) = query::field(fields, "larder-release")? else {
        return Ok(());
    };
    let (digest, fence) = query::lead(text)?;
    let released = service.store.release(digest, fence);
    let result = match service.stored("release", released).await? {
        true => "released",
        false => "gone",
    };
    service.metrics.count(Family::Leases, &[result]);
    Ok(())
}

async fn bring(service: &Service, text: &str, request: Request) -> Result<(), Refusal> {
    let digest = query::digest(text)?;
    let fields = request.headers();
    let cursor = query::cursor(fields, "larder-cursor")?;
    let fence = query::number(fields, "larder-fence")?.unwrap_or_default();
    let keep = query::number(fields, "larder-keep-ms")?;
    let keep = keep.ok_or_else(|| Refusal::malformed("larder-keep-ms: is missing"))?;
    let keep = Duration::from_millis(keep).min(LONGEST_KEEP);
    let came = Instant::now();
    let frame = service
        .body(request, service.settings.max_entry_bytes)
        .await?;
    // It counts from when the frame was written, which was no later than its head.
    let keep = keep.saturating_sub(came.elapsed());
    admit(service, digest, cursor, &frame).await?;
    let bytes = frame.len() as u64;
    let entry = NewEntry {
        cursor,
        fence,
        keep,
        frame,
    };
    let put = service.store.put_entry(digest, &entry);
    match service.stored("put_entry", put).await? {
        Put::Stored => {
            service.metrics.add(Family::EntryBytes, &["in"], bytes);
            Ok(())
        }
        Put::Older => Err(Refusal::outdated("what stands there was fetched later")),
    }
}

/// Whether an entry may stand there.
async fn admit(
    service: &Service,
    digest: KeyDigest,
    cursor: Cursor,
    frame: &Bytes,
) -> Result<(), Refusal> {
    let frame = Frame::decode(frame).map_err(|error| Refusal::malformed(broken(error)))?;
    let mut judged = judge(service, digest, cursor, &frame)?;
    if let Judged::Is(Verdict::Ahead, _) = judged {
        service.follower.catch_up(cursor.position, CATCH_UP).await;
        judged = judge(service, digest, cursor, &frame)?;
    }
    match judged {
        Judged::Broken(problem) => Err(Refusal::malformed(problem)),
        Judged::Is(verdict, _) => match verdict {
            Verdict::Current => Ok(()),
            Verdict::Covered { .. } => Err(Refusal::outdated("it has been invalidated meanwhile")),
            Verdict::TooOld => Err(Refusal::outdated(
                "its request was sent before all that is retained of the log",
            )),
            Verdict::Ahead => Err(Refusal::outdated("the log does not reach that cursor")),
            Verdict::Foreign => Err(Refusal::outdated("the cursor is none of this log")),
        },
    }
}
