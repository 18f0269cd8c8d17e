//! Every field of the configuration, described once.
//!
//! The filter reads its configuration by hand ([`larder_core::config`]), because that is smaller than what a library would make of
//! types, and says more about what is wrong. So there is nothing there of which a schema could be derived. Here the same
//! fields stand a second time, for people and editors: [`schema`] prints them as JSON Schema and [`page`] as the manual's page. That
//! both are of one mind is not hoped but tried, field by field and at every bound (`tests/agreement`); see
//! `docs/adr/036-a-description-held-against-the-reader.md`.

mod beyond;
mod kinds;
pub mod model;
mod page;
mod printed;
mod tables;

pub use beyond::{BEYOND, Beyond};
pub use page::page;
pub use printed::schema;
pub use tables::top;

/// Where the schema stands in the repository.
pub const SCHEMA: &str = "envoy/larder.schema.json";
/// Where the page stands in the repository.
pub const PAGE: &str = "docs/configuration.md";
