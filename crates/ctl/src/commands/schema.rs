//! What a configuration may be, for editors.

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::output::Printer;

/// Print the JSON Schema of the configuration
///
/// Editors complete and check by it: `larderctl schema > larder.schema.json`, and name that file in theirs. `larderctl check`
/// finds what no schema can say, too.
#[derive(Args, Debug)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(&self, out: &mut Printer) -> Result<Exit, Failure> {
        out.text(&larder_schema::schema())?;
        Ok(Exit::Fine)
    }
}
