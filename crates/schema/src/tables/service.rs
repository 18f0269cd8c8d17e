//! The management API, and the service of a fleet.

use crate::kinds::{CLUSTER, VARIABLE, formed, text, whole};
use crate::model::{Absent, Condition, Field, Kind, Table, Text};

/// `/` and names of unreserved letters, none of which goes up.
const PREFIX: &str = r"^(/(?!\.{1,2}(/|$))[0-9A-Za-z._~-]+)+$";
const HOST: Text = text(("a host", "hosts"), 255);
const DIGEST: Text = formed(
    ("64 hexadecimal digits", "digests"),
    64,
    "^[0-9a-fA-F]{64}$",
);

pub(super) fn management() -> Field {
    let prefix = formed(("a path", "paths"), 128, PREFIX);
    let elsewhere =
        "No API here, but what is changed at another listener with the same configuration holds.";
    let fields = vec![
        Field::new(
            "prefix",
            Kind::Text(prefix),
            "What the paths of the API begin with.",
        )
        .or("/api/cache"),
        Field::new(
            "host",
            Kind::Text(HOST),
            "The only host that has it, without a port.",
        )
        .or_null()
        .absent(Absent::Says("any host"))
        .such_as("cache.internal"),
        Field::new(
            "token_env",
            Kind::Text(VARIABLE),
            "The variable of the VM (`environment_variables` in Envoy) that holds the token.",
        )
        .or_null()
        .or("LARDER_TOKEN"),
        Field::new(
            "token_sha256",
            Kind::Text(DIGEST),
            "In place of `token_env`, the SHA-256 of the token.",
        )
        .or_null()
        .such_as("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
        Field::new("elsewhere", Kind::Flag, elsewhere).or(false),
    ];
    let table = Table::new("management", fields)
        .with(Condition::NotBoth("token_env", "token_sha256"))
        .with(Condition::Alone {
            field: "elsewhere",
            value: Some(true),
            refused: vec!["prefix", "host", "token_env", "token_sha256"],
        });
    let about = "The management API, which is there only where this is.";
    Field::new("management", Kind::Object(table), about).or_null()
}

pub(super) fn admin() -> Field {
    let fields = vec![
        Field::new(
            "cluster",
            Kind::Text(CLUSTER),
            "The Envoy cluster in which the service (`larder-admin`) is.",
        )
        .required()
        .such_as("larder_admin"),
        Field::new(
            "authority",
            Kind::Text(HOST),
            "What requests to it name as their host, with a port or without.",
        )
        .or("larder-admin"),
        Field::new(
            "secret_env",
            Kind::Text(VARIABLE),
            "The variable of the VM that holds the secret which service and filter share.",
        )
        .or("LARDER_ADMIN_SECRET"),
        Field::new(
            "max_unsynced_seconds",
            whole(1, 86_400),
            "For how long what is invalidated elsewhere may go unheard of; then what is stored is asked about.",
        )
        .or(30),
        Field::new(
            "share_entries",
            Kind::Flag,
            "Whether the others are asked for responses, and given them.",
        )
        .or(true),
        Field::new(
            "timeout_ms",
            whole(1, 5000),
            "How long a request waits for what the others have.",
        )
        .or(50),
    ];
    let about = "The service that makes one cache of many Envoys.";
    let table = Table::new("admin", fields);
    Field::new("admin", Kind::Object(table), about)
        .or_null()
        .see("one-cache-of-many-envoys")
}
