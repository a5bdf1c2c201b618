//! Expressions for inputs: `--input_exprs` and `--input_examples`.
//!
//! The stock tool takes literals of Python ([`Grammar::Stock`]). What people write, and what it took
//! before that was made safe, is more: `x=np.ones((1, 28, 28)) / 255`. [`Grammar::Ours`] evaluates
//! that, a part of Python and numpy that cannot do anything but make values:
//!
//! * literals; `+ - * / // % **` and signs on numbers and arrays, with numpy's broadcasting and its
//!   rules for types (NEP 50); `[x] * n`, `a + b` of lists, strings and bytes;
//! * `range`, `list`, `tuple`, and the types `int float complex bool str` as functions;
//! * of numpy, under `np.`, `numpy.` or bare: `array asarray zeros ones full empty arange linspace eye
//!   identity zeros_like ones_like full_like expand_dims reshape`, names of types as functions and as
//!   `dtype=`, the constants `nan inf pi e newaxis`;
//! * `random.rand randn random random_sample uniform normal randint`, from a generator of our own
//!   ([`random`]), whose numbers are those of the seed and not those of numpy;
//! * methods `astype reshape tolist flatten` and the attribute `T`; parts of arrays by integers, slices,
//!   `...` and `None`, as in `image[np.newaxis, ..., ::-1]`;
//! * `@path` or `@"path"`: the bytes of a file.
//!
//! Integers of Python end at 127 bits, `\N{...}` in strings is not read, and powers of floats are those
//! of the C library, which in the last bit may not be numpy's. All else is compared with numpy, to the
//! last bit, by `tests/interop/expressions.py`.
//!
//! Lines end nowhere, and a `;` within quotes or brackets does not end an expression.
//!
//! | part | holds |
//! |---|---|
//! | `value` | [`Value`], what an expression is |
//! | `array`, `elements` | [`Array`], its shape and elements |
//! | `segments` | which key has which expression |
//! | `lexer`, `number`, `string` | text to tokens |
//! | `literal` | the stock grammar |
//! | `parser` | our grammar, evaluated as it is read |
//! | `functions`, `arguments` | functions and methods, and what they are called with |
//! | `sequences`, `draws`, `random` | those that count, and those that draw random numbers |
//! | `arithmetic`, `python_arithmetic` | operators on arrays and on values of Python |
//! | `indexing` | parts of arrays |
//! | `natural`, `promotion`, `cast` | which array a value is, types that meet, and other types |
//! | `fault` | what is wrong, and where |

mod arguments;
mod arithmetic;
mod array;
mod cast;
mod draws;
mod elements;
mod fault;
mod functions;
mod indexing;
mod lexer;
mod literal;
mod natural;
mod number;
mod parser;
mod promotion;
mod python_arithmetic;
mod random;
mod segments;
mod sequences;
mod string;
mod value;

pub(crate) use array::Array;
pub(crate) use cast::{CastError, Loss, cast, first_loss};
pub(crate) use elements::Elements;
pub(crate) use natural::{array_of, leaves_of, objects_of, tuple};
pub(crate) use value::Value;

use crate::failure::Failure;
use fault::Fault;
use functions::Context;

/// Whose language expressions are in, and whose rules for casts hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Grammar {
    /// The stock tool's: literals, and numpy's casts that wrap and cut off.
    Stock,
    /// Ours: expressions, and an error where a number would silently become another.
    Ours,
}

/// The seed of random numbers where none is given.
pub(crate) const DEFAULT_SEED: u64 = 0;

/// So many brackets, signs and calls may be in each other: as many as in Python.
const MAX_DEPTH: usize = 200;

/// Reads `key=expression;key=expression`. Of equal keys the last counts, in the place of the first.
///
/// Random numbers come from one sequence, in the order in which the expressions stand.
///
/// # Errors
///
/// Under [`Grammar::Stock`] in the words of the stock tool, under [`Grammar::Ours`] with the key and
/// the column.
pub(crate) fn parse_inputs(
    text: &str,
    grammar: Grammar,
    seed: u64,
) -> Result<Vec<(String, Value)>, Failure> {
    let segments = match grammar {
        Grammar::Stock => segments::stock(text),
        Grammar::Ours => segments::ours(text),
    };
    let mut context = Context::new(seed);
    let mut inputs: Vec<(String, Value)> = Vec::new();
    for segment in segments {
        let (key, expression) = segment.map_err(|message| Failure::Usage(message.into()))?;
        let value = match grammar {
            Grammar::Stock => literal::parse(expression),
            Grammar::Ours => parser::evaluate(expression, &mut context),
        };
        let value = value.map_err(|fault| refused(key, expression, &fault, grammar))?;
        match inputs.iter_mut().find(|(known, _)| known == key) {
            Some((_, slot)) => *slot = value,
            None => inputs.push((key.to_owned(), value)),
        }
    }
    Ok(inputs)
}

fn refused(key: &str, expression: &str, fault: &Fault, grammar: Grammar) -> Failure {
    if grammar == Grammar::Stock {
        return Failure::Usage(
            format!("Expression \"{expression}\" is not a valid python literal.").into(),
        );
    }
    let before = expression.get(..fault.at).unwrap_or(expression);
    let column = before.chars().count() + 1;
    // So much of the text that the place is found in a long one.
    let start = before.char_indices().rev().nth(19).map_or(0, |(at, _)| at);
    let shown: String = expression
        .get(start..)
        .unwrap_or_default()
        .chars()
        .take(40)
        .collect();
    let shown = shown.trim();
    let place = match start == 0 && shown.len() == expression.trim().len() {
        true => format!("`{shown}`"),
        false => format!("the expression, near `{shown}`"),
    };
    Failure::Usage(format!("input {key}: column {column} of {place}: {}", fault.what).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str, grammar: Grammar) -> String {
        parse_inputs(text, grammar, DEFAULT_SEED)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn keys_have_values() {
        let inputs = parse_inputs("a=3;b=[1.5];a=4;", Grammar::Stock, 0).unwrap();
        let list = Value::List(vec![Value::Float(1.5)]);
        let expected = [("a".to_owned(), Value::Int(4)), ("b".to_owned(), list)];
        assert_eq!(inputs, expected);
        let inputs = parse_inputs(" a = 'x;y=z' ; b = (1;\n2)", Grammar::Ours, 0);
        assert!(
            inputs.is_err(),
            "a bracket with `;` in it is one expression"
        );
        let inputs = parse_inputs(" a = 'x;y=z' ;\n b = 2", Grammar::Ours, 0).unwrap();
        assert_eq!(inputs[0], ("a".to_owned(), Value::Str("x;y=z".into())));
        assert_eq!(inputs[1], ("b".to_owned(), Value::Int(2)));
    }

    #[test]
    fn the_stock_grammar_answers_in_stock_words() {
        assert_eq!(
            refusal("[[1]]", Grammar::Stock),
            "--input_exprs \"[[1]]\" format is incorrect. Please follow\"<input_key>=<python \
             expression>\""
        );
        assert_eq!(
            refusal("x=[1];y", Grammar::Stock),
            "not enough values to unpack (expected 2, got 1)"
        );
        assert_eq!(
            refusal("text=[\"a;b\"]", Grammar::Stock),
            "Expression \"[\"a\" is not a valid python literal."
        );
    }

    #[test]
    fn ours_says_where() {
        for (text, message) in [
            (
                "x=[1, 2",
                "input x: column 6 of `[1, 2`: expected `,` or `]`, found the end",
            ),
            (
                "[[1]]",
                "`[[1]]` names no input; write KEY=EXPRESSION, and `;` between several",
            ),
            ("x=1/0", "input x: column 2 of `1/0`: division by zero"),
        ] {
            assert_eq!(refusal(text, Grammar::Ours), message);
        }
        let long = format!("x=[{}$]", "1, ".repeat(100));
        let message = refusal(&long, Grammar::Ours);
        assert_eq!(
            message,
            "input x: column 302 of the expression, near `, 1, 1, 1, 1, 1, 1, $]`: unexpected `$`"
        );
    }

    fn ours(text: &str, seed: u64) -> Result<Value, String> {
        let inputs = parse_inputs(&format!("x={text}"), Grammar::Ours, seed);
        let mut inputs = inputs.map_err(|failure| failure.to_string())?;
        Ok(inputs.remove(0).1)
    }

    fn array(text: &str, seed: u64) -> Array {
        match ours(text, seed) {
            Ok(Value::Array(array)) => array,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn random_numbers_are_those_of_the_seed() {
        for text in [
            "np.random.rand(2, 3)",
            "np.random.randn(2, 3)",
            "np.random.random((2, 3))",
            "np.random.random_sample(size=[2, 3])",
            "np.random.uniform(-1, 1, (2, 3))",
            "np.random.normal(5.0, 0.5, size=(2, 3))",
            "np.random.randint(0, 1000000, (2, 3))",
            "np.random.randint(1000000, size=(2, 3), dtype='int32')",
        ] {
            let one = array(text, 7);
            assert_eq!(one.shape(), [2, 3], "{text}");
            assert_eq!(one, array(text, 7), "{text}");
            assert_ne!(one, array(text, 8), "{text}");
        }
        let two = parse_inputs("a=np.random.rand();b=np.random.rand()", Grammar::Ours, 7).unwrap();
        assert_ne!(two[0].1, two[1].1, "one sequence for all inputs");
        let dice = array("np.random.randint(1, 7, 1000)", 0);
        let values: Vec<Value> = (0..1000).map(|at| dice.elements().value(at)).collect();
        assert!((1..=6).all(|face| values.contains(&Value::Int(face))));
        assert!(!values.contains(&Value::Int(0)) && !values.contains(&Value::Int(7)));
        assert!(matches!(
            ours("np.random.rand()", 0),
            Ok(Value::Float(0.0..1.0))
        ));
    }

    #[test]
    fn a_file_is_its_bytes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/README.md");
        let bytes = Value::Bytes(std::fs::read(path).unwrap());
        let quoted = format!("[@'{path}', b'a']");
        let expected = Value::List(vec![bytes.clone(), Value::Bytes(b"a".to_vec())]);
        assert_eq!(ours(&quoted, 0).unwrap(), expected);
        if !path.contains(' ') {
            assert_eq!(ours(&format!("@{path}"), 0).unwrap(), bytes);
        }
        let message = ours("@no/such.file", 0).unwrap_err();
        assert!(message.contains("cannot read no/such.file"), "{message}");
    }

    #[test]
    fn nothing_grows_without_bounds() {
        for text in [
            "np.zeros(2**40)",
            "np.zeros((2**20, 2**20))",
            "np.zeros((2**40, 2**40))",
            "[0] * 10**12",
            "[[0] * 10**4] * 10**6",
            "'a' * 2**60",
            "list(range(10**15))",
            "np.arange(1e18)",
            "np.arange(0, 10**18)",
            "np.linspace(0, 1, 10**12)",
            "np.eye(10**9)",
            "np.zeros((2**40, 0)).tolist()",
            "np.random.rand(10**6, 10**6)",
            "np.zeros((2**14, 1)) + np.zeros((1, 2**15))",
            "2**10**10",
            "10**100",
            "(1,) * 2**63",
            "np.zeros((1,) * 65)",
            "np.expand_dims(np.zeros(1), 2**100)",
            "np.ones(2).reshape(2**100, 2**100)",
            "np.arange(-1.6e38, 1.6e38, 1e38, dtype=int) * [1, 2]",
            "np.full(2**20, 'a' * 2**20)",
            "np.full(2**20, b'a' * 2**20)",
            "np.full(2**20, {'a': 'a' * 2**20}, dtype=object)",
            "np.full(1, 'a' * 2**20) * 2**20",
            "np.ones(1).reshape([1] * 100000).tolist()",
            "np.expand_dims(np.ones(1), list(range(100000)))",
            "np.ones((1,) * 64)[None]",
            "[np.full(1, 'a' * 2**20)] * 2**20",
        ] {
            assert!(ours(text, 0).is_err(), "{text}");
        }
        assert!(ours("np.zeros((0, 2**31, 2**31)).T.T.flatten()", 0).is_ok());
        // What comes before a 0 takes nothing, and what goes through a range no list of it.
        for (text, shape) in [
            (
                "np.zeros((2**20, 2**20, 0))[:, 1:]",
                vec![1 << 20, (1 << 20) - 1, 0],
            ),
            (
                "np.zeros((0, 2**31, 2**31, 2**20, 8))[:, -1, -1]",
                vec![0, 1 << 20, 8],
            ),
            ("np.arange(2**25)[::2**20]", vec![32]),
        ] {
            assert_eq!(array(text, 0).shape(), shape, "{text}");
        }
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for grammar in [Grammar::Stock, Grammar::Ours] {
            assert!(parse_inputs(&format!("x={}", nested(200)), grammar, 0).is_ok());
            assert!(parse_inputs(&format!("x={}", nested(201)), grammar, 0).is_err());
            let signs = format!("x={}1", "-".repeat(100_000));
            assert!(parse_inputs(&signs, grammar, 0).is_err());
            let powers = format!("x={}1", "1**".repeat(100_000));
            assert!(parse_inputs(&powers, grammar, 0).is_err());
            let sum = format!("x=1{}", "+1".repeat(100_000));
            assert_eq!(
                parse_inputs(&sum, grammar, 0).is_ok(),
                grammar == Grammar::Ours
            );
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        const PARTS: [&str; 50] = [
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "=",
            ";",
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "**",
            ".",
            "1",
            "0",
            "-1",
            "2.5",
            "1j",
            "1e999",
            "'a'",
            "b'\\xff'",
            "True",
            "None",
            "...",
            "np.nan",
            "np.array(",
            "np.zeros(",
            "np.arange(",
            "np.linspace(",
            "np.reshape(",
            "np.eye(",
            "np.expand_dims(",
            "np.random.randint(",
            ".astype(",
            ".reshape(",
            ".T",
            "dtype=",
            "np.int8",
            "170141183460469231731687303715884105727",
            "[1,2]",
            "(2,0)",
            "'é\\",
            "range(",
            "np.ones((2,3))[",
            "::",
        ];
        let mut random = random::Random::new(3);
        for _ in 0..5_000 {
            let count = 1 + random.below(Some(9));
            let mut text = "x=".to_owned();
            for _ in 0..count {
                text.push_str(PARTS[random.below(Some(PARTS.len() as u64)) as usize]);
            }
            let open: Vec<char> = text.chars().filter(|c| "([".contains(*c)).collect();
            let closed = text.clone()
                + &open
                    .iter()
                    .rev()
                    .map(|c| if *c == '(' { ')' } else { ']' })
                    .collect::<String>();
            for text in [text, closed] {
                for grammar in [Grammar::Stock, Grammar::Ours] {
                    if let Ok(inputs) = parse_inputs(&text, grammar, 0) {
                        inputs.iter().for_each(|(_, value)| drop(array_of(value)));
                    }
                }
            }
        }
    }
}
