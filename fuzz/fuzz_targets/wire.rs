//! A message: all fields at every depth; what is read put together is the message again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::wire::Message;

/// Returns whether all of it is fields.
fn walk(message: Message<'_>, depth: usize) -> bool {
    let mut raw = Vec::new();
    let mut last_end = message.start();
    for field in message.fields() {
        let field = match field {
            Ok(field) => field,
            Err(error) => {
                assert_eq!(error.offset(), Some(last_end));
                assert!(message.bytes().starts_with(&raw));
                return false;
            }
        };
        assert_eq!(field.offset(), last_end);
        last_end += field.raw().len() as u64;
        raw.extend_from_slice(field.raw());
        if depth < 8
            && let Some(inner) = field.message()
        {
            let start = (inner.start() - field.offset()) as usize;
            assert!(field.raw()[start..].starts_with(inner.bytes()));
            walk(inner, depth + 1);
        }
    }
    assert_eq!(raw, message.bytes());
    true
}

fuzz_target!(|bytes: &[u8]| {
    let whole = walk(Message::at(bytes, 1000), 0);
    for number in [1, 2, 15] {
        assert_eq!(Message::new(bytes).last(number).is_ok(), whole);
    }
});
