//! What instance and service say to each other: what is read is written, and read again, as the same.

use std::fmt::Debug;

use larder_core::wire::{
    Answer, Batch, Heat, Posted, Record, TokenKey, Wants, WireError, WriteToken,
};

thread_local! {
    static KEY: TokenKey = TokenKey::of(b"secret");
}

/// What was read is written so that it is read as the same.
fn again<T: Debug + PartialEq>(
    data: &[u8],
    read: fn(&[u8]) -> Result<T, WireError>,
    write: fn(&T) -> String,
) {
    if let Ok(found) = read(data) {
        assert_eq!(read(write(&found).as_bytes()), Ok(found));
    }
}

pub(super) fn check(data: &[u8]) {
    again(data, Answer::read, Answer::write);
    again(data, Batch::read, Batch::write);
    again(data, Posted::read, Posted::write);
    let _ = (Heat::read(data), Wants::read(data));
    KEY.with(|key| {
        if let Some(token) = WriteToken::verify(data, key) {
            assert_eq!(token.mint(key).as_bytes(), data);
        }
    });
    // What is said is kept without its number.
    for said in Batch::read(data)
        .into_iter()
        .flat_map(|batch| batch.records)
    {
        let id = larder_core::fleet::Cursor {
            log: 1,
            position: 2,
            check: 3,
        };
        let of = (larder_core::fleet::InstanceId(4), 5);
        let record = Record::of_body(id, of, 6, &said.body());
        assert_eq!(record.invalidation, said.invalidation);
        assert_eq!(record.label, said.label);
    }
}
