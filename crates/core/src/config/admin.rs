//! The service of the fleet, where there is one.

use serde_json::Value;

use super::Switch;
use super::management::{read_authority, read_variable};
use super::read::{Cursor, Fields, Given};
use crate::time::Seconds;

const DEFAULT_AUTHORITY: &str = "larder-admin";
const DEFAULT_VARIABLE: &str = "LARDER_ADMIN_SECRET";
const DAY: u64 = 86_400;

/// The service of the fleet, and how far it is relied on.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// The proxy's cluster in which it is.
    pub cluster: String,
    /// What its requests name as the host.
    pub authority: String,
    /// The variable of the environment in which the secret stands that both sides know.
    pub secret_env: String,
    /// What is invalidated elsewhere may go unheard of for so long; then what is stored has to be asked about.
    pub max_unsynced: Seconds,
    /// Whether entries are shared.
    pub share_entries: Switch,
    /// How long it may take to look an entry up, in milliseconds.
    pub timeout_ms: u32,
    /// The secret, once it was looked up ([`super::Config::unlock`]).
    pub secret: Option<String>,
}

impl Admin {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let given = fields.optional("admin", |cursor| match cursor.value {
            Value::Null => Given::Absent,
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => cursor.object(Self::read_fields),
        });
        given.value()
    }

    fn read_fields(fields: &mut Fields<'_>) -> Self {
        let cluster = fields.required("cluster", |cursor| cursor.text(1..=255));
        let authority = fields.optional("authority", read_authority);
        let variable = fields.optional("secret_env", read_variable);
        let mut number = |name, least, most| {
            fields.optional(name, |cursor: Cursor<'_>| cursor.number(least..=most))
        };
        let max_unsynced = number("max_unsynced_seconds", 1, DAY).unwrap_or(30);
        let timeout_ms = number("timeout_ms", 1, 5000).unwrap_or(50);
        let share = fields.optional("share_entries", Cursor::flag);
        Self {
            cluster: cluster.unwrap_or("").to_owned(),
            authority: authority.unwrap_or(DEFAULT_AUTHORITY.to_owned()),
            secret_env: variable.unwrap_or(DEFAULT_VARIABLE.to_owned()),
            max_unsynced: Seconds::clamped(max_unsynced),
            share_entries: match share.unwrap_or(true) {
                true => Switch::On,
                false => Switch::Off,
            },
            timeout_ms: u32::try_from(timeout_ms).unwrap_or(50),
            secret: None,
        }
    }

    pub(super) fn unlock(&mut self, read: impl FnOnce(&str) -> Option<String>) {
        // As with the token of the management API: a file may end in a line feed.
        let secret = read(&self.secret_env).unwrap_or_default();
        let secret = secret.trim();
        self.secret = (!secret.is_empty()).then(|| secret.to_owned());
    }
}

/// Without the secret.
impl std::fmt::Debug for Admin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Admin")
            .field("cluster", &self.cluster)
            .field("authority", &self.authority)
            .field("max_unsynced", &self.max_unsynced)
            .field("share_entries", &self.share_entries)
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Switch};
    use crate::time::Seconds;

    #[test]
    fn the_fleet_has_defaults_for_all_but_its_cluster() {
        let config = Config::parse(br#"{"admin": {"cluster": "larder_admin"}}"#).unwrap();
        let admin = config.admin.unwrap();
        assert_eq!(admin.cluster, "larder_admin");
        assert_eq!(admin.authority, "larder-admin");
        assert_eq!(admin.secret_env, "LARDER_ADMIN_SECRET");
        assert_eq!(admin.max_unsynced, Seconds::clamped(30));
        assert_eq!(admin.share_entries, Switch::On);
        assert_eq!(admin.timeout_ms, 50);
        assert!(Config::parse(b"{}").unwrap().admin.is_none());
        assert!(
            Config::parse(br#"{"admin": null}"#)
                .unwrap()
                .admin
                .is_none()
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let errors = Config::parse(
            br#"{"admin": {"authority": "a b", "secret_env": "A-B", "max_unsynced_seconds": 0, "timeout_ms": 0, "x": 1}}"#,
        )
        .unwrap_err();
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        for path in [
            "admin.cluster",
            "admin.authority",
            "admin.secret_env",
            "admin.max_unsynced_seconds",
            "admin.timeout_ms",
            "admin.x",
        ] {
            assert!(
                errors.iter().any(|error| error.contains(path)),
                "{path}: {errors:?}"
            );
        }
    }

    #[test]
    fn the_secret_is_looked_up_and_never_shown() {
        let mut config = Config::parse(br#"{"admin": {"cluster": "a"}}"#).unwrap();
        let read = |name: &str| (name == "LARDER_ADMIN_SECRET").then(|| "s3cret\n".to_owned());
        config.unlock(read).unwrap();
        let admin = config.admin.unwrap();
        assert_eq!(admin.secret.as_deref(), Some("s3cret"));
        assert!(!format!("{admin:?}").contains("s3cret"));
    }
}
