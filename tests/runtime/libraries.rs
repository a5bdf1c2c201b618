//! Finding and opening TensorFlow's library, and what is said when that fails.

use std::fs;
use std::path::Path;

use savedmodel::ErrorKind;
use savedmodel::runtime::Runtime;

use crate::tensorflow::{Scratch, package, runtime};

fn failure(path: &Path) -> String {
    let error = Runtime::open(path).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound { .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with("TensorFlow's shared library not found (looked at "),
        "{text}"
    );
    assert!(text.contains(&*path.to_string_lossy()), "{text}");
    assert!(text.contains("SAVEDMODEL_TF_LIB"), "{text}");
    text
}

#[test]
fn a_missing_library_is_an_error_that_says_where_it_was_looked_for() {
    let text = failure(Path::new("/nonexistent/libtensorflow.so"));
    assert!(text.contains("no such file or directory"), "{text}");
    let scratch = Scratch::new("empty");
    let text = failure(scratch.path());
    assert!(text.contains("no libtensorflow"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_wrong_library_is_an_error_that_says_why() {
    let scratch = Scratch::new("wrong");
    let file = scratch.path().join("libtensorflow.so.2");
    for (contents, expected) in [
        (
            &b"this is a text, and no library at all, but long enough to have a header in it"[..],
            "invalid ELF header",
        ),
        (b"", "file too short"),
    ] {
        fs::write(&file, contents).unwrap();
        for path in [&*file, scratch.path()] {
            let text = failure(path);
            assert!(text.contains(expected), "{text}");
        }
    }
    // One that every program here has open.
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let other = maps.split_whitespace().find(|word| word.contains("/libc."));
    let text = failure(Path::new(other.expect("this program has libc")));
    assert!(
        text.contains("not TensorFlow's: it has no `TF_Version`"),
        "{text}"
    );
}

#[test]
fn one_library_is_loaded_however_often_it_is_asked_for_interop() {
    let Some(loaded) = runtime("one_library_is_loaded_however_often_it_is_asked_for_interop")
    else {
        return;
    };
    assert!(loaded.version().starts_with("2."), "{}", loaded.version());
    assert!(loaded.path().is_absolute());
    let package = package("").unwrap();
    for path in [&*package, package.parent().unwrap(), loaded.path()] {
        assert_eq!(Runtime::open(path).unwrap().path(), loaded.path());
    }
    assert_eq!(Runtime::find().unwrap().path(), loaded.path());
    let ops = loaded.registered_ops().unwrap();
    assert!(ops.op.len() > 1000, "{}", ops.op.len());

    let error = loaded.load_op_library("/nonexistent.so").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Runtime { .. }), "{error}");
}

/// The archive for C has other names, in `lib`.
#[cfg(target_os = "linux")]
#[test]
fn the_layout_of_the_archive_for_c_leads_to_the_same_library_interop() {
    let Some(loaded) = runtime("the_layout_of_the_archive_for_c_leads_to_the_same_library_interop")
    else {
        return;
    };
    let scratch = Scratch::new("archive");
    let library = scratch.path().join("lib");
    fs::create_dir(&library).unwrap();
    let link = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, library.join(name)).unwrap();
    };
    link(loaded.path(), "libtensorflow.so.2.21.0");
    link(Path::new("libtensorflow.so.2.21.0"), "libtensorflow.so.2");
    link(Path::new("libtensorflow.so.2"), "libtensorflow.so");
    for path in [scratch.path(), &library, &library.join("libtensorflow.so")] {
        assert_eq!(Runtime::open(path).unwrap().path(), loaded.path());
    }
}
