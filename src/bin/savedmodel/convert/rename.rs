use std::str::FromStr;

/// A rule for names: what they begin with, or look like, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rename {
    from: Vec<u8>,
    to: Vec<u8>,
    /// As it was given.
    text: String,
}

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((from, to)) = text.split_once('=') else {
            return Err("a rule is FROM=TO".to_owned());
        };
        if from.is_empty() && to.is_empty() {
            return Err("a rule that says nothing".to_owned());
        }
        let stars = |text: &str| text.matches('*').count();
        if stars(from) != stars(to) {
            return Err("FROM and TO have the same number of `*`".to_owned());
        }
        Ok(Rename {
            from: from.into(),
            to: to.into(),
            text: text.to_owned(),
        })
    }
}

impl std::fmt::Display for Rename {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Rename {
    /// Returns the new name; `None` for a name that the rule is not for.
    pub(crate) fn apply(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut parts = self.from.split(|byte| *byte == b'*');
        let mut rest = key.strip_prefix(parts.next().unwrap_or_default())?;
        let parts: Vec<&[u8]> = parts.collect();
        let Some((last, inner)) = parts.split_last() else {
            return Some([&self.to, rest].concat());
        };
        // The last part stands at the end; the others are where they come first.
        let mut texts = Vec::new();
        for part in inner {
            let at = match part.len() {
                0 => 0,
                len => rest.windows(len).position(|window| window == *part)?,
            };
            let (text, behind) = rest.split_at(at);
            texts.push(text);
            rest = behind.strip_prefix(*part)?;
        }
        texts.push(rest.strip_suffix(*last)?);
        let mut renamed = Vec::new();
        let mut texts = texts.into_iter();
        for byte in &self.to {
            match byte {
                b'*' => renamed.extend_from_slice(texts.next().unwrap_or_default()),
                byte => renamed.push(*byte),
            }
        }
        Some(renamed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (rule, key, expected) in [
            ("layer/=dense/", "layer/kernel", Some("dense/kernel")),
            ("layer/=", "layer/kernel", Some("kernel")),
            ("=model/", "kernel", Some("model/kernel")),
            ("layer/=dense/", "other/layer/kernel", None),
            (
                "*/.ATTRIBUTES/VARIABLE_VALUE=*",
                "a/b/.ATTRIBUTES/VARIABLE_VALUE",
                Some("a/b"),
            ),
            ("*/VALUE=*", "a/b", None),
            ("a*c*e=*-*", "abcde", Some("b-d")),
            ("a*c*e=*-*", "ace", Some("-")),
            ("a*b=x*", "ab/b", Some("xb/")),
            ("*=*", "same", Some("same")),
            ("**=<*|*>", "ab", Some("<|ab>")),
            ("模型/=m/", "模型/k", Some("m/k")),
        ] {
            let rule: Rename = rule.parse().unwrap();
            let renamed = rule.apply(key.as_bytes());
            assert_eq!(
                renamed.as_deref(),
                expected.map(str::as_bytes),
                "{rule:?} {key}"
            );
        }
        for rule in ["", "a", "=", "*=b", "a=*", "*/*=*"] {
            assert!(rule.parse::<Rename>().is_err(), "{rule}");
        }
    }
}
