/// Cuts at every `;`, wherever it is, and at the first `=` of each part: what the stock tool does
/// (`tensorflow/python/tools/saved_model_cli.py`).
pub(super) fn stock(text: &str) -> Vec<Result<(&str, &str), String>> {
    text.split(';')
        .filter(|segment| !segment.is_empty())
        .map(|segment| match segment.split_once('=') {
            Some(parts) => Ok(parts),
            None if text.contains('=') => {
                Err("not enough values to unpack (expected 2, got 1)".to_owned())
            }
            None => Err(incorrect(text)),
        })
        .collect()
}

/// Cuts at every `;` outside quotes and brackets, and at the first `=` of each part. Blanks around
/// keys are left out.
pub(super) fn ours(text: &str) -> Vec<Result<(&str, &str), String>> {
    parts(text)
        .into_iter()
        .filter(|segment| !segment.trim().is_empty())
        .map(|segment| {
            let (key, expression) = segment
                .split_once('=')
                .filter(|(key, _)| !key.trim().is_empty())
                .ok_or_else(|| {
                    format!(
                        "`{}` names no input; write KEY=EXPRESSION, and `;` between several",
                        segment.trim()
                    )
                })?;
            Ok((key.trim(), expression))
        })
        .collect()
}

fn incorrect(text: &str) -> String {
    format!(
        "--input_exprs \"{text}\" format is incorrect. Please follow\"<input_key>=<python \
         expression>\""
    )
}

fn parts(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut parts, mut start, mut at, mut depth) = (Vec::new(), 0, 0, 0usize);
    let mut quote: Option<&[u8]> = None;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if rest.starts_with(open) => {
                at += open.len() - 1;
                quote = None;
            }
            (Some(_), _) => {}
            (None, b'\'' | b'"') => {
                let triple: &[u8] = if byte == b'"' { b"\"\"\"" } else { b"'''" };
                let open = match rest.starts_with(triple) {
                    true => triple,
                    false => triple.get(..1).unwrap_or_default(),
                };
                at += open.len() - 1;
                quote = Some(open);
            }
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b';') if depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_brackets_keep_together() {
        for (text, expected) in [
            ("a=1;b=2;", &[("a", "1"), ("b", "2")][..]),
            ("a=';';b=\"\\\";\"", &[("a", "';'"), ("b", "\"\\\";\"")]),
            (
                "a='''x';y''' ;b=[1;2]",
                &[("a", "'''x';y''' "), ("b", "[1;2]")],
            ),
            ("a='';b=''", &[("a", "''"), ("b", "''")]),
            ("a=)];b=1", &[("a", ")]"), ("b", "1")]),
            (" ; ", &[]),
        ] {
            let found: Result<Vec<_>, _> = ours(text).into_iter().collect();
            assert_eq!(found.unwrap(), expected, "{text}");
        }
        assert!(ours("a=1;b")[1].is_err() && ours("=1")[0].is_err());
    }
}
