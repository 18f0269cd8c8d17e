//! How often a property is tried.

use proptest::test_runner::Config;

/// As many cases as find what happens once in a few thousand.
pub(crate) fn cases() -> Config {
    Config::with_cases(10_000)
}
