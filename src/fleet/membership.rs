//! What the exchanges of a configuration know of the fleet.

use std::fmt;
use std::rc::{Rc, Weak};

use larder_core::config::Admin;
use larder_core::fleet::{Contact, Fleet, Invitation, Standing};
use larder_core::time::Timestamp;

use super::Liaison;
use crate::host::{self, LogLevel};
use crate::worker::Worker;

/// A secret that is shorter, in bytes, can be guessed.
const LEAST_SECRET: usize = 16;
/// One that is as long as this cannot.
const GOOD_SECRET: usize = 32;

/// A configuration's part in the fleet, for as long as it lives.
pub(crate) struct Member {
    worker: Rc<Worker>,
    _admin: Rc<Admin>,
}

impl Member {
    /// That of a configuration with this block.
    pub(crate) fn of(worker: &Rc<Worker>, admin: &Admin) -> Rc<dyn Fleet> {
        Rc::new(Self {
            worker: Rc::clone(worker),
            _admin: worker.fleet.enlist(admin),
        })
    }
}

impl Liaison {
    /// A configuration has this block, which holds for the whole process until another comes, or it goes.
    fn enlist(&self, admin: &Admin) -> Rc<Admin> {
        let length = admin.secret.as_ref().map(String::len);
        let mut wanted = admin.clone();
        wanted.secret = wanted.secret.filter(|secret| secret.len() >= LEAST_SECRET);
        let wanted = Rc::new(wanted);
        let Ok(mut admins) = self.admins.try_borrow_mut() else {
            return wanted;
        };
        admins.retain(|known| known.strong_count() > 0);
        let known = admins.iter().filter_map(Weak::upgrade);
        let same = known.into_iter().find(|known| **known == *wanted);
        if let Some(same) = same {
            // It is the newest again.
            admins.retain(|known| !Weak::ptr_eq(known, &Rc::downgrade(&same)));
            admins.push(Rc::downgrade(&same));
            return same;
        }
        let mut others = admins.iter().filter_map(Weak::upgrade);
        let is_elsewhere = |known: Rc<Admin>| {
            (&known.cluster, &known.authority) != (&wanted.cluster, &wanted.authority)
        };
        if others.any(is_elsewhere) {
            host::log(
                LogLevel::Warn,
                "larder: configurations of one process have different `admin` blocks; the newest one holds for all: give \
                 all of them the same",
            );
        }
        warn_of_length(length);
        if length.is_none() {
            let text = [
                "larder: the fleet's service is not asked, because the environment variable ",
                &wanted.secret_env,
                " of the VM is not set: add it to `environment_variables` where Envoy loads this filter. Until then, what is stored \
                 is asked about at the origin each time",
            ];
            host::log(LogLevel::Error, &text.concat());
        }
        admins.push(Rc::downgrade(&wanted));
        wanted
    }
}

/// Whoever knows the secret may say anything to the fleet, and each client that writes is given what one could try guesses
/// on (`larder-token`).
fn warn_of_length(length: Option<usize>) {
    let length = length.unwrap_or(GOOD_SECRET);
    if length < LEAST_SECRET {
        host::log(
            LogLevel::Error,
            "larder: the fleet's secret is shorter than 16 bytes, which can be guessed: the service is not asked. Take 32 random ones",
        );
    } else if length < GOOD_SECRET {
        host::log(
            LogLevel::Warn,
            "larder: the fleet's secret is shorter than 32 bytes: take as many random ones",
        );
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Member")
    }
}

impl Fleet for Member {
    fn invitation(&self, _: Timestamp) -> Invitation {
        match self.worker.fleet.is_inviting() {
            true => Invitation::Open,
            false => Invitation::Shut,
        }
    }

    fn contact(&self, now: Timestamp) -> Contact {
        self.worker.fleet.contact(now)
    }

    fn standing(&self, token: &[u8]) -> Standing {
        let standing = self.worker.fleet.standing(token);
        // What has been applied meanwhile by another worker counts, so the order of invalidations has to be read after this.
        self.worker.forget_glance();
        standing
    }
}
