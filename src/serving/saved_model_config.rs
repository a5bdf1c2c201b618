use std::path::Path;

use prost::bytes::Bytes;

use super::{open_extra, write_extra};
use crate::error::Result;
use crate::wire::{Message, Value, varint};

/// What a model asks of TensorFlow Serving: the file `assets.extra/saved_model_config.pb`.
///
/// ```
/// use savedmodel::serving::SavedModelConfig;
///
/// let mut config = SavedModelConfig::default();
/// config.critical = true;
/// assert_eq!(SavedModelConfig::decode(&config.encode())?, config);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// The message is that of `tensorflow_serving/servables/tensorflow/saved_model_config.proto`. Settings
/// of TensorFlow's own parts stay encoded, and what is not understood is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedModelConfig {
    /// What this model has in place of the server's session options.
    pub session_overrides: Option<SessionOverrides>,
    /// A `tensorflow.tfrt_stub.RuntimeConfigProto`, encoded.
    pub tfrt_runtime_config: Option<Bytes>,
    /// Whether the server answers nobody before this model is loaded.
    pub critical: bool,
    unknown: Vec<u8>,
}

/// Session options of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionOverrides {
    /// A `tensorflow.tools.RemoteOpRemapConfig`, encoded.
    pub remote_op_remap_config: Option<Bytes>,
    /// A `tensorflow.serving.BatchOpRewriteConfig`, encoded.
    pub batch_op_rewriter_config: Option<Bytes>,
    /// Whether graphs are not optimized before they run; `None` leaves it to the server.
    pub disable_meta_optimizer: Option<bool>,
    unknown: Vec<u8>,
}

impl SavedModelConfig {
    /// The file in a model's `assets.extra`.
    pub const FILE: &str = "saved_model_config.pb";

    /// Reads the file of the model in a directory; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode), and `Io`.
    pub fn read(model: impl AsRef<Path>) -> Result<Option<Self>> {
        let model = model.as_ref();
        let Some(blob) = open_extra(model, Self::FILE)? else {
            return Ok(None);
        };
        let bytes = blob.read(0, blob.len());
        let read = bytes.and_then(|bytes| Self::decode(&bytes));
        let path = || model.join(super::EXTRA_ASSETS_DIRECTORY).join(Self::FILE);
        read.map(Some).map_err(|error| error.in_file(path()))
    }

    /// Writes the file of the model in a directory, in place of one that is there.
    ///
    /// # Errors
    ///
    /// `NotFound` without that directory, `Io` as the system has it.
    pub fn write(&self, model: impl AsRef<Path>) -> Result<()> {
        write_extra(model.as_ref(), Self::FILE, &self.encode())
    }

    /// Decodes a `SavedModelConfig`.
    ///
    /// # Errors
    ///
    /// `Malformed`, with the offset, if it is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut config = SavedModelConfig::default();
        let mut runtime: Option<Vec<u8>> = None;
        for field in Message::new(bytes).fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Bytes(part)) => {
                    let overrides = config.session_overrides.get_or_insert_default();
                    overrides
                        .merge(Message::at(part, inside(field.offset(), field.raw(), part)))?;
                }
                (2, Value::Bytes(part)) => runtime.get_or_insert_default().extend(part),
                (3, Value::Varint(value)) => config.critical = value != 0,
                _ => config.unknown.extend(field.raw()),
            }
        }
        config.tfrt_runtime_config = runtime.map(Bytes::from);
        Ok(config)
    }

    /// Encodes a `SavedModelConfig`, with whatever was decoded and is not understood.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(overrides) = &self.session_overrides {
            write_bytes(&mut out, 1, &overrides.encode());
        }
        if let Some(config) = &self.tfrt_runtime_config {
            write_bytes(&mut out, 2, config);
        }
        if self.critical {
            write_bool(&mut out, 3, true);
        }
        out.extend(&self.unknown);
        out
    }
}

impl SessionOverrides {
    /// Takes what a message has; what stands in several pieces is joined, as messages are merged.
    fn merge(&mut self, message: Message<'_>) -> Result<()> {
        for field in message.fields() {
            let field = field?;
            match (field.number(), field.value()) {
                (1, Value::Bytes(part)) => join(&mut self.remote_op_remap_config, part),
                (2, Value::Bytes(part)) => join(&mut self.batch_op_rewriter_config, part),
                (3, Value::Varint(value)) => self.disable_meta_optimizer = Some(value != 0),
                _ => self.unknown.extend(field.raw()),
            }
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let configs = [&self.remote_op_remap_config, &self.batch_op_rewriter_config];
        for (number, config) in (1..).zip(configs) {
            if let Some(config) = config {
                write_bytes(&mut out, number, config);
            }
        }
        if let Some(disable) = self.disable_meta_optimizer {
            write_bool(&mut out, 3, disable);
        }
        out.extend(&self.unknown);
        out
    }
}

fn join(config: &mut Option<Bytes>, part: &[u8]) {
    *config = Some(match config {
        Some(before) => [before, part].concat().into(),
        None => Bytes::copy_from_slice(part),
    });
}

/// Returns where the value of a field begins.
fn inside(offset: u64, raw: &[u8], value: &[u8]) -> u64 {
    offset + (raw.len() - value.len()) as u64
}

fn write_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint::write_u64(out, number << 3 | 2);
    varint::write_u64(out, bytes.len() as u64);
    out.extend(bytes);
}

fn write_bool(out: &mut Vec<u8>, number: u64, value: bool) {
    varint::write_u64(out, number << 3);
    varint::write_u64(out, value.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::platform::TestDirectory;

    #[test]
    fn what_is_not_understood_is_kept() {
        let bytes = [
            &[0x0a, 9, 0x0a, 1, b'a', 0x12, 0, 0x18, 0, 0x20, 5][..], // overrides, a field 4
            &[0x12, 2, 0x0a, 0],                                      // runtime
            &[0x18, 1],                                               // critical
            &[0x22, 1, b'z'],                                         // a field 4
        ]
        .concat();
        let config = SavedModelConfig::decode(&bytes).unwrap();
        assert!(config.critical);
        let overrides = config.session_overrides.as_ref().unwrap();
        assert_eq!(overrides.remote_op_remap_config.as_deref(), Some(&b"a"[..]));
        assert_eq!(
            overrides.batch_op_rewriter_config.as_deref(),
            Some(&b""[..])
        );
        assert_eq!(overrides.disable_meta_optimizer, Some(false));
        assert_eq!(config.encode(), bytes);
        assert!(SavedModelConfig::default().encode().is_empty());
    }

    #[test]
    fn pieces_are_merged_and_damage_is_an_error() {
        let bytes = [0x0a, 3, 0x0a, 1, b'a', 0x0a, 3, 0x0a, 1, b'b', 0x12, 0];
        let config = SavedModelConfig::decode(&bytes).unwrap();
        let overrides = config.session_overrides.unwrap();
        assert_eq!(
            overrides.remote_op_remap_config.as_deref(),
            Some(&b"ab"[..])
        );
        let error = SavedModelConfig::decode(&[0x18, 0, 0x0a, 2, 0x0a, 9]).unwrap_err();
        assert_eq!(error.offset(), Some(4));
    }

    #[test]
    fn a_model_has_one_or_none() {
        let directory = TestDirectory::new("saved-model-config");
        assert_eq!(SavedModelConfig::read(directory.path()).unwrap(), None);
        let config = SavedModelConfig {
            critical: true,
            ..Default::default()
        };
        config.write(directory.path()).unwrap();
        config.write(directory.path()).unwrap();
        let read = SavedModelConfig::read(directory.path()).unwrap();
        assert_eq!(read, Some(config.clone()));
        assert!(config.write(directory.path().join("none")).is_err());
    }
}
