//! What hears of what other replicas do: a connection that only listens.

use fred::clients::{Client, SubscriberClient};
use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Message;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::keys;
use super::link::{Lane, ROUND, options};
use crate::store::bell::Bell;
use crate::store::{PATIENCE, random};

/// After so many rounds without hearing oneself one is deaf.
const DEAF: u8 = 2;

/// What listens, and where.
pub(super) struct Ears {
    client: SubscriberClient,
    channel: String,
    /// Where nobody else listens: whether this hears anything is tried out there.
    own: String,
    bell: Bell,
    listening: watch::Sender<bool>,
}

impl Ears {
    pub(super) fn new(client: SubscriberClient, channel: String, bell: Bell) -> Self {
        Self {
            client,
            own: format!("{channel}:{:016x}", random::number()),
            channel,
            bell,
            listening: watch::Sender::new(false),
        }
    }

    pub(super) fn client(&self) -> SubscriberClient {
        self.client.clone()
    }

    /// Whether it has heard anything yet.
    pub(super) fn listening(&self) -> watch::Receiver<bool> {
        self.listening.subscribe()
    }

    /// Rings for what is announced, and for everything whenever something may have been missed.
    pub(super) async fn listen(self, mouth: Client) {
        let mut connected = self.client.reconnect_rx();
        let mut messages = self.client.message_rx();
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hearing = Hearing::Nothing;
        loop {
            tokio::select! {
                _ = connected.recv() => {
                    hearing = Hearing::Nothing;
                    // It says so a moment before it can be used.
                    let _ = timeout(ROUND, self.client.wait_for_connect()).await;
                }
                message = messages.recv() => match message {
                    Ok(message) if *message.channel == *self.own => hearing = Hearing::Well,
                    Ok(message) => ring(&self.bell, &message),
                    Err(RecvError::Lagged(_)) => self.bell.ring_all(),
                    Err(RecvError::Closed) => return,
                },
                _ = round.tick() => hearing = self.try_out(hearing, &mouth).await,
            }
            if hearing == Hearing::Nothing && self.client.is_connected() {
                hearing = self.subscribe().await;
                self.bell.ring_all();
                self.listening.send_replace(hearing == Hearing::Well);
            }
        }
    }

    async fn subscribe(&self) -> Hearing {
        let channels = vec![self.channel.clone(), self.own.clone()];
        match timeout(PATIENCE, self.client.subscribe(channels)).await {
            Ok(Ok(())) => Hearing::Well,
            Ok(Err(_)) | Err(_) => Hearing::Nothing,
        }
    }

    /// A connection that only listens does not notice that there is nobody at the other end. So something is said to
    /// oneself in each round, and who does not hear it in the next connects anew.
    async fn try_out(&self, hearing: Hearing, mouth: &Client) -> Hearing {
        match hearing {
            Hearing::Nothing => Hearing::Nothing,
            Hearing::Asked(rounds) if rounds < DEAF => Hearing::Asked(rounds.saturating_add(1)),
            Hearing::Asked(_) => {
                let _ = timeout(PATIENCE, self.client.force_reconnection()).await;
                Hearing::Nothing
            }
            Hearing::Well => {
                let mouth = mouth.with_options(&options(Lane::Control));
                let said: Result<(), Error> = mouth.publish(self.own.as_str(), "").await;
                match said {
                    Ok(()) => Hearing::Asked(0),
                    // That one has troubles of its own, which are looked after elsewhere.
                    Err(_) => Hearing::Well,
                }
            }
        }
    }
}

/// Whether what is announced arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// Not subscribed.
    Nothing,
    /// Something was said that should have arrived, so many rounds ago.
    Asked(u8),
    /// As far as is known.
    Well,
}

fn ring(bell: &Bell, message: &Message) {
    let Some(text) = message.value.as_str() else {
        return;
    };
    match keys::digest_of(&text) {
        Some(digest) => bell.ring_digest(digest),
        None => bell.ring_log(),
    }
}
