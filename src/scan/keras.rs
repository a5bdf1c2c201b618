//! Lambda layers in the metadata of Keras, which is JSON.

/// The Lambda layers in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lambdas {
    pub(super) count: u64,
    /// One of them has its code with it, not only a name.
    pub(super) with_code: bool,
}

/// Looks for layers of the class `Lambda`. What is no JSON is looked through as well as can be.
pub(super) fn lambdas(json: &str) -> Lambdas {
    let mut found = Lambdas::default();
    let mut key = String::new();
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let (text, after) = string(&rest[start + 1..]);
        // A value stands behind its key and a colon, and nothing else is between.
        let is_value = rest[..start].trim() == ":";
        if is_value {
            match (key.as_str(), text.as_str()) {
                ("class_name", "Lambda") => found.count += 1,
                ("class_name", "__lambda__") | ("function_type", "lambda") => {
                    found.with_code = true;
                }
                _ => {}
            }
        }
        key = text;
        rest = after;
    }
    found
}

/// Reads a string to the quote that ends it; returns it, as far as it could be a name, and the rest.
fn string(text: &str) -> (String, &str) {
    /// Code in a string is long, and no name.
    const LIMIT: usize = 64;
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((at, 'u')) => {
                    let digits = text.get(at + 1..at + 5);
                    let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                    if code.is_some() {
                        chars.nth(3);
                    }
                    code.and_then(char::from_u32).unwrap_or('\u{fffd}')
                }
                Some((_, c)) => c,
                None => break,
            },
            c => c,
        };
        if value.len() < LIMIT {
            value.push(c);
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_layers_are_found_however_they_are_written() {
        let found = |count, with_code| Lambdas { count, with_code };
        for (json, expected) in [
            (
                r#"{"class_name": "Lambda", "config": {"function_type": "lambda"}}"#,
                found(1, true),
            ),
            (
                r#"{"class_name":"\u004cambda","config":{"function":{"class_name" : "__lambda__"}}}"#,
                found(1, true),
            ),
            (
                r#"{"class_name": "Lambda", "config": {"function_type": "function", "function": "relu"}}"#,
                found(1, false),
            ),
            (
                r#"{"layers": [{"class_name": "Lambda"}, {"class_name":"Lambda"}]}"#,
                found(2, false),
            ),
            (
                r#"{"class_name": "Dense", "config": {"name": "Lambda"}}"#,
                found(0, false),
            ),
            (r#"{"name": "\"class_name\": \"Lambda\""}"#, found(0, false)),
            (r#"{"class_name"  "#, found(0, false)),
            (r#""\u00"#, found(0, false)),
            ("\"\\", found(0, false)),
        ] {
            assert_eq!(lambdas(json), expected, "{json}");
        }
    }
}
