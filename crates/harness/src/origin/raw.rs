//! An origin that answers with given bytes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Answers the first request of every connection with the same bytes and hangs up: for early
/// hints, broken chunks, contradictory lengths and whatever else HTTP libraries refuse to send.
#[derive(Debug)]
pub struct RawOrigin {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl RawOrigin {
    /// Starts on a port of its own.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(reply: impl Into<Vec<u8>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let reply = Arc::new(reply.into());
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(answer(stream, Arc::clone(&reply)));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads the head of a request, which is enough to answer it blindly.
async fn answer(mut stream: TcpStream, reply: Arc<Vec<u8>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(&reply).await?;
    stream.shutdown().await
}
