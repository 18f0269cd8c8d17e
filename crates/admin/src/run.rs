//! The life of the service: from a listener to a drain.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::routes::routes;
use crate::server::{Ending, serve};
use crate::service::Service;
use crate::settings::{SECRET_VARIABLE, Settings, TOKEN_VARIABLE};
use crate::store::{Bounds, Store};

/// Runs until a signal ends it.
pub fn run(settings: Settings) -> ExitCode {
    let Ok(filter) = EnvFilter::try_new(&settings.log) else {
        eprintln!("log: `{}` is nothing that `tracing` takes", settings.log);
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(live(settings)),
        Err(error) => {
            tracing::error!(%error, "no threads");
            ExitCode::FAILURE
        }
    }
}

async fn live(settings: Settings) -> ExitCode {
    let bounds = Bounds {
        entry_bytes: settings.max_entry_bytes,
        ..Bounds::USUAL
    };
    let store = match Store::open(&settings.store.0, &settings.fleet, bounds).await {
        Ok(store) => store,
        Err(error) => {
            tracing::error!(%error, "the store's address is none");
            return ExitCode::from(2);
        }
    };
    let listener = match TcpListener::bind(settings.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, listen = %settings.listen, "this address cannot be listened at");
            return ExitCode::FAILURE;
        }
    };
    if settings.secret.is_none() {
        tracing::warn!(
            "{SECRET_VARIABLE} is not set: everybody may purge, and read what is stored"
        );
    }
    if settings.is_secret_short {
        tracing::warn!("the secret of the fleet has fewer than 32 bytes: it may be guessed");
    }
    if settings.token.is_none() {
        tracing::warn!("the management API is off, because {TOKEN_VARIABLE} is not set");
    }
    tracing::info!(listen = %settings.listen, %store, fleet = settings.fleet, version = env!("CARGO_PKG_VERSION"), "larder-admin");
    let service = Service::new(settings, store);
    tokio::spawn(drain_at_a_signal(Arc::clone(&service)));
    match answer(listener, service).await {
        Ending::Drained => ExitCode::SUCCESS,
        Ending::Cut => {
            tracing::warn!("some requests had not come to their end");
            ExitCode::SUCCESS
        }
    }
}

/// Answers at this listener until the service is drained.
pub async fn answer(listener: TcpListener, service: Arc<Service>) -> Ending {
    let follower = Arc::clone(&service.follower);
    let following = tokio::spawn(async move { follower.follow().await });
    let router = routes(&service);
    let ending = serve(listener, router, service).await;
    following.abort();
    ending
}

async fn drain_at_a_signal(service: Arc<Service>) {
    let (Ok(mut term), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals cannot be received, so nothing drains");
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    service.begin_drain();
}
