//! Bundles that take the place of others, and disks that end before a bundle does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::{Command, Stdio};

use savedmodel::bundle::{Durability, Existing, Recovery, locate_bundle, recover};
use savedmodel::{BundleReader, BundleWriter, ErrorKind, Result, Tensor};

/// An empty directory for one test's files. It stays until the next run, to look at.
fn work_directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write(prefix: &Path, existing: Existing, value: i32) -> Result<()> {
    let mut bundle = BundleWriter::options().existing(existing).create(prefix)?;
    bundle.add("v", &Tensor::scalar(value))?;
    bundle.finish()
}

fn read(prefix: &Path) -> i32 {
    let tensor = BundleReader::open(prefix).unwrap().tensor("v").unwrap();
    tensor.values::<i32>().unwrap()[0]
}

#[test]
fn any_file_of_the_prefix_is_refused() {
    let directory = work_directory("any_file_of_the_prefix");
    let prefix = directory.join("b");
    for name in ["b.index", "b.data-00000-of-00001", "b.data-00001-of-00003"] {
        let file = directory.join(name);
        // At the beginning, and if it comes later.
        fs::write(&file, "not a bundle").unwrap();
        let error = write(&prefix, Existing::Refuse, 1).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
        assert_eq!(error.path(), Some(&*file));
        fs::remove_file(&file).unwrap();

        let mut bundle = BundleWriter::create(&prefix).unwrap();
        bundle.add("v", &Tensor::scalar(1i32)).unwrap();
        fs::write(&file, "not a bundle").unwrap();
        assert_eq!(bundle.finish().unwrap_err().path(), Some(&*file));
        assert_eq!(names(&directory), [name]);
        assert_eq!(fs::read(&file).unwrap(), b"not a bundle");
        fs::remove_file(&file).unwrap();
    }
    for other in ["b2.index", "b.indexes", "b.data-00000-of-00001.tempstate1"] {
        fs::write(directory.join(other), "").unwrap();
    }
    write(&prefix, Existing::Refuse, 1).unwrap();
    assert_eq!(read(&prefix), 1);

    for existing in [Existing::Refuse, Existing::Replace] {
        fs::create_dir_all(directory.join("c.index")).unwrap();
        let error = write(&directory.join("c"), existing, 1).unwrap_err();
        assert_eq!(error.path(), Some(&*directory.join("c.index")));
    }
}

#[test]
fn all_shards_that_the_old_index_names_are_replaced() {
    let directory = work_directory("all_shards_are_replaced");
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/two_shards/variables");
    let copy = || {
        for file in names(&fixtures) {
            fs::copy(fixtures.join(&file), directory.join(file)).unwrap();
        }
    };
    copy();
    let index = names(&directory);
    let index = index.iter().find(|name| name.ends_with(".index")).unwrap();
    let prefix = directory.join(index.strip_suffix(".index").unwrap());
    assert_eq!(BundleReader::open(&prefix).unwrap().num_shards(), 2);
    let new: Vec<String> = ["data-00000-of-00001", "index"]
        .map(|end| format!("{}.{end}", prefix.file_name().unwrap().to_str().unwrap()))
        .into();
    let is_of_it = |name: &String| name.starts_with(prefix.file_name().unwrap().to_str().unwrap());
    let of_it = || -> Vec<String> { names(&directory).into_iter().filter(is_of_it).collect() };
    write(&prefix, Existing::Replace, 1).unwrap();
    assert_eq!(of_it(), new);
    assert_eq!(read(&prefix), 1);

    // Of an index that cannot be read, all; of one that can, no others.
    copy();
    let index = directory.join(index);
    fs::write(&index, "no table").unwrap();
    write(&prefix, Existing::Replace, 2).unwrap();
    assert_eq!(of_it(), new);
    let mut other = prefix.clone().into_os_string();
    other.push(".data-00000-of-00007");
    fs::write(&other, "").unwrap();
    write(&prefix, Existing::Replace, 3).unwrap();
    assert!(Path::new(&other).exists());
    assert_eq!(read(&prefix), 3);
}

#[test]
fn the_latest_that_was_set_aside_comes_back() {
    let directory = work_directory("the_latest_comes_back");
    let prefix = directory.join("b");
    let set_aside = |value, mark: &str| {
        write(&directory.join("a"), Existing::Refuse, value).unwrap();
        for end in ["index", "data-00000-of-00001"] {
            let aside = directory.join(format!("b.{end}.set-aside-{mark}"));
            fs::rename(directory.join(format!("a.{end}")), aside).unwrap();
        }
    };
    assert_eq!(recover(&prefix).unwrap(), Recovery::Nothing);
    for (value, mark) in [(1, "0-9"), (3, "10-2"), (2, "9-8")] {
        set_aside(value, mark);
    }
    let error = BundleReader::open(&prefix).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotFound { .. }));
    assert!(error.help().unwrap().contains("b.index.set-aside-"));
    let error = locate_bundle(&directory).unwrap_err();
    assert!(error.help().unwrap().contains("b.index.set-aside-"));
    assert!(write(&prefix, Existing::Refuse, 4).is_err());

    assert_eq!(recover(&prefix).unwrap(), Recovery::Restored);
    assert_eq!(read(&prefix), 3);
    let Recovery::InPlace { set_aside } = recover(&prefix).unwrap() else {
        panic!("the others are still aside");
    };
    assert_eq!(set_aside.len(), 4);
    // None of our business but the one in place.
    write(&prefix, Existing::Replace, 5).unwrap();
    assert!(set_aside.iter().all(|file| file.exists()));
    assert_eq!(names(&directory).len(), 6);
}

#[cfg(unix)]
#[test]
fn writers_that_replace_one_another_take_turns() {
    let directory = work_directory("writers_take_turns");
    let prefix = directory.join("b");
    write(&prefix, Existing::Refuse, -1).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let prefix = &prefix;
            scope.spawn(move || {
                for round in 0..25 {
                    let mut bundle = BundleWriter::options()
                        .existing(Existing::Replace)
                        .durability(Durability::None)
                        .create(prefix)
                        .unwrap();
                    let value = 25 * writer + round;
                    for key in 0..value % 7 + 1 {
                        bundle.add(key.to_string(), &Tensor::scalar(value)).unwrap();
                    }
                    bundle.finish().unwrap();
                }
            });
        }
    });
    assert_eq!(names(&directory), ["b.data-00000-of-00001", "b.index"]);
    let bundle = BundleReader::open(&prefix).unwrap();
    let value = bundle.tensor("0").unwrap().values::<i32>().unwrap()[0];
    assert_eq!(bundle.entries().count() as i32, value % 7 + 1);
    for item in bundle.entries() {
        let (key, entry) = item.unwrap();
        assert_eq!(
            bundle.tensor_of(&key, &entry).unwrap(),
            Tensor::scalar(value)
        );
    }
}

/// Runs [`on_a_disk_that_ends`] in a process of which `prepare`, in the language of the shell, has
/// limited the disk. Says whether that could be done.
#[cfg(unix)]
fn with_little_room(shell: &[&str], directory: &Path, prepare: &str) -> bool {
    let run = r#"exec "$1" --exact replacing::on_a_disk_that_ends --nocapture"#;
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", &format!("{prepare} || exit 77; {run}"), "sh"])
        .arg(std::env::current_exe().unwrap())
        .env("SAVEDMODEL_LITTLE_ROOM", directory)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        return false;
    }
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    true
}

/// Does nothing, but for [`with_little_room`].
#[test]
fn on_a_disk_that_ends() {
    let Some(directory) = std::env::var_os("SAVEDMODEL_LITTLE_ROOM") else {
        return;
    };
    let directory = Path::new(&directory);
    let prefix = directory.join("b");
    write(&prefix, Existing::Refuse, 7).unwrap();
    let large = Tensor::from_slice([1 << 20], &vec![1u8; 1 << 20]).unwrap();
    let data_is_too_long = |existing, name: &str| {
        let prefix = directory.join(name);
        let mut bundle = BundleWriter::options().existing(existing).create(prefix)?;
        bundle.add("large", &large)?;
        bundle.finish()
    };
    let index_is_too_long = |existing, name: &str| {
        let prefix = directory.join(name);
        let mut bundle = BundleWriter::options().existing(existing).create(prefix)?;
        for number in 0..3000 {
            // A table leaves out what a key has in common with the one before it.
            bundle.add(format!("{number:04}{:400}", ""), &Tensor::scalar(1u8))?;
        }
        bundle.finish()
    };
    for (result, file) in [
        (data_is_too_long(Existing::Replace, "b"), "b.data-"),
        (index_is_too_long(Existing::Replace, "b"), "b.index"),
        (data_is_too_long(Existing::Refuse, "c"), "c.data-"),
        (index_is_too_long(Existing::Refuse, "c"), "c.index"),
    ] {
        let error = result.unwrap_err();
        let ErrorKind::Io { source } = error.kind() else {
            panic!("{error}");
        };
        let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::FileTooLarge];
        assert!(kinds.contains(&source.kind()), "{error}");
        let path = error.path().unwrap().file_name().unwrap();
        assert!(path.to_str().unwrap().starts_with(file), "{error}");
        assert_eq!(names(directory), ["b.data-00000-of-00001", "b.index"]);
        assert_eq!(read(&prefix), 7);
    }
    write(&prefix, Existing::Replace, 8).unwrap();
    assert_eq!(read(&prefix), 8);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_is_an_error_that_loses_nothing() {
    let directory = work_directory("a_file_that_may_not_grow");
    // In blocks of 512 or 1024 bytes. Without the trap the signal would end the process.
    let ran = with_little_room(&["sh"], &directory, "trap '' XFSZ && ulimit -f 512");
    assert!(ran, "the shell cannot limit the size of files");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_loses_nothing() {
    let directory = work_directory("a_full_disk");
    let alone = ["unshare", "--user", "--map-root-user", "--mount", "sh"];
    let mount = format!("mount -t tmpfs -o size=600k none '{}'", directory.display());
    let can_mount = Command::new(alone[0])
        .args(&alone[1..])
        .args(["-c", &mount])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can_mount {
        eprintln!("SKIPPED: this system mounts nothing for a test, so there is no small disk");
        return;
    }
    assert!(with_little_room(&alone, &directory, &mount));
}
