//! FarmHash's `Fingerprint64`, the hash TensorFlow calls `Fingerprint64`, and how it joins two.
//!
//! The hash never changes between releases or machines. Up to 64 bytes are mixed by length; longer
//! input goes through a state of seven words, a block of 64 bytes at a time, and ends in one more
//! round over its last 64 bytes, which may overlap the block before.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const SEED: u64 = 81;
const BLOCK: usize = 64;
/// So much is held before it is hashed: messages in order come in pieces far shorter than a block.
const HELD: usize = 16 * BLOCK;

/// Hashes bytes with FarmHash's `Fingerprint64`, as `tf.fingerprint` does.
///
/// ```
/// use savedmodel::fingerprint::fingerprint64;
///
/// assert_eq!(fingerprint64(b""), 0x9ae1_6a3b_2f90_404f);
/// ```
///
/// TensorFlow has it in `tensorflow/core/platform/fingerprint.h`.
pub fn fingerprint64(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=BLOCK => short(bytes),
        _ => {
            let mut hasher = Fingerprint64::new();
            hasher.update(bytes);
            hasher.finish()
        }
    }
}

/// Joins two hashes; the order counts.
///
/// TensorFlow has it as `FingerprintCat64` in `tensorflow/core/platform/fingerprint.h`.
pub fn fingerprint_cat64(a: u64, b: u64) -> u64 {
    const MUL: u64 = 0xc6a4_a793_5bd1_e995;
    let mut joined = a ^ MUL;
    joined ^= shift_mix(b.wrapping_mul(MUL)).wrapping_mul(MUL);
    joined = joined.wrapping_mul(MUL);
    joined = shift_mix(joined).wrapping_mul(MUL);
    shift_mix(joined)
}

/// [`fingerprint64`] of bytes that come in pieces.
///
/// ```
/// use savedmodel::fingerprint::{Fingerprint64, fingerprint64};
///
/// let mut hasher = Fingerprint64::new();
/// hasher.update(b"saved");
/// hasher.update(b"_model");
/// assert_eq!(hasher.finish(), fingerprint64(b"saved_model"));
/// ```
#[derive(Clone, Debug)]
pub struct Fingerprint64 {
    state: State,
    /// The block hashed last, and the bytes after it: at least one, once there was one, because
    /// the last block of all is hashed in its own way.
    tail: [u8; BLOCK + HELD],
    /// How many bytes after the block are there.
    held: usize,
    /// Of all bytes so far.
    len: u64,
}

impl Fingerprint64 {
    /// Starts with no bytes.
    pub fn new() -> Self {
        Fingerprint64 {
            state: State::new(),
            tail: [0; BLOCK + HELD],
            held: 0,
            len: 0,
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.len = self.len.wrapping_add(bytes.len() as u64);
        let free = HELD - self.held;
        if bytes.len() <= free {
            self.hold(bytes);
            return;
        }
        let (fits, rest) = bytes.split_at(free);
        self.hold(fits);
        bytes = rest;
        for at in (BLOCK..=HELD).step_by(BLOCK) {
            self.state.block(block(&self.tail, at));
        }
        self.tail.copy_within(HELD.., 0);
        self.held = 0;
        // Blocks are hashed where they lie, but for what may be the last.
        let mut last = None;
        while bytes.len() > BLOCK {
            let Some((block, rest)) = bytes.split_first_chunk::<BLOCK>() else {
                break;
            };
            self.state.block(block);
            last = Some(block);
            bytes = rest;
        }
        if let Some(block) = last {
            self.tail[..BLOCK].copy_from_slice(block);
        }
        self.hold(bytes);
    }

    /// Returns the hash of all bytes so far.
    pub fn finish(&self) -> u64 {
        if self.len <= BLOCK as u64 {
            return short(&self.tail[BLOCK..BLOCK + self.held]);
        }
        let mut state = self.state.clone();
        for at in (BLOCK..self.held).step_by(BLOCK) {
            state.block(block(&self.tail, at));
        }
        state.finish(block(&self.tail, self.held), self.len)
    }

    fn hold(&mut self, bytes: &[u8]) {
        let start = BLOCK + self.held;
        self.tail[start..start + bytes.len()].copy_from_slice(bytes);
        self.held += bytes.len();
    }
}

impl Default for Fingerprint64 {
    fn default() -> Self {
        Self::new()
    }
}

/// The block that starts at `at`, which is at most [`HELD`].
fn block(tail: &[u8; BLOCK + HELD], at: usize) -> &[u8; BLOCK] {
    match tail[at..].first_chunk() {
        Some(block) => block,
        None => &[0; BLOCK],
    }
}

/// The state for more than 64 bytes.
#[derive(Clone, Debug)]
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
    /// Whether the first word is in.
    begun: bool,
}

impl State {
    fn new() -> Self {
        let y = SEED.wrapping_mul(K1).wrapping_add(113);
        State {
            x: SEED.wrapping_mul(K2),
            y,
            z: shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2),
            v: (0, 0),
            w: (0, 0),
            begun: false,
        }
    }

    #[inline]
    fn block(&mut self, block: &[u8; BLOCK]) {
        if !self.begun {
            self.begun = true;
            self.x = self.x.wrapping_add(word(block, 0));
        }
        self.round(block, K1, 1);
    }

    fn finish(mut self, last: &[u8; BLOCK], len: u64) -> u64 {
        let mul = K1.wrapping_add((self.z & 0xff) << 1);
        self.w.0 = self.w.0.wrapping_add((len - 1) & (BLOCK as u64 - 1));
        self.v.0 = self.v.0.wrapping_add(self.w.0);
        self.w.0 = self.w.0.wrapping_add(self.v.0);
        self.round(last, mul, 9);
        let a = mix_pair(self.v.0, self.w.0, mul)
            .wrapping_add(shift_mix(self.y).wrapping_mul(K0))
            .wrapping_add(self.z);
        let b = mix_pair(self.v.1, self.w.1, mul).wrapping_add(self.x);
        mix_pair(a, b, mul)
    }

    #[inline]
    fn round(&mut self, block: &[u8; BLOCK], mul: u64, factor: u64) {
        let State { x, y, z, v, w, .. } = self;
        *x = x
            .wrapping_add(*y)
            .wrapping_add(v.0)
            .wrapping_add(word(block, 8))
            .rotate_right(37)
            .wrapping_mul(mul);
        *y = y
            .wrapping_add(v.1)
            .wrapping_add(word(block, 48))
            .rotate_right(42)
            .wrapping_mul(mul);
        *x ^= w.1.wrapping_mul(factor);
        *y = y
            .wrapping_add(v.0.wrapping_mul(factor))
            .wrapping_add(word(block, 40));
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(mul);
        *v = weak_hash(block, 0, v.1.wrapping_mul(mul), x.wrapping_add(w.0));
        *w = weak_hash(
            block,
            32,
            z.wrapping_add(w.1),
            y.wrapping_add(word(block, 16)),
        );
        std::mem::swap(x, z);
    }
}

#[inline]
fn weak_hash(block: &[u8; BLOCK], at: usize, a: u64, b: u64) -> (u64, u64) {
    let (w, x) = (word(block, at), word(block, at + 8));
    let (y, z) = (word(block, at + 16), word(block, at + 24));
    let a = a.wrapping_add(w);
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let sum = a.wrapping_add(x).wrapping_add(y);
    (
        sum.wrapping_add(z),
        b.wrapping_add(sum.rotate_right(44)).wrapping_add(a),
    )
}

/// Hashes at most 64 bytes.
fn short(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let mul = K2.wrapping_add(2 * len as u64);
    match len {
        0 => K2,
        1..=3 => {
            let y = u64::from(bytes[0]) + (u64::from(bytes[len / 2]) << 8);
            let z = len as u64 + (u64::from(bytes[len - 1]) << 2);
            shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
        }
        4..=7 => {
            let first = half_word(bytes, 0) << 3;
            mix_pair(first + len as u64, half_word(bytes, len - 4), mul)
        }
        8..=16 => {
            let a = word(bytes, 0).wrapping_add(K2);
            let b = word(bytes, len - 8);
            let c = b.rotate_right(37).wrapping_mul(mul).wrapping_add(a);
            let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(mul);
            mix_pair(c, d, mul)
        }
        17..=32 => {
            let (y, z) = ends(bytes, K1, mul);
            mix_pair(y, z, mul)
        }
        _ => {
            let (y, z) = ends(bytes, K2, mul);
            let z = mix_pair(y, z, mul);
            let e = word(bytes, 16).wrapping_mul(mul);
            let f = word(bytes, 24);
            let g = y.wrapping_add(word(bytes, len - 32)).wrapping_mul(mul);
            let h = z.wrapping_add(word(bytes, len - 24)).wrapping_mul(mul);
            let a = word(bytes, 0).wrapping_mul(K2);
            mix_pair(
                e.wrapping_add(f)
                    .rotate_right(43)
                    .wrapping_add(g.rotate_right(30))
                    .wrapping_add(h),
                e.wrapping_add(f.wrapping_add(a).rotate_right(18))
                    .wrapping_add(g),
                mul,
            )
        }
    }
}

/// Mixes the first and the last 16 of at least 17 bytes.
fn ends(bytes: &[u8], first: u64, mul: u64) -> (u64, u64) {
    let len = bytes.len();
    let a = word(bytes, 0).wrapping_mul(first);
    let b = word(bytes, 8);
    let c = word(bytes, len - 8).wrapping_mul(mul);
    let d = word(bytes, len - 16).wrapping_mul(K2);
    (
        a.wrapping_add(b)
            .rotate_right(43)
            .wrapping_add(c.rotate_right(30))
            .wrapping_add(d),
        a.wrapping_add(b.wrapping_add(K2).rotate_right(18))
            .wrapping_add(c),
    )
}

fn mix_pair(u: u64, v: u64, mul: u64) -> u64 {
    let a = (u ^ v).wrapping_mul(mul);
    let a = a ^ (a >> 47);
    let b = (v ^ a).wrapping_mul(mul);
    (b ^ (b >> 47)).wrapping_mul(mul)
}

fn shift_mix(value: u64) -> u64 {
    value ^ (value >> 47)
}

/// The eight bytes from `at` on. All callers have looked at the length.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn half_word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 131 + 7) as u8).collect()
    }

    #[test]
    fn values_are_those_of_tensorflow() {
        for (len, hash) in [
            (0, 11160318154034397263),
            (1, 6305636504242451570),
            (3, 13757920146842369537),
            (4, 8711584101399146599),
            (4096, 6714409428041520504),
            (4097, 2294840640885803936),
            (65536, 6136063727212261981),
            (1000000, 12286463228600674759),
        ] {
            assert_eq!(fingerprint64(&pattern(len)), hash, "{len}");
        }
        assert_eq!(fingerprint_cat64(0, 0), 6351753276682545529);
        assert_eq!(fingerprint_cat64(1, 2), 14454907135238785252);
    }

    #[test]
    fn pieces_have_the_hash_of_the_whole() {
        for len in 0..330 {
            let bytes = pattern(len);
            let whole = fingerprint64(&bytes);
            for cut in 0..=len {
                let mut hasher = Fingerprint64::new();
                let (a, b) = bytes.split_at(cut);
                hasher.update(a);
                hasher.finish();
                hasher.update(b);
                assert_eq!(hasher.finish(), whole, "{len} cut at {cut}");
            }
            let mut hasher = Fingerprint64::new();
            bytes.chunks(7).for_each(|chunk| hasher.update(chunk));
            assert_eq!(hasher.finish(), whole, "{len} in sevens");
        }
        // Around what is held.
        for len in [HELD - 1, HELD, HELD + 1, HELD + BLOCK, 2 * HELD, 5 * HELD] {
            let bytes = pattern(len);
            let whole = fingerprint64(&bytes);
            for cut in (0..=len).filter(|cut| cut % BLOCK < 2 || cut % BLOCK == BLOCK - 1) {
                let mut hasher = Fingerprint64::new();
                let (a, b) = bytes.split_at(cut);
                hasher.update(a);
                hasher.update(b);
                assert_eq!(hasher.finish(), whole, "{len} cut at {cut}");
            }
            let mut hasher = Fingerprint64::new();
            bytes.chunks(100).for_each(|chunk| hasher.update(chunk));
            assert_eq!(hasher.finish(), whole, "{len} in hundreds");
        }
    }
}
