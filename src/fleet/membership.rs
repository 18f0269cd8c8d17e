//! What the exchanges of a configuration know of the fleet.

use std::fmt;
use std::rc::{Rc, Weak};

use larder_core::config::Admin;
use larder_core::fleet::{Contact, Fleet, Invitation, Standing};
use larder_core::time::Timestamp;

use super::Liaison;
use crate::host::{self, LogLevel};
use crate::worker::Worker;

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
    /// A configuration has this block, which holds unless an older one with another still lives.
    fn enlist(&self, admin: &Admin) -> Rc<Admin> {
        let wanted = Rc::new(admin.clone());
        let Ok(mut admins) = self.admins.try_borrow_mut() else {
            return wanted;
        };
        admins.retain(|known| known.strong_count() > 0);
        let mut known = admins.iter().filter_map(Weak::upgrade);
        if let Some(same) = known.find(|known| **known == *wanted) {
            return same;
        }
        let mut others = admins.iter().filter_map(Weak::upgrade);
        let is_elsewhere = |known: Rc<Admin>| {
            (&known.cluster, &known.authority) != (&wanted.cluster, &wanted.authority)
        };
        if others.any(is_elsewhere) {
            host::log(
                LogLevel::Warn,
                "larder: configurations of one process have different `admin` blocks; the first one holds, as long as its \
                 listener lives: give all of them the same",
            );
        }
        if wanted.secret.is_none() {
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
        self.worker.fleet.standing(token)
    }
}
