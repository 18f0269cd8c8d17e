//! What runs inside the store, so that it happens at once or not at all.

use std::sync::OnceLock;

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        /// Each script, and what the store calls it once it has it.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)+
        }

        impl Scripts {
            pub(super) const fn new() -> Self {
                Self {
                    $($name: Script::new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),+)),)+
                }
            }
        }
    };
}

scripts! {
    acknowledge = "head" "acknowledge";
    append = "head" "append";
    config = "config";
    discard = "discard";
    entry = "entry";
    extent = "head" "extent";
    find = "head" "find";
    heat = "heat";
    instances = "instances";
    lease = "lease";
    put = "put";
    read = "head" "read";
    record = "head" "record";
    release = "release";
    report = "report";
    said = "head" "said";
    steps = "steps";
}

#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) hash: OnceLock<String>,
}

impl Script {
    const fn new(text: &'static str) -> Self {
        let hash = OnceLock::new();
        Self { text, hash }
    }
}
