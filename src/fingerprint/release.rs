/// By which rules a fingerprint is computed: those of the first TensorFlow that has them.
///
/// | | writes producer | `saved_model_checksum` is of | `signature_def_hash` has | uuid |
/// |---|---|---|---|---|
/// | [`V2_11`](Self::V2_11) | 0 | the graph of the first meta graph | signatures | none |
/// | [`V2_12`](Self::V2_12), to 2.13 | 1 | the whole model | signatures | none |
/// | [`V2_14`](Self::V2_14), to 2.18 | 1 | the whole model | names and signatures | none |
/// | [`V2_21`](Self::V2_21) | 4 | the whole model | names and signatures | random |
///
/// TensorFlow 2.19 and 2.20 write what 2.14 does, with a uuid. Releases before 2.11 write no
/// fingerprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FingerprintRelease {
    /// TensorFlow 2.11.
    V2_11,
    /// TensorFlow 2.12 and 2.13.
    V2_12,
    /// TensorFlow 2.14 to 2.18.
    V2_14,
    /// TensorFlow 2.21.
    #[default]
    V2_21,
}

impl FingerprintRelease {
    /// Returns what stands in the field `version` of fingerprints of `saved_model.pb`.
    pub fn producer(self) -> i32 {
        match self {
            FingerprintRelease::V2_11 => 0,
            FingerprintRelease::V2_12 | FingerprintRelease::V2_14 => 1,
            FingerprintRelease::V2_21 => 4,
        }
    }

    /// Says whether the names of signatures enter their hash.
    pub fn hashes_signature_names(self) -> bool {
        self >= FingerprintRelease::V2_14
    }
}
