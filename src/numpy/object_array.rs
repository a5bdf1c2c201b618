use std::io::{self, Write};

use crate::tensor::{Shape, Strings};

/// Writes the pickle of an object array of byte strings, as `np.save` does: protocol 4, framed as
/// CPython's own pickler frames (`Modules/_pickle.c`).
///
/// An object that stands in a pickle for the second time is a reference to the first, and CPython
/// has only one object for the empty byte string and one for each of a single byte.
pub(super) fn write(target: &mut impl Write, elements: &Strings, shape: &Shape) -> io::Result<()> {
    let mut pickle = Pickle {
        target,
        frame: Vec::new(),
        memo: 0,
        short: [None; 257],
    };
    pickle.target.write_all(&[0x80, 4])?; // PROTO
    pickle.reconstruct();
    pickle.frame.push(b'('); // MARK: the state of the array
    pickle.integer(1); // version
    pickle.shape(shape);
    pickle.object_dtype();
    pickle.frame.push(0x89); // NEWFALSE: not in Fortran order
    pickle.list(elements)?;
    pickle.push_memoized(b"t"); // TUPLE from the mark
    pickle.frame.extend(b"b."); // BUILD, STOP
    pickle.end_frame()
}

/// A frame that has reached so many bytes is ended before the next object; a byte string of so many
/// stands outside of any.
const FRAME: usize = 64 << 10;
/// Frames below this are written without saying so.
const SHORTEST_FRAME: usize = 4;
/// So many elements are added to a list at once.
const BATCH: usize = 1000;

struct Pickle<'t, W> {
    target: &'t mut W,
    frame: Vec<u8>,
    /// How many objects were memoized.
    memo: u32,
    /// Where those are that CPython has only one of: the empty string, and each byte behind it.
    short: [Option<u32>; 257],
}

impl<W: Write> Pickle<'_, W> {
    /// Puts `numpy._core.multiarray._reconstruct(numpy.ndarray, (0,), b'b')`, an array to be filled.
    fn reconstruct(&mut self) {
        self.text("numpy._core.multiarray");
        self.text("_reconstruct");
        self.push_memoized(&[0x93]); // STACK_GLOBAL
        self.text("numpy");
        self.text("ndarray");
        self.push_memoized(&[0x93]);
        self.integer(0);
        self.push_memoized(&[0x85]); // TUPLE1
        self.short[1 + usize::from(b'b')] = Some(self.memo);
        self.push_memoized(b"C\x01b"); // SHORT_BINBYTES
        self.push_memoized(&[0x87]); // TUPLE3
        self.push_memoized(b"R"); // REDUCE
    }

    /// Puts `numpy.dtype('O8', False, True)` with its state.
    fn object_dtype(&mut self) {
        self.reference(3); // "numpy"
        self.text("dtype");
        self.push_memoized(&[0x93]);
        self.text("O8");
        self.frame.extend([0x89, 0x88]); // NEWFALSE, NEWTRUE
        self.push_memoized(&[0x87]);
        self.push_memoized(b"R");
        self.frame.push(b'(');
        self.integer(3); // version
        self.text("|");
        self.frame.extend(b"NNN"); // NONE: no subarray, names or fields
        self.frame.extend(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff"); // BININT: size and alignment unsaid
        self.integer(63); // flags of objects
        self.push_memoized(b"t");
        self.frame.push(b'b');
    }

    fn shape(&mut self, shape: &Shape) {
        let dims = shape.dims();
        match dims.len() {
            0 => return self.frame.push(b')'), // EMPTY_TUPLE
            1..=3 => {}
            _ => self.frame.push(b'('),
        }
        for &dim in dims {
            self.integer(dim);
        }
        match dims.len() {
            few @ 1..=3 => self.push_memoized(&[0x84 + few as u8]),
            _ => self.push_memoized(b"t"),
        }
    }

    fn list(&mut self, elements: &Strings) -> io::Result<()> {
        self.push_memoized(b"]"); // EMPTY_LIST
        if elements.len() == 1 {
            self.byte_string(&elements[0])?;
            self.frame.push(b'a'); // APPEND
            return Ok(());
        }
        let mut left = elements.len();
        for (index, element) in elements.iter().enumerate() {
            if index % BATCH == 0 {
                self.frame.push(b'(');
            }
            self.byte_string(element)?;
            left -= 1;
            if left == 0 || (index + 1) % BATCH == 0 {
                self.frame.push(b'e'); // APPENDS
            }
        }
        Ok(())
    }

    fn byte_string(&mut self, element: &[u8]) -> io::Result<()> {
        if self.frame.len() >= FRAME {
            self.end_frame()?;
        }
        let short = match element {
            [] => Some(0),
            [byte] => Some(1 + usize::from(*byte)),
            _ => None,
        };
        if let Some(memo) = short.and_then(|short| self.short[short]) {
            self.reference(memo);
            return Ok(());
        }
        if let Some(short) = short {
            self.short[short] = Some(self.memo);
        }
        let length = element.len();
        let header = match (u8::try_from(length), u32::try_from(length)) {
            (Ok(length), _) => vec![b'C', length], // SHORT_BINBYTES
            (_, Ok(length)) => [&b"B"[..], &length.to_le_bytes()].concat(), // BINBYTES
            _ => [&[0x8e][..], &(length as u64).to_le_bytes()].concat(), // BINBYTES8
        };
        if length >= FRAME {
            self.end_frame()?;
            self.target.write_all(&header)?;
            self.target.write_all(element)?;
        } else {
            self.frame.extend(header);
            self.frame.extend(element);
        }
        self.push_memoized(&[]);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.frame.extend([0x8c, text.len() as u8]); // SHORT_BINUNICODE
        self.push_memoized(text.as_bytes());
    }

    fn integer(&mut self, number: u64) {
        match (
            u8::try_from(number),
            u16::try_from(number),
            i32::try_from(number),
        ) {
            (Ok(number), ..) => self.frame.extend([b'K', number]), // BININT1
            (_, Ok(number), _) => {
                self.frame.push(b'M'); // BININT2
                self.frame.extend(number.to_le_bytes());
            }
            (.., Ok(number)) => {
                self.frame.push(b'J'); // BININT
                self.frame.extend(number.to_le_bytes());
            }
            _ => {
                // With the sign, in as few bytes as do.
                let length = 8 - (number.leading_zeros() as usize - 1) / 8;
                self.frame.extend([0x8a, length as u8]); // LONG1
                self.frame.extend(&number.to_le_bytes()[..length]);
            }
        }
    }

    /// Puts opcodes that leave an object, and has it remembered.
    fn push_memoized(&mut self, opcodes: &[u8]) {
        self.frame.extend(opcodes);
        self.frame.push(0x94); // MEMOIZE
        self.memo += 1;
    }

    fn reference(&mut self, memo: u32) {
        match u8::try_from(memo) {
            Ok(memo) => self.frame.extend([b'h', memo]), // BINGET
            Err(_) => {
                self.frame.push(b'j'); // LONG_BINGET
                self.frame.extend(memo.to_le_bytes());
            }
        }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.frame.len() >= SHORTEST_FRAME {
            self.target.write_all(&[0x95])?; // FRAME
            self.target
                .write_all(&(self.frame.len() as u64).to_le_bytes())?;
        }
        self.target.write_all(&self.frame)?;
        self.frame.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `np.save` writes of `np.array([b"ab", b"c"], object)`, in the tests of the command line
    /// tool as well.
    #[test]
    fn a_pickle_byte_by_byte() {
        let mut expected = b"\x80\x04\x95\x93\0\0\0\0\0\0\0".to_vec();
        expected.extend(b"\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94");
        expected.extend(
            b"\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\0\x85\x94C\x01b\x94\x87\x94R\x94",
        );
        expected.extend(
            b"(K\x01K\x02\x85\x94h\x03\x8c\x05dtype\x94\x93\x94\x8c\x02O8\x94\x89\x88\x87\x94R\x94",
        );
        expected.extend(b"(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?t\x94b");
        expected.extend(b"\x89]\x94(C\x02ab\x94C\x01c\x94et\x94b.");
        let strings = ["ab", "c"].into_iter().collect();
        let mut written = Vec::new();
        write(&mut written, &strings, &Shape::new(&[2]).unwrap()).unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn short_strings_are_there_once() {
        let strings: Strings = ["b", "", "", "c", "c"].into_iter().collect();
        let mut written = Vec::new();
        write(&mut written, &strings, &Shape::new(&[5]).unwrap()).unwrap();
        let end = b"(h\x07C\0\x94h\x13C\x01c\x94h\x14et\x94b.";
        assert!(written.ends_with(end), "{}", written.escape_ascii());
    }
}
