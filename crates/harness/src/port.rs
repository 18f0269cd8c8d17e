//! A port that stays ours, whoever listens on it and however often that one is started.
//!
//! A process that is killed and started again must come back where its clients look for it, and in between nobody else may
//! be given its port. So a socket is bound to it that never listens: the kernel gives such a port to nobody who does not ask
//! for it by number, and lets one listen on it who does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port on the loopback interface that nobody else is given while this lives.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _bound: TcpSocket,
}

impl Port {
    /// One of the kernel's choice.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve() -> io::Result<Self> {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// This one.
    ///
    /// # Errors
    /// When somebody listens on it, or holds it.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let bound = TcpSocket::new_v4()?;
        // Both who holds a port and who listens on it have to say so, or the second is refused.
        bound.set_reuseaddr(true)?;
        bound.bind(address)?;
        let address = bound.local_addr()?;
        Ok(Self {
            address,
            _bound: bound,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::wait::{PATIENCE, eventually};

    #[tokio::test]
    async fn who_asks_for_it_may_listen_there_again_and_again() {
        let port = Port::reserve().unwrap();
        for _ in 0..3 {
            // A process that another test starts just now may have the last listener for a moment, until it has begun.
            eventually("nobody listens", PATIENCE, async || {
                TcpStream::connect(port.address()).await.is_err()
            })
            .await;
            let listener = TcpListener::bind(port.address()).await.unwrap();
            TcpStream::connect(port.address()).await.unwrap();
            drop(listener);
        }
    }

    #[tokio::test]
    async fn what_somebody_listens_on_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = Port::at(listener.local_addr().unwrap()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn two_are_two() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let mut addresses: Vec<SocketAddr> = ports.iter().map(Port::address).collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 50);
    }
}
