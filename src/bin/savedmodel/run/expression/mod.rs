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
//! * methods `astype reshape tolist flatten` and the attribute `T`;
//! * `@path` or `@"path"`: the bytes of a file.
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
//! | `functions`, `arguments`, `random` | functions and methods, and what they are called with |
//! | `arithmetic`, `python_arithmetic` | operators on arrays and on values of Python |
//! | `natural`, `promotion`, `cast` | which array a value is, types that meet, and other types |
//! | `fault` | what is wrong, and where |

mod arguments;
mod arithmetic;
mod array;
mod cast;
mod elements;
mod fault;
mod functions;
mod lexer;
mod literal;
mod natural;
mod number;
mod parser;
mod promotion;
mod python_arithmetic;
mod random;
mod segments;
mod string;
mod value;

pub(crate) use array::Array;
pub(crate) use cast::{CastError, cast, first_loss};
pub(crate) use elements::Elements;
pub(crate) use natural::{array_of, objects_of, tuple};
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
                "input x: column 7 of `[1, 2`: expected `,` or `]`, found the end",
            ),
            (
                "[[1]]",
                "--input_exprs \"[[1]]\" format is incorrect. Please follow\"<input_key>=<python expression>\"",
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
}
