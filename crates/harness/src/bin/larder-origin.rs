//! The demo's API on an address of one's choice: `larder-origin --listen 0.0.0.0:9000 --slow 1`.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use larder_harness::demo::Demo;
use larder_harness::origin::Server;
use larder_harness::shutdown;

const USAGE: &str = "usage: larder-origin [--listen ADDRESS:PORT] [--slow FACTOR]";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-origin: {error}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 9000));
    let mut slow = 1.0;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--listen" => listen = value()?.parse()?,
            "--slow" => slow = value()?.parse()?,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let shutdown = shutdown::signal()?;
    let server = Server::start(listen, Demo::new(slow))
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    println!("the demo's API is at http://{}", server.address());
    shutdown.await;
    Ok(())
}
