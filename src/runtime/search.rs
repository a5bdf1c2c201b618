use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Names the environment variable that says where TensorFlow's library is: the file, or a directory
/// with it.
pub(super) const VARIABLE: &str = "SAVEDMODEL_TF_LIB";

/// The library's names, that of the Python package first, then those of the archive for C.
#[cfg(target_os = "macos")]
const FILES: &[&str] = &[
    "libtensorflow_cc.2.dylib",
    "libtensorflow.2.dylib",
    "libtensorflow.dylib",
];
#[cfg(windows)]
const FILES: &[&str] = &["python/_pywrap_tensorflow_common.dll", "tensorflow.dll"];
#[cfg(not(any(target_os = "macos", windows)))]
const FILES: &[&str] = &[
    "libtensorflow_cc.so.2",
    "libtensorflow.so.2",
    "libtensorflow.so",
];

/// Directories below one that is given: an unpacked archive, the place of Python's packages.
const BELOW: &[&str] = &["", "lib", "tensorflow"];

/// A place where the library may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// A file, with symbolic links followed, or a name for the system's own search.
    pub(super) path: PathBuf,
    /// Why it was looked at.
    pub(super) origin: String,
}

/// The places to try, in that order, and those that have no library at all.
#[derive(Default)]
pub(super) struct Search {
    pub(super) candidates: Vec<Candidate>,
    pub(super) empty: Vec<String>,
}

impl Search {
    /// Looks at one file or directory.
    pub(super) fn of(path: &Path) -> Search {
        let mut search = Search::default();
        search.add(path, "");
        search
    }

    /// Looks everywhere. Where the environment names a place, there alone.
    pub(super) fn everywhere(variable: impl Fn(&str) -> Option<OsString>) -> Search {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut search = Search::default();
        if let Some(path) = variable(VARIABLE) {
            search.add(Path::new(&path), VARIABLE);
            return search;
        }
        search.empty.push(format!("{VARIABLE}: not set"));
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            match variable(name) {
                Some(prefix) => search.add_environment(Path::new(&prefix), name),
                None => search.empty.push(format!("{name}: not set")),
            }
        }
        match variable("PATH").and_then(|path| python_prefix(&path)) {
            Some(prefix) => search.add_environment(&prefix, "python3 in PATH"),
            None => search.empty.push("PATH: no python3".to_owned()),
        }
        let names = FILES.iter().map(|name| Candidate {
            path: name.into(),
            origin: "the system's search".to_owned(),
        });
        search.candidates.extend(names);
        for directory in ["/usr/local/lib", "/usr/lib"] {
            if cfg!(unix) {
                search.add(Path::new(directory), "");
            }
        }
        search
    }

    /// Adds a file, or what a directory has.
    fn add(&mut self, path: &Path, origin: &str) {
        let place = match origin {
            "" => path.display().to_string(),
            _ => format!("{origin}, {}", path.display()),
        };
        if !path.is_dir() {
            match path.exists() {
                true => self.push(path, origin),
                false => self
                    .empty
                    .push(format!("{place}: no such file or directory")),
            }
            return;
        }
        let before = self.candidates.len();
        for below in BELOW {
            let directory = path.join(below);
            for file in FILES.iter().map(|name| directory.join(name)) {
                if file.exists() {
                    self.push(&file, origin);
                }
            }
        }
        if self.candidates.len() == before {
            let files = FILES.join(" or ");
            self.empty.push(format!("{place}: no {files} in it"));
        }
    }

    /// The library finds the one it depends on beside itself, in the directory of the path it is
    /// opened by: that must be where it really is.
    fn push(&mut self, file: &Path, origin: &str) {
        let candidate = Candidate {
            path: fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()),
            origin: origin.to_owned(),
        };
        if self
            .candidates
            .iter()
            .all(|known| known.path != candidate.path)
        {
            self.candidates.push(candidate);
        }
    }

    /// Adds the package of an environment of Python.
    fn add_environment(&mut self, prefix: &Path, origin: &str) {
        let packages = package_directories(prefix);
        let installed = packages.iter().map(|packages| packages.join("tensorflow"));
        let installed: Vec<PathBuf> = installed.filter(|package| package.is_dir()).collect();
        if installed.is_empty() {
            let prefix = prefix.display();
            self.empty
                .push(format!("{origin}, {prefix}: no package `tensorflow`"));
        }
        for package in installed {
            self.add(&package, origin);
        }
    }
}

/// The directories of packages below a prefix; Debian calls its own `dist-packages`.
fn package_directories(prefix: &Path) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for library in ["lib", "local/lib", "Lib"].map(|name| prefix.join(name)) {
        directories.push(library.join("site-packages"));
        let versions = fs::read_dir(&library).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = versions
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
            .map(|entry| entry.path())
            .collect();
        // The newest first, as far as names tell.
        versions.sort_by_key(|path| std::cmp::Reverse((path.as_os_str().len(), path.clone())));
        for version in versions {
            directories.push(version.join("site-packages"));
            directories.push(version.join("dist-packages"));
        }
    }
    directories
}

/// Returns the directory above the `bin` that has the first Python of the path. Symbolic links are
/// not followed: an environment's Python is one to that of the system.
fn python_prefix(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let names: &[&str] = match cfg!(windows) {
        true => &["python3.exe", "python.exe"],
        false => &["python3", "python"],
    };
    let directory = env::split_paths(path)
        .find(|directory| names.iter().any(|name| directory.join(name).is_file()))?;
    match cfg!(windows) && !directory.ends_with("Scripts") {
        true => Some(directory),
        false => directory.parent().map(Path::to_owned),
    }
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    struct TestDirectory(PathBuf);

    impl TestDirectory {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("savedmodel-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            TestDirectory(fs::canonicalize(path).unwrap())
        }

        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for TestDirectory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn touch(path: PathBuf) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::canonicalize(path).unwrap()
    }

    fn paths(search: &Search) -> Vec<&Path> {
        let candidates = search.candidates.iter();
        candidates.map(|candidate| &*candidate.path).collect()
    }

    #[test]
    fn a_directory_may_be_a_package_or_an_archive_or_what_holds_them() {
        let directory = TestDirectory::new("search");
        let root = directory.path();
        let package = touch(root.join("site/tensorflow/libtensorflow_cc.so.2"));
        let archive = touch(root.join("archive/lib/libtensorflow.so.2"));
        std::os::unix::fs::symlink("libtensorflow.so.2", archive.with_extension("")).unwrap();
        for place in [
            "site",
            "site/tensorflow",
            "site/tensorflow/libtensorflow_cc.so.2",
        ] {
            assert_eq!(
                paths(&Search::of(&root.join(place))),
                [&*package],
                "{place}"
            );
        }
        // One library of two names is one candidate.
        for place in ["archive", "archive/lib", "archive/lib/libtensorflow.so"] {
            assert_eq!(
                paths(&Search::of(&root.join(place))),
                [&*archive],
                "{place}"
            );
        }
        let search = Search::of(root);
        assert!(search.candidates.is_empty());
        assert!(
            search.empty[0].contains("libtensorflow_cc.so.2"),
            "{:?}",
            search.empty
        );
    }

    #[test]
    fn environments_of_python_are_searched_without_running_it() {
        let directory = TestDirectory::new("environments");
        let root = directory.path();
        let virtual_environment =
            touch(root.join("venv/lib/python3.9/site-packages/tensorflow/libtensorflow_cc.so.2"));
        let newer =
            touch(root.join("venv/lib/python3.11/site-packages/tensorflow/libtensorflow_cc.so.2"));
        let debian =
            touch(root.join("usr/lib/python3/dist-packages/tensorflow/libtensorflow_cc.so.2"));
        touch(root.join("usr/bin/python3"));
        let search = Search::everywhere(|name| match name {
            "VIRTUAL_ENV" => Some(root.join("venv").into()),
            "PATH" => env::join_paths([root.join("none"), root.join("usr/bin")]).ok(),
            _ => None,
        });
        assert_eq!(
            paths(&search)[..3],
            [&*newer, &*virtual_environment, &*debian]
        );
        assert_eq!(paths(&search)[3], Path::new("libtensorflow_cc.so.2"));
        assert!(search.empty.contains(&"CONDA_PREFIX: not set".to_owned()));
    }

    #[test]
    fn the_variable_is_obeyed_alone() {
        let search = Search::everywhere(|name| (name == VARIABLE).then(|| "no/such".into()));
        assert!(search.candidates.is_empty());
        let said = format!("{VARIABLE}, no/such: no such file or directory");
        assert_eq!(search.empty, [said]);
    }
}
