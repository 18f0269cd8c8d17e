//! Numbers in texts that have one form: what is read is what would be written.

/// The number that so many lower-case digits are.
pub(crate) fn hexadecimal(text: &[u8], digits: usize) -> Option<u64> {
    if text.len() != digits || digits > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte.checked_sub(b'0')?,
            b'a'..=b'f' => byte.checked_sub(b'a')?.checked_add(10)?,
            _ => return None,
        };
        Some((number << 4) | u64::from(digit))
    })
}

/// The number that these digits are, the first of which is no 0 that could be left out.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Writes sixteen hexadecimal digits.
pub(crate) fn push_hexadecimal(number: u64, out: &mut String) {
    for byte in number.to_be_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
}
