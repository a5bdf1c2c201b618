use super::*;
use crate::tensor::DType;

fn text(tensor: &Tensor) -> String {
    ArrayText::new(tensor).unwrap().to_string()
}

#[test]
fn rows_are_wrapped_before_what_would_be_too_long() {
    let tensor = Tensor::from_slice([1, 30], &(0..30).collect::<Vec<i64>>()).unwrap();
    let first = "[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23";
    assert_eq!(text(&tensor), format!("{first}\n  24 25 26 27 28 29]]"));
}

#[test]
fn the_middles_of_long_axes_are_left_out() {
    let tensor = Tensor::from_slice([501, 2], &(0..1002).collect::<Vec<i16>>()).unwrap();
    assert_eq!(
        text(&tensor),
        "[[   0    1]\n [   2    3]\n [   4    5]\n ...\n [ 996  997]\n [ 998  999]\n [1000 1001]]"
    );
    // What is left out has no say in how wide columns are.
    let mut values = vec![1.0; 1001];
    values[500] = 1e30;
    let tensor = Tensor::from_slice([1001], &values).unwrap();
    assert_eq!(text(&tensor), "[1. 1. 1. ... 1. 1. 1.]");
}

#[test]
fn dimensions_beside_a_0_cost_nothing() {
    let tensor = Tensor::from_slice::<f32>([1u64 << 40, 0], &[]).unwrap();
    assert_eq!(text(&tensor), "[]");
}

#[test]
fn halfway_between_two_numbers_of_fewest_digits_is_the_even_one() {
    assert_eq!(
        text(&Tensor::scalar(1_125_899_906_842_624.25)),
        "1125899906842624.2"
    );
    assert_eq!(text(&Tensor::scalar(2_097_152.25f32)), "2.0971522e+06");
}

#[test]
fn byte_strings_are_literals() {
    let tensor = Tensor::from_strings([3], [&b"it's"[..], b"\"'", b"\xff\n\\\x7f"]).unwrap();
    assert_eq!(text(&tensor), r#"[b"it's" b'"\'' b'\xff\n\\\x7f']"#);
}

#[test]
fn quantized_numbers_are_structures() {
    let tensor = Tensor::from_bytes(DType::QINT8, [2], vec![1, 0x9c]).unwrap();
    assert_eq!(text(&tensor), "[(   1,) (-100,)]");
}

#[test]
fn what_numpy_has_no_arrays_of_is_refused() {
    let handles = [""; 1].into_iter().collect();
    let tensor = Tensor::from_opaque(DType::RESOURCE, [1], handles).unwrap();
    let error = ArrayText::new(&tensor).unwrap_err().to_string();
    assert_eq!(
        error,
        "numpy has no arrays of resource, so they have no text"
    );
}
