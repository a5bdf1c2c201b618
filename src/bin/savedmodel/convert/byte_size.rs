use std::str::FromStr;

/// A number of bytes as users write it: `5GB`, `500 MiB`, `1000000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_uppercase();
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let bytes = match (number.parse::<u64>(), unit) {
            (Ok(number), Some((_, size))) => number.checked_mul(*size),
            _ => None,
        };
        match bytes {
            Some(bytes @ 1..) => Ok(ByteSize(bytes)),
            _ => Err("a size is a number of bytes, or of KB, MB, GB, KiB, MiB, GiB".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("5GB", 5_000_000_000),
            ("2 GiB", 2 << 30),
            ("100", 100),
            ("7kb", 7000),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "0", "GB", "-1", "5XB", "1.5GB", "99999999999TB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
