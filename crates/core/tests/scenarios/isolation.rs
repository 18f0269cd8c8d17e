//! Whoever asks, in whatever way identities are told apart, gets what was made for him.

use std::rc::Rc;

use larder_core::epoch::{Mode, Scope};
use proptest::prelude::*;

use crate::fleet::Port;
use crate::stage::{Request, Stage, get, reply, request};

const USERS: [&str; 3] = ["ann", "bob", "carl"];
const TENANTS: [&str; 2] = ["red", "blue"];

/// How users and tenants are told apart.
#[derive(Clone, Copy, Debug)]
struct Way {
    identity: &'static str,
    tenant: &'static str,
    /// Writes who asks, and for which tenant, into a request.
    sign: fn(Request, Option<&str>, &str) -> Request,
}

fn by_header(ask: Request, user: Option<&str>, tenant: &str) -> Request {
    let ask = ask.with("x-tenant", tenant);
    match user {
        Some(user) => ask
            .with("x-user", user)
            .with("authorization", &format!("Bearer of-{user}")),
        None => ask,
    }
}

fn by_cookie(ask: Request, user: Option<&str>, tenant: &str) -> Request {
    match user {
        Some(user) => ask.with("cookie", &format!("a=b; sid={user}; tenant={tenant}")),
        None => ask.with("cookie", &format!("tenant={tenant}")),
    }
}

/// A token whose claim is the user; nobody has looked at its signature.
fn by_token(ask: Request, user: Option<&str>, tenant: &str) -> Request {
    let claim = match user {
        Some("ann") => "eyJzdWIiOiJhbm4ifQ",
        Some("bob") => "eyJzdWIiOiJib2IifQ",
        Some(_) => "eyJzdWIiOiJjYXJsIn0",
        None => return ask.with("x-tenant", tenant),
    };
    ask.with("authorization", &format!("Bearer e30.{claim}.c2ln"))
        .with("x-tenant", tenant)
}

const WAYS: [Way; 4] = [
    Way {
        identity: r#"{"header": "x-user", "trusted": true}"#,
        tenant: r#""headers": ["x-tenant"]"#,
        sign: by_header,
    },
    Way {
        identity: r#"{"header": "x-user"}"#,
        tenant: r#""headers": ["x-tenant"]"#,
        sign: by_header,
    },
    Way {
        identity: r#"{"cookie": "sid"}"#,
        tenant: r#""cookies": ["tenant"]"#,
        sign: by_cookie,
    },
    Way {
        identity: r#"{"jwt_claim": "sub", "store_private": true}"#,
        tenant: r#""headers": ["x-tenant"]"#,
        sign: by_token,
    },
];

#[derive(Clone, Debug)]
struct Act {
    method: &'static str,
    path: &'static str,
    user: Option<usize>,
    tenant: usize,
    noise: Option<(&'static str, &'static str)>,
    wait: u64,
    purged: bool,
}

fn act() -> impl Strategy<Value = Act> {
    let noise = proptest::sample::select(vec![
        ("x-forwarded-host", "evil.example"),
        ("accept-language", "de"),
        ("if-none-match", "\"1\""),
        ("range", "bytes=0-2"),
        ("x-original-url", "/other"),
        ("cookie", "theme=dark"),
        ("x-forwarded-for", "192.0.2.7"),
    ]);
    (
        prop_oneof![9 => Just("GET"), 1 => Just("HEAD"), 1 => Just("PUT")],
        proptest::sample::select(vec!["/a", "/a?x=1", "/b"]),
        proptest::option::of(0..USERS.len()),
        0..TENANTS.len(),
        prop_oneof![4 => Just(None), 1 => noise.prop_map(Some)],
        prop_oneof![8 => Just(0_u64), 1 => 1..90_u64],
        prop_oneof![9 => Just(false), 1 => Just(true)],
    )
        .prop_map(|(method, path, user, tenant, noise, wait, purged)| Act {
            method,
            path,
            user,
            tenant,
            noise,
            wait,
            purged,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_given_what_is_anothers(
        way in proptest::sample::select(WAYS.to_vec()), acts in proptest::collection::vec(act(), 1..60),
        vary in any::<bool>(),
    ) {
        let rules = format!(
            r#"{{"rules": [{{"name": "mine", "match": {{"path": "/.*"}}, "ttl_seconds": 60, "identity": {}, "key": {{{}}},
                "tags": ["seen-by:{{identity}}"]}}]}}"#,
            way.identity, way.tenant
        );
        let mut first = Stage::new(&rules);
        let mut second = first.another_worker(&rules);
        let mut elsewhere = Stage::new(&rules);
        let store = Rc::default();
        for stage in [&mut first, &mut second, &mut elsewhere] {
            stage.join(&Port::of(&store));
        }
        for (place, act) in acts.into_iter().enumerate() {
            let stage = match place % 4 {
                0 => &mut second,
                1 => &mut elsewhere,
                _ => &mut first,
            };
            stage.wait(act.wait);
            let (user, tenant) = (act.user.map(|user| USERS[user]), TENANTS[act.tenant]);
            if act.purged {
                let tag = format!("user:{}", user.unwrap_or("nobody"));
                stage.invalidate(&[Scope::Tag(tag.as_bytes())], Mode::Soft);
            }
            let ask = if act.method == "GET" { get(act.path) } else { request(act.method, act.path) };
            let mut ask = (way.sign)(ask, user, tenant);
            if let Some((name, value)) = act.noise {
                ask = ask.with(name, value);
            }
            let host = act.noise.filter(|(name, _)| *name == "x-forwarded-host").map(|(_, value)| value);
            let mine = format!("{} of {user:?} at {tenant} by {host:?}", act.path);
            let mut answer = reply(&mine).with("etag", &format!("\"{mine}\""));
            if vary {
                answer = answer.with("vary", "accept-language");
            }
            let seen = stage.exchange(ask, answer);
            let whole = [&mine, ""].contains(&seen.text()) || mine.starts_with(seen.text());
            prop_assert!(whole, "{:?} got {:?}", act, seen);
            prop_assert!(["", &format!("\"{mine}\"")].contains(&seen.field("etag")), "{:?} got {:?}", act, seen);
        }
    }
}
