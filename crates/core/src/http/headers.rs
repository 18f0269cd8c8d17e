//! Header fields as they came: ordered bytes, duplicates kept, names compared without regard to case.
//!
//! The host hands a header map over as one block, and wants one block back. Both are read and written here without
//! an allocation per field, and without the host, so that any bytes can be tried natively:
//!
//! ```text
//! u32 count │ count × (u32 name length, u32 value length) │ count × (name NUL value NUL)      all little-endian
//! ```
//!
//! (proxy-wasm ABI 0.2.1, `proxy_get_header_map_pairs`; proxy-wasm-cpp-host `src/pairs_util.cc`.)

use std::fmt;
use std::ops::Range;

/// An ordered list of fields over one block of bytes.
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    names: NameSet,
}

/// What Larder adds to a head at most: `age`, its own three fields, and a Cache-Control, a Date or an ETag.
const MORE_LINES: usize = 6;
const MORE_BYTES: usize = 224;

/// Which names may be there. Most fields that are asked for are not, and this says so without a look at each line.
///
/// A set of 64 bits, one for all names of like length, first and last letter.
#[derive(Clone, Copy, Default)]
struct NameSet(u64);

impl NameSet {
    fn of(block: &[u8], fields: &[Field]) -> Self {
        let mut names = Self::default();
        for field in fields {
            names.insert(slice(block, &field.name));
        }
        names
    }

    fn insert(&mut self, name: &[u8]) {
        self.0 |= Self::bit(name);
    }

    fn may_have(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    // Letters of either case are one: they differ in the bit that is set here.
    fn bit(name: &[u8]) -> u64 {
        let letter = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default() | 0x20);
        let (first, last) = (letter(name.first()), letter(name.last()));
        let mixed = (name.len() as u32)
            .wrapping_mul(5)
            .wrapping_add(first.wrapping_mul(3))
            .wrapping_add(last.wrapping_mul(13));
        1_u64.wrapping_shl(mixed)
    }
}

#[derive(Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// Why a block of pairs could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairsError {
    /// The block ends before what its counts promise.
    Truncated,
    /// There are bytes behind the last pair.
    Trailing,
    /// A name or value is not followed by its NUL.
    Unterminated,
}

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// No fields, and room for so many as those of `other`, with a few more.
    pub fn with_room_for(other: &Self) -> Self {
        Self {
            bytes: Vec::with_capacity(other.bytes.len().saturating_add(MORE_BYTES)),
            fields: Vec::with_capacity(other.fields.len().saturating_add(MORE_LINES)),
            names: NameSet::default(),
        }
    }

    /// Reads a copy of a block of pairs, with room for a few lines more.
    pub fn copy_of_pairs(block: &[u8]) -> Result<Self, PairsError> {
        let mut copy = Vec::with_capacity(block.len().saturating_add(MORE_BYTES));
        copy.extend_from_slice(block);
        Self::read(copy, MORE_LINES)
    }

    /// Takes over a block of pairs in the host's form; nothing is copied.
    pub fn from_pairs(block: Vec<u8>) -> Result<Self, PairsError> {
        Self::read(block, 0)
    }

    fn read(block: Vec<u8>, more_lines: usize) -> Result<Self, PairsError> {
        let fields = parse(&block, more_lines)?;
        let names = NameSet::of(&block, &fields);
        Ok(Self {
            bytes: block,
            fields,
            names,
        })
    }

    /// Where the values stand in a block of pairs, in order.
    pub(crate) fn value_ranges(
        block: &[u8],
    ) -> Result<impl Iterator<Item = Range<usize>>, PairsError> {
        Ok(parse(block, 0)?.into_iter().map(|field| field.value))
    }

    /// Writes the block of pairs that the host reads.
    pub fn to_pairs(&self) -> Vec<u8> {
        let content: usize = self
            .iter()
            .map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(10))
            .sum();
        let mut block = Vec::with_capacity(content.saturating_add(4));
        block.extend_from_slice(&wire_len(self.fields.len()));
        for (name, value) in self.iter() {
            block.extend_from_slice(&wire_len(name.len()));
            block.extend_from_slice(&wire_len(value.len()));
        }
        for (name, value) in self.iter() {
            block.extend_from_slice(name);
            block.push(0);
            block.extend_from_slice(value);
            block.push(0);
        }
        block
    }

    /// Adds a field line behind the others.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.names.insert(name.as_ref());
        let name = self.append(name.as_ref());
        let value = self.append(value.as_ref());
        self.fields.push(Field { name, value });
    }

    fn append(&mut self, part: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(part);
        start..self.bytes.len()
    }

    /// Removes every line of the field.
    pub fn remove(&mut self, name: &str) {
        self.retain(|field, _| !field.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Keeps the lines for which `keep(name, value)` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        self.fields
            .retain(|field| keep(slice(bytes, &field.name), slice(bytes, &field.value)));
    }

    /// All lines in order, as `(name, value)`.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines(&self.fields)
    }

    fn lines<'a>(&'a self, fields: &'a [Field]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let part = |range| slice(&self.bytes, range);
        let line = move |field: &'a Field| (part(&field.name), part(&field.value));
        fields.iter().map(line)
    }

    /// The values of every line of one field, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        let fields = match self.names.may_have(name) {
            true => self.fields.as_slice(),
            false => &[],
        };
        self.lines(fields)
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the first line of one field.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of a field that may stand once; `None` when it is absent or repeated.
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        let mut found = self.all(name);
        let value = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// The value of a line, by its place among them.
    pub(super) fn value(&self, at: usize) -> Option<&[u8]> {
        let field = self.fields.get(at)?;
        Some(slice(&self.bytes, &field.value))
    }

    /// Whether the field stands at least once.
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// About how many bytes of memory they take.
    pub fn size(&self) -> usize {
        let index = self.fields.capacity().saturating_mul(size_of::<Field>());
        self.bytes.capacity().saturating_add(index)
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(lines: I) -> Self {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(name, value);
        }
        headers
    }
}

/// Equal when the lines are equal, byte for byte and in order.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        out.debug_map()
            .entries(self.iter().map(|(name, value)| (text(name), text(value))))
            .finish()
    }
}

// Ranges are only ever made from this block, so the fallback is never taken; it spares a reachable panic.
fn slice<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

/// Finds the lines of a block, with room for some more.
fn parse(block: &[u8], more: usize) -> Result<Vec<Field>, PairsError> {
    if block.is_empty() {
        return Ok(Vec::new()); // the host's way to write no pairs at all
    }
    let count = read_len(block, 0)?;
    // Each pair takes at least its two lengths and two NULs, so a lying count is found before it sizes anything.
    if count > block.len() / 10 {
        return Err(PairsError::Truncated);
    }
    let mut fields = Vec::with_capacity(count.saturating_add(more));
    let mut at = count.saturating_mul(8).saturating_add(4);
    for index in 0..count {
        let lengths = index.saturating_mul(8).saturating_add(4);
        let name = terminated(block, at, read_len(block, lengths)?)?;
        let value = terminated(
            block,
            name.end.saturating_add(1),
            read_len(block, lengths.saturating_add(4))?,
        )?;
        at = value.end.saturating_add(1);
        fields.push(Field { name, value });
    }
    if at != block.len() {
        return Err(PairsError::Trailing);
    }
    Ok(fields)
}

fn read_len(block: &[u8], at: usize) -> Result<usize, PairsError> {
    let bytes = block
        .get(at..at.saturating_add(4))
        .ok_or(PairsError::Truncated)?;
    let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| PairsError::Truncated)?;
    usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| PairsError::Truncated)
}

fn wire_len(len: usize) -> [u8; 4] {
    // A part over 4 GiB cannot exist in a 32-bit guest.
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn terminated(block: &[u8], start: usize, len: usize) -> Result<Range<usize>, PairsError> {
    let end = start.checked_add(len).ok_or(PairsError::Truncated)?;
    match block.get(end) {
        None => Err(PairsError::Truncated),
        Some(0) => Ok(start..end),
        Some(_) => Err(PairsError::Unterminated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Headers {
        Headers::from_iter([
            ("Link", "a"),
            ("x-empty", ""),
            ("link", "b"),
            ("etag", "\"1\""),
        ])
    }

    #[test]
    fn repeated_lines_keep_their_order() {
        let headers = sample();
        assert_eq!(headers.all("LINK").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(headers.first("link"), Some(&b"a"[..]));
        assert_eq!(headers.only("link"), None);
        assert_eq!(headers.only("x-empty"), Some(&b""[..]));
    }

    #[test]
    fn a_name_is_found_in_any_case_wherever_it_came_from() {
        let names = ["A", "x-Empty", "ETag", "-", "x_y", "\u{e4}", ""];
        for name in names {
            let headers = Headers::from_iter([("other", "1"), (name, "2")]);
            for headers in [Headers::from_pairs(headers.to_pairs()).unwrap(), headers] {
                for asked in [name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                    assert_eq!(headers.first(&asked), Some(&b"2"[..]), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_block_written_is_a_block_read() {
        let headers = sample();
        assert_eq!(Headers::from_pairs(headers.to_pairs()), Ok(headers));
        assert_eq!(
            Headers::from_pairs(Headers::new().to_pairs()),
            Ok(Headers::new())
        );
        assert_eq!(Headers::from_pairs(Vec::new()), Ok(Headers::new()));
    }

    #[test]
    fn removal_leaves_the_others_alone() {
        let mut headers = sample();
        headers.remove("LINK");
        assert_eq!(
            headers,
            Headers::from_iter([("x-empty", ""), ("etag", "\"1\"")])
        );
        assert_eq!(Headers::from_pairs(headers.to_pairs()), Ok(headers));
    }

    #[test]
    fn damaged_blocks_are_refused_with_a_name() {
        let whole = sample().to_pairs();
        for cut in 1..whole.len() {
            assert!(
                Headers::from_pairs(whole.get(..cut).unwrap().to_vec()).is_err(),
                "cut at {cut}"
            );
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(Headers::from_pairs(longer), Err(PairsError::Trailing));
        assert_eq!(
            Headers::from_pairs(vec![0xff; 64]),
            Err(PairsError::Truncated)
        );
    }
}
