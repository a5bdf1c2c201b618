//! Values that Python pickled, read without Python.
//!
//! ```text
//! \x80 4             PROTO: the version, 0 to 5
//! \x95 …             FRAME: how long the part is that follows
//! ] \x94             EMPTY_LIST, MEMOIZE: put a list on the stack, number it
//! K 5  a             BININT1, APPEND: put a 5, add it to the list
//! .                  STOP: what is on the stack is the value
//! ```
//!
//! A pickle is a program: it may name any function of any package, and has Python call it. Of the
//! names [`Global`](global::Global) are read, with which arrays are made; any other is refused. What
//! is called is not numpy's code but ours, on [objects](object::Object) of a few kinds.
//!
//! The opcodes are those of `Lib/pickletools.py` of CPython, what arrays are made of that of
//! `array_reduce_ex` and `array_setstate` in numpy (`numpy/_core/src/multiarray/methods.c`).

mod array;
mod budget;
mod code;
mod global;
mod machine;
mod memo;
mod object;
mod tree;
mod value;

pub use value::PickledValue;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Result};
    use crate::store::Blob;
    use crate::tensor::{DType, Tensor};

    fn read(pickle: impl AsRef<[u8]>) -> Result<PickledValue> {
        PickledValue::read(&Blob::from_bytes(pickle.as_ref().to_vec()))
    }

    fn refusal(pickle: impl AsRef<[u8]>) -> String {
        let error = read(pickle).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unsupported { .. }),
            "{error}"
        );
        error.to_string()
    }

    fn fault(pickle: impl AsRef<[u8]>) -> String {
        let error = read(pickle).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{error}"
        );
        error.to_string()
    }

    #[test]
    fn names_of_other_things_are_refused_where_they_stand() {
        let name = "posix.system is not read: of what a pickle can name only the parts of numpy's";
        for (pickle, at) in [
            (&b"cposix\nsystem\n(S'echo hi'\ntR."[..], 0),
            (
                b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x07echo hi\x85R.",
                17,
            ),
            (b"\x80\x02(S'echo hi'\niposix\nsystem\n.", 14),
        ] {
            let error = refusal(pickle);
            assert!(
                error.starts_with(&format!("at byte {at}: {name}")),
                "{error}"
            );
        }
        for (module, name) in [
            ("builtins", "eval"),
            ("__builtin__", "getattr"),
            ("numpy", "load"),
            ("numpy.core.multiarray", "fromfile"),
            ("numpy._core.multiarray", "_reconstruct.__globals__"),
            ("_codecs", "decode"),
            ("collections", "OrderedDict"),
            ("os\u{202e}", "system"),
        ] {
            let error = refusal(format!("c{module}\n{name}\n."));
            assert!(error.contains("is not read: of what"), "{error}");
            assert!(!error.contains('\u{202e}'));
        }
    }

    #[test]
    fn what_is_no_plain_value_is_refused() {
        for (pickle, message) in [
            (
                &b"cnumpy\nndarray\n."[..],
                "a function or a class is no value",
            ),
            (
                b"c_codecs\nencode\n(V\\u65e5\nVutf-8\ntR.",
                "Encode is called with what numpy does not",
            ),
            (
                b"c__builtin__\nbytes\n(I5\ntR.",
                "Bytes is called with what numpy does not",
            ),
            (b"(cnumpy\nndarray\no.", "an object of a class is not read"),
            (
                b"cnumpy\nndarray\n)\x81.",
                "an object of a class is not read",
            ),
            (b"\x82\x01.", "a name that only the writer's registry has"),
            (b"Pfile\n.", "an object that is outside of the pickle"),
            (b"\x8f.", "a set is not read"),
            (b"\x97.", "a buffer that is outside of the pickle"),
            (b"\x80\x06.", "protocol 6 of pickles"),
            (
                b"\x8a\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01.",
                "beyond 128 bits",
            ),
            (b"]}b.", "a state is set of what is neither"),
        ] {
            let error = refusal(pickle);
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn damaged_pickles_are_placed() {
        for (pickle, message) in [
            (&b""[..], "at byte 0: the pickle ends"),
            (b"]q", "at byte 1: the pickle ends"),
            (b".", "at byte 0: the stack of the pickle is empty"),
            (b"(.", "at byte 1: the stack of the pickle is empty"),
            (b"]\x86.", "at byte 1: the stack of the pickle is empty"),
            (b"t.", "at byte 0: the stack of the pickle has no mark"),
            (
                b"h\x00.",
                "at byte 0: object 0 is meant, which was not remembered",
            ),
            (b"(NNNd.", "at byte 4: a dict has a key without a value"),
            (
                b"NNa.",
                "at byte 2: something is added to what is no container",
            ),
            (b")Na.", "at byte 2: something is added to what is no list"),
            (
                b"X\xff\xff\xff\xffab.",
                "at byte 0: 4294967295 bytes belong here, and 3 are left",
            ),
            (b"\x8c\x01\xff.", "at byte 0: a text that is no Unicode"),
            (b"V\\ud800\n.", "at byte 0: a text that is no Unicode"),
            (b"I12x\n.", "at byte 0: `12x` is no whole number"),
            (b"\xff.", "at byte 0: the byte 0xff is no opcode"),
            (b"cnumpy\ndtype\n(Vf3\ntRNb.", "x"),
        ] {
            match message {
                "x" => drop(read(pickle).unwrap_err()),
                _ => {
                    let error = fault(pickle);
                    assert!(error.starts_with(message), "{error}");
                }
            }
        }
    }

    #[test]
    fn whole_numbers_have_up_to_128_bits() {
        let int = |pickle: &[u8]| match read(pickle).unwrap() {
            PickledValue::Int(number) => number,
            other => panic!("{other:?}"),
        };
        assert_eq!(int(b"\x8a\x00."), 0);
        assert_eq!(int(b"\x8a\x01\xff."), -1);
        assert_eq!(int(b"\x8a\x02\xff\x00."), 255);
        assert_eq!(
            int(b"L-340282366920938463463374607431L\n."),
            -340_282_366_920_938_463_463_374_607_431
        );
        assert_eq!(int(b"J\xfe\xff\xff\xff."), -2);
        assert_eq!(read(b"I01\n.").unwrap(), PickledValue::Bool(true));
        assert!(refusal(b"L170141183460469231731687303715884105728L\n.").contains("beyond"));
        assert!(
            refusal([&b"\x8a\x11"[..], &[0; 15], &[0x80, 0], b"."].concat()).contains("beyond")
        );
    }

    #[test]
    fn complex_numbers_are_arrays_of_no_dimensions() {
        let number = Tensor::scalar([1.5f64, -2.0]);
        for module in ["__builtin__", "builtins"] {
            let pickle = format!("c{module}\ncomplex\n(F1.5\nF-2\ntR.");
            assert_eq!(read(pickle).unwrap(), PickledValue::Array(number.clone()));
        }
        assert!(refusal(b"cbuiltins\ncomplex\n(V1j\ntR.").contains("Complex is called with"));
    }

    #[test]
    fn strings_of_python_2_are_text_where_they_can_be() {
        assert_eq!(
            read(b"S'it\\'s\\x41'\n.").unwrap(),
            PickledValue::Str("it'sA".to_owned())
        );
        assert_eq!(
            read(b"U\x02\xff\xfe.").unwrap(),
            PickledValue::Bytes((&b"\xff\xfe"[..]).into())
        );
        assert_eq!(
            read(b"V\\ud83e\\udd80\xe9\n.").unwrap(),
            PickledValue::Str("🦀é".to_owned())
        );
    }

    /// What `pickle.dumps(array, 2)` begins an array with, up to the type of its elements.
    const ARRAY: &[u8] =
        b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01";

    #[test]
    fn types_of_ml_dtypes_are_read_by_their_names() {
        let array = |name: &str, order: &str, data: &str| {
            let mut pickle = ARRAY.to_vec();
            pickle.extend(b"(K\x02tcnumpy\ndtype\n");
            pickle.extend(
                format!("cml_dtypes\n{name}\n\u{89}\u{88}")
                    .chars()
                    .map(|c| c as u8),
            );
            pickle.extend(
                format!("\u{87}R(K\u{3}V{order}\nNNNK\u{2}K\u{2}K@tb\u{89}")
                    .chars()
                    .map(|c| c as u8),
            );
            pickle.extend(b"c_codecs\nencode\n(V");
            pickle.extend(data.as_bytes());
            pickle.extend(b"\nVlatin1\ntRtb.");
            read(pickle)
        };
        let two = |dtype, bytes: &[u8]| {
            PickledValue::Array(Tensor::from_bytes(dtype, [2], bytes.to_vec()).unwrap())
        };
        let halves = two(DType::BFLOAT16, &[0x80, 0x3f, 0, 0x40]);
        assert_eq!(array("bfloat16", "<", "\\u0080?\\u0000@").unwrap(), halves);
        assert_eq!(array("bfloat16", ">", "?\\u0080@\\u0000").unwrap(), halves);
        assert_eq!(array("int4", "<", "ab").unwrap(), two(DType::INT4, b"ab"));
        for name in ["float32", "string", "finfo", "BFLOAT16", "DT_BFLOAT16"] {
            let error = refusal(format!("cml_dtypes\n{name}\n."));
            assert!(error.contains("is not read: of what"), "{error}");
        }
        // Alone, a type is no value.
        assert!(refusal("cml_dtypes\nbfloat16\n.").contains("no value"));
    }

    #[test]
    fn arrays_of_objects_are_their_objects() {
        let array = |dims: &[u8], list: &[u8]| {
            let kind = b"tcnumpy\ndtype\n(VO8\n\x89\x88tR\x89";
            read([ARRAY, b"(", dims, kind, list, b"tb."].concat())
        };
        let Ok(PickledValue::Objects { shape, elements }) = array(b"K\x01K\x02", b"](K\x07]e")
        else {
            panic!()
        };
        assert_eq!(shape.dims(), [1, 2]);
        assert_eq!(elements, [PickledValue::Int(7), PickledValue::List(vec![])]);
        let strings = Tensor::from_strings([2], ["a", "b"]).unwrap();
        let read = array(b"K\x02", b"](Va\nU\x01be").unwrap();
        assert_eq!(read, PickledValue::Array(strings));
        for list in [&b"](K\x07e"[..], b"](K\x07K\x07K\x07e", b"](Va\ne", b"]"] {
            array(b"K\x02", list).unwrap_err();
        }
        // A list that grows after the array was made of it.
        let grown = array(b"K\x01", b"]q\x00K\x07a").map(drop);
        assert!(grown.is_ok(), "{grown:?}");
        let pickle = [
            ARRAY,
            b"(K\x01tcnumpy\ndtype\n(VO8\n\x89\x88tR\x89]q\x00K\x07atbh\x00K\x08a0.",
        ]
        .concat();
        assert!(fault(pickle).contains("has 2 elements"));
        let (start, state) = ARRAY.split_at(ARRAY.len() - 3);
        let kind = b"(K\x01tcnumpy\ndtype\n(VO8\n\x89\x88tR\x89]h\x00atb.";
        let itself = refusal([start, b"q\x00", state, kind].concat());
        assert!(itself.contains("an array contains itself"), "{itself}");
    }

    #[test]
    fn what_stands_in_a_pickle_once_is_explained_by_it() {
        // As many truth values as a mask of an image has.
        let mut pickle = b"](".to_vec();
        pickle.extend(b"\x88".repeat(3 << 20));
        pickle.extend(b"e.");
        let Ok(PickledValue::List(list)) = read(pickle) else {
            panic!()
        };
        assert_eq!(list.len(), 3 << 20);
    }

    #[test]
    fn circles_and_towers_are_refused() {
        assert!(refusal(b"]q\x00h\x00a.").contains("a list contains itself"));
        assert!(refusal(b"]q\x00(h\x00ta.").contains("contains itself"));
        assert!(
            refusal([&[b']'; 200][..], &[b'a'; 199], b"."].concat()).contains("deeper than 128")
        );
    }

    #[test]
    fn what_is_meant_many_times_is_bounded() {
        // Each list has the one before it ten times.
        let mut bomb = b"]q\x00".to_vec();
        for level in 0..30 {
            bomb.push(b']');
            bomb.extend([b'q', level + 1, b'(']);
            bomb.extend([b'h', level].repeat(10));
            bomb.push(b'e');
        }
        bomb.push(b'.');
        let error = read(bomb).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::TooLarge { .. }),
            "{error}"
        );
        // A long text many times.
        let mut bomb = b"(X\x00\x00\x10\x00".to_vec();
        bomb.resize(bomb.len() + (1 << 20), b'a');
        bomb.extend(b"q\x00");
        bomb.extend(b"h\x00".repeat(1000));
        bomb.extend(b"t.");
        let error = read(bomb).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::TooLarge { .. }),
            "{error}"
        );
    }
}
