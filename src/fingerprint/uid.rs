/// Returns the number that TensorFlow has put at the end of a function's name to make it unique:
/// what follows the last `_`, if that is a decimal 64-bit integer.
///
/// Blanks around it and a sign are allowed. TensorFlow has it as `GetSuffixUID` in
/// `tensorflow/core/graph/regularization/util.cc`.
pub(super) fn suffix_uid(name: &[u8]) -> Option<i64> {
    let last = name.rsplit(|&byte| byte == b'_').next()?;
    let text = std::str::from_utf8(last).ok()?;
    let digits = text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    // Rust's parser takes the same signs and digits, and no blanks.
    digits.parse().ok()
}

/// Takes the number off the end of a name; as TensorFlow does, only where the name ends in just the
/// text that the number is printed as.
pub(super) fn without_uid(name: &[u8], uid: i64) -> &[u8] {
    name.strip_suffix(uid.to_string().as_bytes())
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_end_are_found_as_tensorflow_finds_them() {
        for (name, uid, left) in [
            ("__inference_f_123", Some(123), "__inference_f_"),
            ("f_0015", Some(15), "f_00"),
            ("f_+13", Some(13), "f_+"),
            ("f_-14", Some(-14), "f_"),
            ("f_ 16 ", Some(16), "f_ 16 "),
            ("f_\x0b7", Some(7), "f_\x0b"),
            ("12", Some(12), ""),
            ("f_-0", Some(0), "f_-"),
            ("f_9223372036854775807", Some(i64::MAX), "f_"),
            ("f_9223372036854775808", None, ""),
            ("f_0x10", None, ""),
            ("f_12_", None, ""),
            ("f_\u{a0}1", None, ""),
            ("", None, ""),
        ] {
            assert_eq!(suffix_uid(name.as_bytes()), uid, "{name}");
            if let Some(uid) = uid {
                assert_eq!(without_uid(name.as_bytes(), uid), left.as_bytes(), "{name}");
            }
        }
        assert_eq!(suffix_uid(b"f_\xff"), None);
    }
}
