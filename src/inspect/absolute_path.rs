/// Returns the text if it looks like the absolute path of a file: `/home/me/vocab.txt`,
/// `C:\models\vocab.txt`. Device names of TensorFlow begin with a slash too and are none.
pub(super) fn absolute_path(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    if text.len() > MAX_PATH {
        return None;
    }
    let rest = match text.as_bytes() {
        [b'/', ..] => &text[1..],
        [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic() => &text[3..],
        _ => return None,
    };
    let parts: Vec<&str> = rest.split(['/', '\\']).collect();
    let is_name = |part: &&str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || "_-.@+~ ()#,=".contains(c))
            && part.chars().any(char::is_alphanumeric)
    };
    // What ends with a slash is a directory.
    let names = match parts.split_last() {
        Some((&"", names)) => names,
        _ => &parts[..],
    };
    let is_path = names.len() >= 2 && names.iter().all(is_name);
    is_path.then_some(text)
}

/// Returns the path in the shared name of a lookup table: TensorFlow puts that of the vocabulary
/// into it, as `hash_table_/home/me/vocab.txt_-2_-1`.
pub(super) fn path_in_table_name(shared_name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(shared_name).ok()?;
    let name = name.strip_prefix("hash_table_")?;
    let mut parts = name.rsplitn(3, '_');
    let (value, key, path) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str| text.parse::<i64>().is_ok();
    match is_number(value) && is_number(key) {
        true => absolute_path(path.as_bytes()),
        false => None,
    }
}

const MAX_PATH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_texts() {
        for path in [
            "/home/me/vocab.txt",
            "/tmp/größe/",
            "C:\\models\\vocab.txt",
            "d:/x/y",
        ] {
            assert_eq!(absolute_path(path.as_bytes()), Some(path));
        }
        for text in [
            "",
            "/",
            "/part",
            "//a/b",
            "relative/path",
            "/device:CPU:0",
            "/job:worker/replica:0/task:0",
            "^s3://.*",
            "/[^/]+/",
            "/./..",
            "C:",
            "x:y",
        ] {
            assert_eq!(absolute_path(text.as_bytes()), None, "{text}");
        }
        assert_eq!(absolute_path(b"/a/\xff"), None);
    }

    #[test]
    fn table_names_hold_paths() {
        let path = |name: &str| path_in_table_name(name.as_bytes()).map(str::to_owned);
        assert_eq!(
            path("hash_table_/home/my_user/vocab.txt_-2_-1").unwrap(),
            "/home/my_user/vocab.txt"
        );
        for name in [
            "hash_table_1f2e",
            "table_7",
            "hash_table_/a/b",
            "hash_table_x_-2_-1",
        ] {
            assert_eq!(path(name), None, "{name}");
        }
    }
}
