use super::Value;
use super::arithmetic::Operator;

/// Computes with two numbers of Python; `None` if they are not both numbers.
pub(super) fn numbers(
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Option<Result<Value, String>> {
    let rank = |value: &Value| match value {
        Value::Bool(_) | Value::Int(_) => Some(0),
        Value::Float(_) => Some(1),
        Value::Complex(_) => Some(2),
        _ => None,
    };
    Some(match rank(left)?.max(rank(right)?) {
        0 => integers(operator, integer(left)?, integer(right)?),
        1 => floats(operator, float(left)?, float(right)?).map(Value::Float),
        _ => complexes(operator, complex(left)?, complex(right)?).map(Value::Complex),
    })
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Int(value) => Some(*value),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        other => integer(other).map(|value| value as f64),
    }
}

fn complex(value: &Value) -> Option<[f64; 2]> {
    match value {
        Value::Complex(parts) => Some(*parts),
        other => float(other).map(|value| [value, 0.0]),
    }
}

fn integers(operator: Operator, left: i128, right: i128) -> Result<Value, String> {
    let by_zero = || "division by zero".to_owned();
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide if right == 0 => return Err(by_zero()),
        Operator::Divide => return Ok(Value::Float(left as f64 / right as f64)),
        Operator::Floor | Operator::Remainder if right == 0 => return Err(by_zero()),
        Operator::Floor => left
            .checked_div(right)
            .map(|quotient| quotient - i128::from(left % right != 0 && (left < 0) != (right < 0))),
        Operator::Remainder => {
            left.checked_rem(right)
                .map(|rest| match rest != 0 && (rest < 0) != (right < 0) {
                    true => rest + right,
                    false => rest,
                })
        }
        Operator::Power if right < 0 => {
            return floats(operator, left as f64, right as f64).map(Value::Float);
        }
        Operator::Power => match (left, u32::try_from(right)) {
            (0 | 1, _) if right > 0 => Some(left),
            (-1, _) => Some(if right % 2 == 0 { 1 } else { -1 }),
            (_, Ok(right)) => left.checked_pow(right),
            _ => None,
        },
    };
    result
        .map(Value::Int)
        .ok_or_else(|| "an integer of more than 127 bits".to_owned())
}

fn floats(operator: Operator, left: f64, right: f64) -> Result<f64, String> {
    let divides = matches!(
        operator,
        Operator::Divide | Operator::Floor | Operator::Remainder
    );
    if divides && right == 0.0 {
        return Err("division by zero".to_owned());
    }
    match operator {
        Operator::Power if left == 0.0 && right < 0.0 => {
            Err("0.0 cannot be raised to a negative power".to_owned())
        }
        Operator::Power
            if left < 0.0 && left.is_finite() && right.is_finite() && right.fract() != 0.0 =>
        {
            Err("a negative number to a power that is no integer is complex".to_owned())
        }
        Operator::Power => match left.powf(right) {
            result if result.is_infinite() && left.is_finite() && right.is_finite() => {
                Err("the result is too large for a float".to_owned())
            }
            result => Ok(result),
        },
        _ => Ok(operator.floats(left, right, |value| value)),
    }
}

fn complexes(operator: Operator, left: [f64; 2], right: [f64; 2]) -> Result<[f64; 2], String> {
    if operator == Operator::Divide && right == [0.0; 2] {
        return Err("division by zero".to_owned());
    }
    operator.complexes(left, right)
}
