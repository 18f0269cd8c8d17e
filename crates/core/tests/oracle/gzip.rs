//! Gzip members: what is unzipped is what the plainest reader of RFC 1951 and RFC 1952 finds.

use std::cell::RefCell;

use larder_core::transform::{Compressor, Progress, unzip};

/// No longer body is read.
const CAP: usize = 1 << 16;

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = usize::from(byte) >> (self.at % 8) & 1;
        self.at += 1;
        Some(bit)
    }

    fn number(&mut self, bits: usize) -> Option<usize> {
        (0..bits).try_fold(0, |sum, place| Some(sum | self.bit()? << place))
    }

    fn whole_bytes(&mut self, count: usize) -> Option<&[u8]> {
        let first = self.at.div_ceil(8);
        self.at = (first + count) * 8;
        self.bytes.get(first..first + count)
    }
}

/// The codes of symbols that have these lengths, as (length, code, symbol).
fn codes(lengths: &[usize]) -> Vec<(usize, usize, usize)> {
    let (mut code, mut codes) = (0, Vec::new());
    for length in 1..16 {
        code <<= 1;
        for (symbol, _) in lengths.iter().enumerate().filter(|it| *it.1 == length) {
            codes.push((length, code, symbol));
            code += 1;
        }
    }
    codes
}

fn symbol(bits: &mut Bits<'_>, codes: &[(usize, usize, usize)]) -> Option<usize> {
    let mut code = 0;
    for length in 1..16 {
        code = code << 1 | bits.bit()?;
        if let Some(found) = codes.iter().find(|it| (it.0, it.1) == (length, code)) {
            return Some(found.2);
        }
    }
    None
}

type Codes = Vec<(usize, usize, usize)>;

/// The codes that stand in front of a block.
fn dynamic(bits: &mut Bits<'_>) -> Option<(Codes, Codes)> {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literals = bits.number(5)? + 257;
    let distances = bits.number(5)? + 1;
    let count = bits.number(4)? + 4;
    let mut lengths = [0; 19];
    for place in &ORDER[..count] {
        lengths[*place] = bits.number(3)?;
    }
    let of_lengths = codes(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match symbol(bits, &of_lengths)? {
            16 => (*lengths.last()?, bits.number(2)? + 3),
            17 => (0, bits.number(3)? + 3),
            18 => (0, bits.number(7)? + 11),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    (lengths.len() == literals + distances)
        .then(|| (codes(&lengths[..literals]), codes(&lengths[literals..])))
}

fn fixed() -> (Codes, Codes) {
    let length = |symbol| match symbol {
        0..=143 => 8,
        144..=255 => 9,
        256..=279 => 7,
        _ => 8,
    };
    let literals: Vec<usize> = (0..288).map(length).collect();
    (codes(&literals), codes(&[5; 30]))
}

fn block(
    bits: &mut Bits<'_>,
    (literals, distances): &(Codes, Codes),
    out: &mut Vec<u8>,
) -> Option<()> {
    loop {
        let found = symbol(bits, literals)?;
        let length = match found {
            0..=255 => {
                out.push(u8::try_from(found).unwrap());
                continue;
            }
            256 => return Some(()),
            257..=264 => found - 254,
            265..=284 => {
                let extra = (found - 261) / 4;
                ((4 + (found - 265) % 4) << extra) + 3 + bits.number(extra)?
            }
            285 => 258,
            _ => return None,
        };
        let distance = match symbol(bits, distances)? {
            near @ 0..=3 => near + 1,
            far @ 4..=29 => {
                let extra = far / 2 - 1;
                ((2 + far % 2) << extra) + 1 + bits.number(extra)?
            }
            _ => return None,
        };
        for _ in 0..length {
            let from = out.len().checked_sub(distance)?;
            out.push(out[from]);
        }
        if out.len() > CAP {
            return None;
        }
    }
}

/// What was deflated to all of these bytes.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    inflated_by(bytes).map(|(body, _)| body)
}

/// The same, and by how many blocks with codes of their own.
fn inflated_by(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut bits = Bits { bytes, at: 0 };
    let (mut out, mut own) = (Vec::new(), 0);
    loop {
        let is_last = bits.bit()? == 1;
        match bits.number(2)? {
            0 => {
                let &[a, b, c, d] = bits.whole_bytes(4)? else {
                    return None;
                };
                let length = u16::from_le_bytes([a, b]);
                if length != !u16::from_le_bytes([c, d]) {
                    return None;
                }
                out.extend_from_slice(bits.whole_bytes(length.into())?);
            }
            1 => block(&mut bits, &fixed(), &mut out)?,
            2 => {
                own += 1;
                let codes = dynamic(&mut bits)?;
                block(&mut bits, &codes, &mut out)?;
            }
            _ => return None,
        }
        if is_last {
            return (bits.at.div_ceil(8) == bytes.len() && out.len() <= CAP).then_some((out, own));
        }
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}

/// A member of these deflated bytes, which say that they are this body.
fn member(deflated: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff][..],
        deflated,
        &crc(body).to_le_bytes(),
        &length.to_le_bytes(),
    ]
    .concat()
}

thread_local! {
    // As a worker has one: its tables are large.
    static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new().unwrap());
}

/// What a worker makes of a body, so many bytes at a time.
fn zipped(body: &[u8], budget: usize) -> Vec<u8> {
    COMPRESSOR.with(|compressor| zipped_by(&mut compressor.borrow_mut(), body, budget))
}

fn zipped_by(compressor: &mut Compressor, body: &[u8], budget: usize) -> Vec<u8> {
    let mut begun = compressor.begin(body.len() + 1000).unwrap();
    loop {
        begun = match compressor.step(begun, body, budget) {
            Progress::Begun(begun) => begun,
            Progress::Done(member) => return member,
            Progress::Wasted => panic!("there was room enough"),
        };
    }
}

/// The data once as what was deflated, once as a whole member of a body as long as its first bytes say, and once as a body.
pub(super) fn check(data: &[u8]) {
    let found = inflated_by(data);
    let (body, own) = found.clone().unwrap_or_default();
    match unzip(&member(data, &body), body.len(), CAP) {
        Ok(unzipped) => assert_eq!(Some((unzipped, own)), found),
        // Codes that do not use up all bits may be refused before one is missing: that is every reader's own choice.
        Err(error) => assert!(found.is_none() || own > 0, "{error:?}"),
    }
    if let Some((length, member)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length));
        if let Ok(found) = unzip(member, length, CAP) {
            assert_eq!(found.len(), length);
            let deflated = &member[10..member.len() - 8];
            assert_eq!(inflated(deflated), Some(found));
        }
    }
    let budget = data.first().map_or(1, |first| usize::from(*first) + 1);
    let zipped = zipped(data, budget);
    assert_eq!(
        inflated(&zipped[10..zipped.len() - 8]).as_deref(),
        Some(data)
    );
    assert_eq!(zipped, member(&zipped[10..zipped.len() - 8], data));
    assert_eq!(unzip(&zipped, data.len(), CAP).as_deref(), Ok(data));
}
