use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::error::{Error, Result};
use crate::proto::serving::file_system_storage_path_source_config::ServableVersionPolicy;
use crate::proto::serving::file_system_storage_path_source_config::servable_version_policy::{
    All, Latest, PolicyChoice, Specific,
};
use crate::proto::serving::model_config::VersionLabelsEntry;
use crate::proto::serving::model_server_config::Config;
use crate::proto::serving::{self as proto, LoggingConfig, ModelConfig, ModelConfigList};
use crate::text;

/// Which models a server has: the text that `tensorflow_model_server --model_config_file` reads.
///
/// ```
/// use savedmodel::serving::{ModelServerConfig, ServedModel, VersionPolicy};
///
/// let mut mnist = ServedModel::new("mnist", "/models/mnist");
/// mnist.policy = VersionPolicy::Specific(vec![41, 42]);
/// mnist.labels.insert("stable".to_owned(), 41);
/// let mut config = ModelServerConfig::default();
/// config.models.push(mnist);
/// let text = config.to_text()?;
/// assert!(text.contains("model_platform: \"tensorflow\""));
/// assert_eq!(ModelServerConfig::from_text(&text)?, config);
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// The message is that of `tensorflow_serving/config/model_server_config.proto`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ModelServerConfig {
    /// The models, in the order of the text.
    pub models: Vec<ServedModel>,
}

/// One model of a server.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServedModel {
    /// The name that requests have.
    pub name: String,
    /// The directory with a directory for each version, absolute unless the server is told below which
    /// one it is.
    pub base_path: String,
    /// What the model is run by: `tensorflow`.
    pub platform: String,
    /// Which versions are served.
    pub policy: VersionPolicy,
    /// Names for versions, which requests may have in place of the number.
    pub labels: BTreeMap<String, i64>,
    /// What is logged of the requests.
    pub logging_config: Option<LoggingConfig>,
}

/// Which versions of a model are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionPolicy {
    /// The one of the highest number.
    #[default]
    Default,
    /// So many of the highest numbers; 0 is as 1.
    Latest(u32),
    /// All.
    All,
    /// These.
    Specific(Vec<i64>),
}

const MESSAGE: &str = "tensorflow.serving.ModelServerConfig";
const PLATFORM: &str = "tensorflow";
/// The numbers of `ModelType`, which was there before platforms had names.
const TYPE_UNSPECIFIED: i32 = 0;
const TYPE_TENSORFLOW: i32 = 1;

impl ModelServerConfig {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// `Malformed`, with line and column, if it is no such message; `Unsupported` if it has no list of
    /// models but a configuration of another kind, or a model of another type than TensorFlow's.
    pub fn from_text(text: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = text::parse(text, MESSAGE)?;
        let message = proto::ModelServerConfig::decode(&*bytes)
            .map_err(|error| Error::malformed(error.to_string()))?;
        let list = match message.config {
            Some(Config::ModelConfigList(list)) => list,
            None => ModelConfigList::default(),
            Some(Config::CustomModelConfig(_)) => {
                let what = "a custom_model_config is for a server of one's own";
                return Err(Error::unsupported(what));
            }
        };
        let models = list.config.into_iter().map(ServedModel::from_proto);
        Ok(ModelServerConfig {
            models: models.collect::<Result<_>>()?,
        })
    }

    /// Writes the text.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what a server refuses: a model without name, path or platform, and two of
    /// one name.
    pub fn to_text(&self) -> Result<String> {
        let mut names = BTreeSet::new();
        for model in &self.models {
            let what = match (&*model.name, &*model.base_path, &*model.platform) {
                ("", ..) => "the model has no name",
                (_, "", _) => "the model has no base path",
                (.., "") => "the model has no platform",
                (name, ..) if !names.insert(name) => "there are two models of this name",
                _ => continue,
            };
            return Err(Error::invalid_argument(what).for_key(model.name.as_bytes()));
        }
        let list = ModelConfigList {
            config: self.models.iter().map(ServedModel::to_proto).collect(),
        };
        let message = proto::ModelServerConfig {
            config: Some(Config::ModelConfigList(list)),
        };
        text::print(message.encode_to_vec(), MESSAGE)
    }
}

impl ServedModel {
    /// Makes a model of TensorFlow's of which the highest version is served.
    pub fn new(name: impl Into<String>, base_path: impl Into<String>) -> Self {
        ServedModel {
            name: name.into(),
            base_path: base_path.into(),
            platform: PLATFORM.to_owned(),
            policy: VersionPolicy::Default,
            labels: BTreeMap::new(),
            logging_config: None,
        }
    }

    fn from_proto(config: ModelConfig) -> Result<Self> {
        let platform = match (config.model_type, config.model_platform) {
            (TYPE_UNSPECIFIED, platform) => platform,
            (TYPE_TENSORFLOW, platform) if platform.is_empty() => PLATFORM.to_owned(),
            _ => {
                let what = "the model's type is not TensorFlow's, or it has a platform besides";
                return Err(Error::unsupported(what).for_key(config.name.as_bytes()));
            }
        };
        let policy = config.model_version_policy.and_then(|it| it.policy_choice);
        let policy = match policy {
            None => VersionPolicy::Default,
            Some(PolicyChoice::Latest(latest)) => VersionPolicy::Latest(latest.num_versions),
            Some(PolicyChoice::All(All {})) => VersionPolicy::All,
            Some(PolicyChoice::Specific(specific)) => VersionPolicy::Specific(specific.versions),
        };
        let labels = config.version_labels.into_iter();
        let labels = labels.map(|entry| {
            (
                entry.key.unwrap_or_default(),
                entry.value.unwrap_or_default(),
            )
        });
        Ok(ServedModel {
            name: config.name,
            base_path: config.base_path,
            platform,
            policy,
            labels: labels.collect(),
            logging_config: config.logging_config,
        })
    }

    fn to_proto(&self) -> ModelConfig {
        let choice = match &self.policy {
            VersionPolicy::Default => None,
            VersionPolicy::Latest(count) => Some(PolicyChoice::Latest(Latest {
                num_versions: *count,
            })),
            VersionPolicy::All => Some(PolicyChoice::All(All {})),
            VersionPolicy::Specific(versions) => Some(PolicyChoice::Specific(Specific {
                versions: versions.clone(),
            })),
        };
        let labels = self
            .labels
            .iter()
            .map(|(label, version)| VersionLabelsEntry {
                key: Some(label.clone()),
                value: Some(*version),
            });
        ModelConfig {
            name: self.name.clone(),
            base_path: self.base_path.clone(),
            model_platform: self.platform.clone(),
            model_version_policy: choice.map(|choice| ServableVersionPolicy {
                policy_choice: Some(choice),
            }),
            version_labels: labels.collect(),
            logging_config: self.logging_config.clone(),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_by_hand_is_read() {
        let text = "
            # two models
            model_config_list: {
              config: [
                { name: 'a' base_path: \"/m/\\x61\" model_platform: 'tensorflow'
                  model_version_policy { latest { num_versions: 2 } } },
                { name: 'b', base_path: 's3://x/b', model_type: TENSORFLOW,
                  model_version_policy: { all: {} } version_labels { key: 'x' value: -3 } }
              ]
            }";
        let config = ModelServerConfig::from_text(text).unwrap();
        let [a, b] = &config.models[..] else {
            panic!("{config:?}")
        };
        assert_eq!((&*a.name, &*a.base_path), ("a", "/m/a"));
        assert_eq!(a.policy, VersionPolicy::Latest(2));
        assert_eq!(
            (&*b.platform, &b.policy),
            ("tensorflow", &VersionPolicy::All)
        );
        assert_eq!(b.labels["x"], -3);
        assert_eq!(ModelServerConfig::from_text("").unwrap().models, []);
    }

    #[test]
    fn what_is_not_such_a_text_is_refused() {
        for (text, word) in [
            ("model_config_list { confg {} }", "confg"),
            ("model_config_list { config { model_type: OTHER } }", "type"),
            (
                "custom_model_config { type_url: 'a/b' value: '' }",
                "custom_model_config",
            ),
        ] {
            let error = ModelServerConfig::from_text(text).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn what_a_server_refuses_is_not_written() {
        let model = ServedModel::new("a", "/a");
        let mut nameless = model.clone();
        nameless.name.clear();
        let mut nowhere = model.clone();
        nowhere.base_path.clear();
        let mut no_platform = model.clone();
        no_platform.platform.clear();
        for models in [
            vec![nameless],
            vec![nowhere],
            vec![no_platform],
            vec![model.clone(), model],
        ] {
            assert!(ModelServerConfig { models }.to_text().is_err());
        }
    }
}
