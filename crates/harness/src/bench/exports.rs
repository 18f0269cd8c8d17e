//! Cuts exports out of a wasm module: the host skips a callback that is not exported, and what a callback costs shows
//! when it is missing.
//!
//! Only the list of exports is written anew (WebAssembly core specification, 5.5 "Modules"); everything else stays byte
//! for byte, the code behind a lost name too.

use std::error::Error;
use std::fmt;

const EXPORT_SECTION: u8 = 7;
const PREAMBLE: usize = 8;

/// The module with those exports only whose name `keep` answers with true.
///
/// # Errors
/// [`NotAModule`] when it ends too early or a name is no text.
pub fn retain(module: &[u8], keep: impl Fn(&str) -> bool) -> Result<Vec<u8>, NotAModule> {
    let (preamble, rest) = module.split_at_checked(PREAMBLE).ok_or(NotAModule)?;
    let mut out = preamble.to_vec();
    let mut reader = Reader(rest);
    while !reader.0.is_empty() {
        let id = reader.byte()?;
        let length = reader.number()?;
        let content = reader.take(length)?;
        let content = match id {
            EXPORT_SECTION => retain_entries(content, &keep)?,
            _ => content.to_vec(),
        };
        out.push(id);
        write_number(&mut out, content.len());
        out.extend(content);
    }
    Ok(out)
}

fn retain_entries(section: &[u8], keep: impl Fn(&str) -> bool) -> Result<Vec<u8>, NotAModule> {
    let mut reader = Reader(section);
    let mut kept: Vec<u8> = Vec::new();
    let mut count = 0;
    for _ in 0..reader.number()? {
        let start = reader.0;
        let length = reader.number()?;
        let name = std::str::from_utf8(reader.take(length)?).map_err(|_| NotAModule)?;
        let (_kind, _index) = (reader.byte()?, reader.number()?);
        if keep(name) {
            kept.extend(&start[..start.len() - reader.0.len()]);
            count += 1;
        }
    }
    let mut out = Vec::new();
    write_number(&mut out, count);
    out.extend(kept);
    Ok(out)
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], NotAModule> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(NotAModule)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, NotAModule> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn number(&mut self) -> Result<usize, NotAModule> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(NotAModule)
    }
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The bytes are no wasm module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAModule;

impl fmt::Display for NotAModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no wasm module")
    }
}

impl Error for NotAModule {}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\0asm\x01\0\0\0";

    fn module(exports: &[(&str, u8)]) -> Vec<u8> {
        let mut section = vec![exports.len() as u8];
        for (name, index) in exports {
            section.push(name.len() as u8);
            section.extend(name.as_bytes());
            section.extend([0, *index]);
        }
        let mut module = HEAD.to_vec();
        module.extend([1, 1, 0, EXPORT_SECTION]);
        write_number(&mut module, section.len());
        module.extend(section);
        module.extend([0, 2, b'e', b'!']);
        module
    }

    #[test]
    fn what_is_not_kept_is_gone_and_the_rest_is_as_it_was() {
        let long = "n".repeat(100);
        let all = module(&[("memory", 0), (&long, 1), ("proxy_on_log", 2)]);
        assert_eq!(retain(&all, |_| true).unwrap(), all);
        let kept = retain(&all, |name| name != "proxy_on_log").unwrap();
        assert_eq!(kept, module(&[("memory", 0), (&long, 1)]));
    }

    #[test]
    fn a_module_that_ends_too_early_is_refused() {
        let all = module(&[("memory", 0)]);
        for end in [0, 7, 9, 14, all.len() - 1] {
            assert_eq!(retain(&all[..end], |_| true), Err(NotAModule), "{end}");
        }
    }
}
