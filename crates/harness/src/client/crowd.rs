//! Many clients that ask at once.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{Answer, Client, ClientError, Protocol, Request};

/// Clients that share an HTTP/2 connection.
const TOGETHER: usize = 50;

/// Clients whose connections are open already, so that they ask at once. Over HTTP/1.1 each has its own; over HTTP/2
/// fifty share one.
#[derive(Debug)]
pub struct Crowd {
    clients: Vec<Client>,
}

/// What one of them was told.
#[derive(Debug)]
pub struct Told {
    /// The answer, complete.
    pub answer: Result<Answer, ClientError>,
    /// From the request to the end of the answer.
    pub took: Duration,
}

/// A crowd that waits for its answers. Whoever drops it has all of them leave.
#[derive(Debug)]
pub struct Asking {
    running: Vec<Member>,
}

#[derive(Debug)]
struct Member(JoinHandle<(Client, Told)>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Crowd {
    /// Opens connections for so many clients.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub async fn connect(
        server: SocketAddr,
        protocol: Protocol,
        clients: usize,
    ) -> Result<Self, ClientError> {
        let mut crowd: Vec<Client> = Vec::with_capacity(clients);
        while crowd.len() < clients {
            let beside = match crowd.len() % TOGETHER {
                0 => None,
                _ => crowd.last().and_then(Client::beside),
            };
            crowd.push(match beside {
                Some(client) => client,
                None => Client::connect(server, protocol).await?,
            });
        }
        Ok(Self { clients: crowd })
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Each asks what `request` says of its place.
    #[must_use]
    pub fn begin(self, request: impl Fn(usize) -> Request) -> Asking {
        let one = |(place, mut client): (usize, Client)| {
            let request = request(place);
            Member(tokio::spawn(async move {
                let began = Instant::now();
                let answer = client.send(request).await;
                let took = began.elapsed();
                (client, Told { answer, took })
            }))
        };
        let running = self.clients.into_iter().enumerate().map(one).collect();
        Asking { running }
    }

    /// Each asks what `request` says of its place, and waits for its answer; all of these come in the order of the
    /// places.
    pub async fn ask(self, request: impl Fn(usize) -> Request) -> (Self, Vec<Told>) {
        self.begin(request).told().await
    }
}

impl Asking {
    /// Those at these places hang up without waiting any longer; those behind move up.
    pub fn leave(&mut self, places: Range<usize>) {
        drop(self.running.drain(places));
    }

    /// Waits for all answers, in the order of the places.
    ///
    /// # Panics
    /// When one of the clients did.
    pub async fn told(self) -> (Crowd, Vec<Told>) {
        let mut clients = Vec::with_capacity(self.running.len());
        let mut answers = Vec::with_capacity(self.running.len());
        for mut member in self.running {
            let (client, told) = (&mut member.0).await.expect("a client that ends");
            clients.push(client);
            answers.push(told);
        }
        (Crowd { clients }, answers)
    }
}
