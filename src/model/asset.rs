use std::path::{Component, Path};

use prost::Message;
use prost::bytes::Bytes;

use super::meta_graph::{MetaGraph, field};
use super::saved_model::SavedModel;
use crate::error::{Error, Printable, Result};
use crate::proto::collection_def::Kind;
use crate::proto::{AssetFileDef, tensor_info};

/// A file that the graph reads, such as a vocabulary, and the tensor that is fed with its path.
///
/// ```
/// use savedmodel::SavedModel;
///
/// let model = SavedModel::open("tests/fixtures/vocabulary")?;
/// for asset in model.meta_graph(["serve"])?.assets()? {
///     println!("{}: {} bytes", asset.path()?, asset.read(&model)?.len());
/// }
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asset {
    /// The string tensor that is fed with the path: `node:output`.
    pub tensor_name: String,
    /// The name in the directory `assets`, as the file has it; [`path`](Self::path) checks it.
    pub filename: String,
}

impl Asset {
    fn from_proto(proto: AssetFileDef) -> Self {
        let name = match proto.tensor_info.and_then(|info| info.encoding) {
            Some(tensor_info::Encoding::Name(name)) => name,
            _ => String::new(),
        };
        Asset {
            tensor_name: name,
            filename: proto.filename,
        }
    }

    /// Returns the path relative to the model's directory, `assets/` and the name.
    ///
    /// # Errors
    ///
    /// `Malformed` if the name is absolute or leads out of the directory. TensorFlow follows such
    /// names to wherever they lead.
    pub fn path(&self) -> Result<String> {
        let mut path = "assets".to_owned();
        let inside = Path::new(&self.filename)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
            && !self.filename.contains('\0');
        let parts = self.filename.split('/');
        for part in parts.filter(|part| !matches!(*part, "" | ".")) {
            path.push('/');
            path.push_str(part);
        }
        match inside && path.len() > "assets".len() {
            true => Ok(path),
            false => Err(Error::malformed(format!(
                "the asset name `{}` does not stay in the model's directory",
                Printable(&self.filename)
            ))
            .remedy("the model may be made to read files it should not: do not load it")),
        }
    }

    /// Reads the file from the model it belongs to.
    ///
    /// # Errors
    ///
    /// What [`path`](Self::path) answers; `NotFound` if the file is missing; `Io`.
    pub fn read(&self, model: &SavedModel) -> Result<Bytes> {
        let path = self
            .path()
            .map_err(|error| error.in_file(model.model_path()))?;
        model.read_file(&path)
    }
}

/// Reads where TensorFlow does (`GetAssetFileDefs` in `tensorflow/cc/saved_model/loader_util.cc`):
/// the field, or else the collection.
pub(crate) fn assets(graph: MetaGraph<'_>) -> Result<Vec<Asset>> {
    let fault = |error: prost::DecodeError| {
        graph
            .view
            .fault(Error::malformed(format!("AssetFileDef: {error}")))
    };
    let mut assets = Vec::new();
    for message in graph.view.elements(field::ASSET_FILE_DEF) {
        let def = AssetFileDef::decode(message?.bytes()).map_err(fault)?;
        assets.push(Asset::from_proto(def));
    }
    if !assets.is_empty() {
        return Ok(assets);
    }
    let Some(collection) = graph.collection(COLLECTION)? else {
        return Ok(assets);
    };
    let Some(Kind::AnyList(list)) = collection.kind else {
        return Ok(assets);
    };
    for any in list.value {
        if any.type_url.rsplit('/').next() != Some("tensorflow.AssetFileDef") {
            return Err(graph.view.fault(Error::malformed(format!(
                "the collection `{COLLECTION}` holds a `{}`, which is no asset",
                Printable(&any.type_url)
            ))));
        }
        let def = AssetFileDef::decode(any.value).map_err(fault)?;
        assets.push(Asset::from_proto(def));
    }
    Ok(assets)
}

const COLLECTION: &str = "saved_model_assets";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_directory() {
        let path = |filename: &str| {
            Asset {
                tensor_name: String::new(),
                filename: filename.to_owned(),
            }
            .path()
        };
        for (name, expected) in [
            ("vocab.txt", "assets/vocab.txt"),
            ("./a//b", "assets/a/b"),
            ("..x", "assets/..x"),
            ("größe 模型", "assets/größe 模型"),
        ] {
            assert_eq!(path(name).unwrap(), expected);
        }
        for name in ["", ".", "/etc/passwd", "..", "../x", "a/../../x", "a\0b"] {
            assert!(path(name).is_err(), "{name}");
        }
    }
}
