//! Keeps the house as `ARCHITECTURE.md` draws it: which floor imports from which, which files there
//! are, where unsafe code is, and who speaks to which dependency.
//!
//! The sources are read as text with comments and literals blanked, which needs no parser: a path
//! into this crate begins with `crate::` or with enough `super::`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::fixtures::{assert_none, files_below};

/// What the page says.
#[derive(Default)]
struct Page {
    /// Module → its floor and the modules it may import from.
    floors: BTreeMap<String, (u32, Vec<String>)>,
    files: BTreeSet<String>,
    with_unsafe: BTreeSet<String>,
    /// Dependency → files and folders that speak to it.
    homes: BTreeMap<String, Vec<String>>,
}

impl Page {
    fn parse(text: &str) -> Page {
        let mut page = Page::default();
        for section in text.split("\n## ").skip(1) {
            let title = section.lines().next().unwrap_or_default();
            match title {
                "The house" => {
                    for line in section.lines().filter(|line| line.starts_with("src/")) {
                        let file = line.split_whitespace().next().unwrap_or_default();
                        assert!(page.files.insert(file.to_owned()), "{file}: listed twice");
                    }
                }
                "Floors" => {
                    for cells in rows(section) {
                        let Ok(floor) = cells[0].trim().parse() else {
                            continue;
                        };
                        let module = quoted(cells[1]).remove(0);
                        page.floors.insert(module, (floor, quoted(cells[2])));
                    }
                }
                "Unsafe code" => page.with_unsafe.extend(
                    quoted(section)
                        .into_iter()
                        .filter(|text| text.ends_with(".rs")),
                ),
                "Dependencies" => {
                    for cells in rows(section) {
                        if let Some(name) = quoted(cells[0]).pop() {
                            page.homes.insert(name, quoted(cells[1]));
                        }
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// What the files do against the page.
    fn faults(&self, files: &BTreeMap<String, String>, dependencies: &[String]) -> Vec<String> {
        let mut faults = Vec::new();
        let there: BTreeSet<String> = files.keys().cloned().collect();
        for file in there.symmetric_difference(&self.files) {
            faults.push(match there.contains(file) {
                true => format!("{file}: not on the page"),
                false => format!("{file}: on the page only"),
            });
        }
        for (module, (floor, imports)) in &self.floors {
            for import in imports {
                if self.floors.get(import).is_none_or(|(of, _)| of >= floor) {
                    faults.push(format!(
                        "{module} may import {import}, which is not below it"
                    ));
                }
            }
        }
        for dependency in dependencies {
            if !self.homes.contains_key(dependency) {
                faults.push(format!("{dependency}: has no home on the page"));
            }
        }
        let root = Root::parse(files.get("src/lib.rs").map_or("", String::as_str));
        for module in root
            .modules
            .difference(&self.floors.keys().cloned().collect())
        {
            faults.push(format!("{module}: on no floor"));
        }
        for (file, source) in files {
            let code = code_of(source);
            self.check_names(file, &code, &mut faults);
            self.check_homes(file, &code, &mut faults);
            if !file.starts_with("src/bin/") && file != "src/lib.rs" {
                self.check_imports(file, &without_tests(&code), &root, &mut faults);
            }
        }
        faults
    }

    fn check_names(&self, file: &str, code: &str, faults: &mut Vec<String>) {
        let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
        if ["util", "utils", "common", "helper", "helpers", "misc"].contains(&stem) {
            faults.push(format!("{file}: the name says nothing"));
        }
        for (at, _) in words(code).filter(|(_, word)| *word == "unsafe") {
            if !self.with_unsafe.contains(file) {
                faults.push(format!("{file}:{}: unsafe code", line(code, at)));
            }
        }
    }

    fn check_homes(&self, file: &str, code: &str, faults: &mut Vec<String>) {
        for (at, word) in words(code) {
            let path = &code[at..];
            let is_path = code[at + word.len()..].trim_start().starts_with("::")
                || code[..at].trim_end().ends_with("use");
            if !is_path || code[..at].trim_end().ends_with("::") {
                continue;
            }
            let is_prefix = |name: &&String| {
                path.strip_prefix(name.as_str())
                    .is_some_and(|rest| !rest.starts_with(is_word))
            };
            // The longest: a part of a crate may have homes of its own.
            let names = self.homes.keys().filter(is_prefix);
            let Some(name) = names.max_by_key(|name| name.len()) else {
                continue;
            };
            let is_home = |home: &String| {
                file == home
                    || file
                        .strip_prefix(home.as_str())
                        .is_some_and(|f| f.starts_with('/'))
            };
            if !self.homes[name].iter().any(is_home) {
                faults.push(format!("{file}:{}: speaks to {name}", line(code, at)));
            }
        }
    }

    fn check_imports(&self, file: &str, code: &str, root: &Root, faults: &mut Vec<String>) {
        let module = module_path(file).remove(0);
        let Some((_, allowed)) = self.floors.get(&module) else {
            return; // said once for the module
        };
        for (at, name) in names_from_root(file, code) {
            let target = root.exports.get(&name).unwrap_or(&name);
            if *target != module && target != "error" && !allowed.contains(target) {
                let line = line(code, at);
                faults.push(format!("{file}:{line}: {module} imports {target}"));
            }
        }
    }
}

/// What `lib.rs` declares.
struct Root {
    modules: BTreeSet<String>,
    /// A name at the root → the module it comes from.
    exports: BTreeMap<String, String>,
}

impl Root {
    fn parse(source: &str) -> Root {
        let code = code_of(source);
        let (mut modules, mut exports) = (BTreeSet::new(), BTreeMap::new());
        for item in code.split(';') {
            let item = item.trim();
            let item = item.rsplit("]\n").next().unwrap().trim();
            let item = item.strip_prefix("pub ").unwrap_or(item);
            if let Some(module) = item.strip_prefix("mod ") {
                modules.insert(module.to_owned());
            } else if let Some((module, names)) = item
                .strip_prefix("use ")
                .and_then(|path| path.split_once("::"))
            {
                for (_, name) in words(names) {
                    exports.insert(name.to_owned(), module.to_owned());
                }
            }
        }
        Root { modules, exports }
    }
}

/// The cells of each row of a section's table.
fn rows(section: &str) -> impl Iterator<Item = Vec<&str>> {
    section
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').collect())
}

/// The parts between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Identifiers and keywords with where they begin.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// `src/store/platform/mod.rs` is `store`, `platform`.
fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let parts = path.split('/').filter(|part| *part != "mod");
    parts.map(str::to_owned).collect()
}

/// Every name that a path takes from the root of the crate.
fn names_from_root(file: &str, code: &str) -> Vec<(usize, String)> {
    let depth = module_path(file).len();
    let mut names = Vec::new();
    for (at, word) in words(code) {
        let mut rest = code[at + word.len()..].trim_start();
        let is_start = !code[..at].trim_end().ends_with("::");
        let mut left = match word {
            "crate" => 0,
            "super" if is_start => depth - 1,
            _ => continue,
        };
        while let Some(path) = rest.strip_prefix("::").map(str::trim_start) {
            match path.strip_prefix("super") {
                Some(more) if !more.starts_with(is_word) && left > 0 => {
                    left -= 1;
                    rest = more.trim_start();
                }
                _ if left == 0 => {
                    names.extend(heads(path).map(|head| (at, head)));
                    break;
                }
                _ => break,
            }
        }
    }
    names
}

/// The first name of a path, or of each path in braces.
fn heads(path: &str) -> impl Iterator<Item = String> {
    let mut depth = 0;
    let group: String = match path.starts_with('{') {
        false => path.chars().take_while(|&c| is_word(c)).collect(),
        true => path
            .chars()
            .map_while(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                (depth > 0).then_some(if depth == 1 { c } else { ' ' })
            })
            .skip(1)
            .collect(),
    };
    let heads: Vec<String> = group
        .split(',')
        .filter_map(|path| words(path).next())
        .map(|(_, head)| head.to_owned())
        .collect();
    heads.into_iter()
}

/// The source with comments and literals blanked, each line where it was.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted_literal(rest),
            'r' if !code.ends_with(|c| is_word(c) && c != 'b' && c != 'c') => raw_literal(rest),
            '\'' => char_literal(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let blank = |c| if c == '\n' { '\n' } else { ' ' };
        code.extend(rest[..skipped].chars().map(blank));
        rest = &rest[skipped..];
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted_literal(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// 0 where there is none: `r` is also a letter.
fn raw_literal(text: &str) -> usize {
    let marks = text[1..].len() - text[1..].trim_start_matches('#').len();
    let Some(inside) = text[1 + marks..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(marks));
    let start = text.len() - inside.len();
    inside
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

/// 0 where there is none: the mark also begins a lifetime.
fn char_literal(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((after, c))) => {
            let start = after + c.len_utf8();
            text[start..].find('\'').map_or(0, |at| start + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Blanks what is compiled for tests alone, which may look anywhere.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut left = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        left.push_str(&rest[..at]);
        let mut depth = 0;
        let end = rest[at..].find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0 && matches!(c, '}' | ';')
        });
        let end = end.map_or(rest.len(), |end| at + end + 1);
        left.extend(rest[at..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    left.push_str(rest);
    left
}

/// The names of the manifest's dependencies, as paths have them.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            let section = line.trim_matches(['[', ']']);
            is_inside = section == "dependencies"
                || section.starts_with("target.") && section.ends_with(".dependencies");
        } else if let Some((name, _)) = line.split_once(" = ")
            && is_inside
        {
            names.push(name.replace('-', "_"));
        }
    }
    names
}

#[test]
fn the_house_is_as_the_page_draws_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let page = Page::parse(&read(&root.join("ARCHITECTURE.md")));
    let files: BTreeMap<String, String> = files_below(&root.join("src"), &|_| true)
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            (name.replace('\\', "/"), read(path))
        })
        .collect();
    let dependencies = dependencies(&read(&root.join("Cargo.toml")));
    assert!(files.len() > 40 && dependencies.len() > 8 && page.floors.len() > 5);
    assert_none(&page.faults(&files, &dependencies));
}

#[test]
fn what_is_against_the_page_is_found() {
    let page = Page::parse(
        "# A page\n\n## The house\n\n```\nsrc/lib.rs  all\nsrc/error.rs  errors\nsrc/low/mod.rs\n\
         src/high/mod.rs  x\nsrc/high/part.rs  y\nsrc/gone.rs  z\n```\n\n## Floors\n\n\
         | floor | module | may import | does |\n|---|---|---|---|\n| 0 | `error` | – | |\n\
         | 1 | `low` | – | |\n| 2 | `high` | `low` | |\n\n## Unsafe code\n\nOnly `src/low/mod.rs`.\n\n\
         ## Dependencies\n\n| crate | home |\n|---|---|\n| `dep` | `src/low` |\n| `dep::part` | `src` |\n",
    );
    let files = [
        (
            "src/lib.rs",
            "mod error;\npub mod low;\nmod high;\nmod new;\npub use high::{Big, part::Other};\n",
        ),
        ("src/error.rs", "use super::low::X;"),
        (
            "src/low/mod.rs",
            "use dep::X;\nuse crate::error::E;\nuse crate::{\n  high::{a, b}, error,\n};\n\
             fn f() { unsafe { crate::Big::new() } }\n#[cfg(test)]\nmod tests { use crate::high; }\n\
             fn g() { super::high::part() }\n",
        ),
        (
            "src/high/mod.rs",
            "// crate::new\nuse crate::low;\nconst X: &str = \"crate::new \\\" \"; fn f<'a>(c: char) \
             { c == '\"' || c == '\\'' }\nuse dep;\nconst Y: &str = r#\"crate::new \" \"#;\n/* /* */ \
             crate::new */ use dep::part::Y;\n",
        ),
        (
            "src/high/part.rs",
            "use super::super::new::X;\nuse super::Big;\nunsafe fn f() {}\n",
        ),
        ("src/high/util.rs", "use crate::low::dep;"),
    ];
    let files = files.map(|(file, source)| (file.to_owned(), source.to_owned()));
    let faults = page.faults(&files.into(), &["dep".to_owned(), "other".to_owned()]);
    assert_eq!(
        faults,
        [
            "src/gone.rs: on the page only",
            "src/high/util.rs: not on the page",
            "other: has no home on the page",
            "new: on no floor",
            "src/error.rs:1: error imports low",
            "src/high/mod.rs:4: speaks to dep",
            "src/high/part.rs:3: unsafe code",
            "src/high/part.rs:1: high imports new",
            "src/high/util.rs: the name says nothing",
            "src/low/mod.rs:3: low imports high",
            "src/low/mod.rs:6: low imports high",
            "src/low/mod.rs:9: low imports high",
        ]
    );
}
