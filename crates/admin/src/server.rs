//! Connections: how many, how long a head may take, and how they end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::prompt::Prompt;
use crate::service::Service;

/// A connection may be idle for so long between two requests.
const IDLE: Duration = Duration::from_secs(300);

/// Whether all was answered when the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was.
    Drained,
    /// Some had not come to their end.
    Cut,
}

/// Answers, until the service is drained.
pub async fn serve(listener: TcpListener, router: Router, service: Arc<Service>) -> Ending {
    let most = service.settings.max_connections;
    let room = Arc::new(Semaphore::new(most));
    loop {
        let place = tokio::select! {
            () = service.drained() => break,
            place = Arc::clone(&room).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = service.drained() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let connection = connect(stream, address, router.clone(), Arc::clone(&service));
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // No more files, mostly: others have to end first.
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    let ended = timeout(service.settings.drain, room.acquire_many(all));
    match ended.await {
        Ok(_) => Ending::Drained,
        Err(_) => Ending::Cut,
    }
}

async fn connect(stream: TcpStream, address: SocketAddr, router: Router, service: Arc<Service>) {
    // Small answers that somebody waits for.
    let _ = stream.set_nodelay(true);
    let (stream, phase) = Prompt::new(stream, service.settings.client_timeout);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let (router, phase) = (router.clone(), phase.clone());
        async move {
            let _answering = phase.answering();
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            let answered: Result<Response, Infallible> = router.oneshot(request).await;
            answered
        }
    });
    let mut settings = http1::Builder::new();
    settings.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let connection = settings.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = service.drained() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
