//! Every way to be refused, with the entry that is named and the rule.

use fazt_protocol::limit::{APP_BYTES, FILE_PATH_BYTES, SOURCE_BYTES};

use super::*;

fn check(rows: Vec<(Tar, &str, &str)>) {
    for (tar, file, part) in rows {
        let (named, rule) = refusal(&tar.file("last", "1").end());
        assert!(named == file && rule.contains(part), "{file}: {part}: {named:?}: {rule}");
    }
}

fn tar() -> Tar {
    Tar::default()
}

fn odd(kind: EntryType) -> Tar {
    tar().file("index.html", "1").entry(kind, b"odd", b"")
}

#[test]
fn names() {
    let longest = "p/".repeat(FILE_PATH_BYTES / 2);
    let longer = format!("{longest}x");
    let long = |name: &str| tar().entry(EntryType::GNULongName, b"././@LongLink", name.as_bytes()).file("cut", "1");
    check(vec![
        (tar().file("/etc/passwd", "1"), "/etc/passwd", "absolute"),
        (tar().file("../evil", "1"), "../evil", "a .. in it"),
        (tar().file("a/../../evil", "1"), "a/../../evil", "a .. in it"),
        (tar().folder("a/../b/"), "a/../b/", "a .. in it"),
        (tar().pax("path", b"../evil").file("harmless", "1"), "../evil", "a .. in it"),
        (tar().file("node_modules/../../evil", "1"), "node_modules/../../evil", "a .. in it"),
        (long("/abs"), "/abs", "absolute"),
        (tar().file("a//b", "1"), "a//b", "an empty segment"),
        (tar().folder("a//"), "a//", "an empty segment"),
        (tar().file("a/./b", "1"), "a/./b", "a . in it"),
        (tar().file(".", "1"), ".", "a . in it"),
        (tar().file("", "1"), "", "no name"),
        (tar().file("a\\b", "1"), "a\\b", "backslash"),
        (tar().file("a\tb", "1"), "a\\tb", "control character"),
        (tar().pax("path", b"a\0.html").file("a", "1"), "a\\u{0}.html", "control character"),
        (tar().entry(EntryType::Regular, b"a\xff\xfe", b"1"), "a\u{fffd}\u{fffd}", "not UTF-8"),
        (long(&longer), &longer, "more than 512 bytes"),
    ]);
}

#[test]
fn kinds() {
    check(vec![
        (odd(EntryType::Link), "odd", "a hard link"),
        (odd(EntryType::Symlink), "odd", "a symbolic link"),
        (odd(EntryType::Char), "odd", "a device"),
        (odd(EntryType::Block), "odd", "a device"),
        (odd(EntryType::Fifo), "odd", "a fifo"),
        (odd(EntryType::GNUSparse), "odd", "a sparse file"),
        (odd(EntryType::new(b'V')), "odd", "a kind that is not known"),
        (tar().pax("GNU.sparse.major", b"1").file("odd", "1"), "odd", "a sparse file"),
        (tar().entry(EntryType::Directory, b"odd", b"1"), "odd", "has content"),
        (tar().entry(EntryType::Symlink, b"node_modules/x", b"1"), "node_modules/x", "has content"),
        (tar().entry(EntryType::Regular, b"odd/", b"1"), "odd/", "has content"),
    ]);
}

#[test]
fn doubles() {
    check(vec![
        (tar().file("a", "1").file("a", "1"), "a", "twice"),
        (tar().file("a", "1").file("./a", "2"), "a", "twice"),
        (tar().file("Readme", "1").file("README", "1"), "README", "that of Readme differ only in"),
        (tar().file("Ä/x", "1").file("ä/y", "1"), "ä/y", "that of Ä differ only in"),
        (tar().file("a", "1").file("a/b", "1"), "a/b", "a is a file, and cannot be a folder"),
        (tar().file("a/b", "1").file("a", "1"), "a", "a file and a folder at once"),
        (tar().folder("a/").file("a", "1"), "a", "a file and a folder at once"),
        (tar().file("a", "1").folder("a/"), "a/", "a file and a folder at once"),
        (tar().pax("path", b"x").entry(EntryType::GNULongName, b"l", b"y\0").file("z", "1"), "y", "given twice"),
        (tar().pax("size", b"1").file("a", "22"), "a", "size is given twice"),
    ]);
}

#[test]
fn sources_and_manifest() {
    let big = vec![b' '; SOURCE_BYTES + 1];
    check(vec![
        (tar().file("api/main.ts", "let a: number"), "api/main.ts", "JavaScript it compiles to, with api/main.js"),
        (tar().file("api/lib/a.js", &big), "api/lib/a.js", "at most 1 MiB"),
        (tar().file("api/a.json", &big), "api/a.json", "at most 1 MiB"),
        (tar().file("api/a.mjs", &big), "api/a.mjs", "at most 1 MiB"),
        (tar().file("api/main.js", b"1\n\xff"), "api/main.js", "line 2 is not UTF-8"),
        (tar().file("manifest.json", &big), "manifest.json", "at most 1 MiB"),
        (tar().file("manifest.json", "{\n,}"), "manifest.json", "line 2 column 1"),
        (tar().file("manifest.json", b"{\"name\": \"\xff\"}"), "manifest.json", "line 1 column"),
        (tar().file("manifest.json", "[]"), "manifest.json", "a JSON object"),
        (tar().file("manifest.json", r#"{"spa": "yes"}"#), "manifest.json", "\"spa\" takes true or false"),
        (tar().file("./manifest.json", r#"{"name": "admin"}"#), "manifest.json", "\"name\" takes an app's name"),
    ]);
}

#[test]
fn the_archive_itself() {
    let good = tar().file("a", vec![b'x'; 600]).file("b", "1");
    let whole = good.clone().end();
    let mut flipped = whole.clone();
    flipped[3 * 512 + 10] ^= 1;
    let mut packed = gzip(&whole);
    let middle = packed.len() / 2;
    let cut = packed[..middle].to_vec();
    let crc = packed.len() - 6;
    packed[crc] ^= 1;
    let window = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&whole).unwrap();
        encoder.finish().unwrap()
    };
    let rows: Vec<(Vec<u8>, &str, &str)> = vec![
        (Vec::new(), "", "is empty"),
        (gzip(b""), "", "is empty"),
        (b"x".to_vec(), "", "not a tar"),
        (b"<html>".repeat(500), "", "not a tar"),
        (gzip(b"hello"), "", "not a tar"),
        (b"PK\x03\x04rest".to_vec(), "", "a zip file"),
        (b"BZh91AY".to_vec(), "", "bzip2"),
        (b"\xfd7zXZ\0".to_vec(), "", "xz"),
        (vec![0; 10_240], "", "no file"),
        (tar().file(".env", "1").folder("a").end(), "", "no file"),
        (good.0.clone(), "", "cut off"),
        (whole[..512].to_vec(), "a", "cut off"),
        (whole[..700].to_vec(), "a", "cut off"),
        (whole[..3 * 512 + 100].to_vec(), "", "cut off"),
        (tar().pax("path", b"x").end(), "", "cut off"),
        (flipped, "a", "damaged after this entry"),
        ([whole.clone(), b"garbage".to_vec()].concat(), "", "goes on after its end"),
        ([whole.clone(), whole.clone()].concat(), "", "goes on after its end"),
        ([gzip(&whole), b"more garbage".to_vec()].concat(), "", "damaged"),
        (cut, "", "cut off"),
        (packed, "", "damaged"),
        (zstd(&whole)[..40].to_vec(), "", "cut off"),
        (window, "", "a lower level of zstd"),
        (tar().entry(EntryType::XHeader, b"x", b"12 path=odd").file("a", "1").end(), "", "pax record"),
        (tar().entry(EntryType::XHeader, b"x", b"+9 path=x\n").file("a", "1").end(), "", "pax record"),
        (tar().entry(EntryType::XGlobalHeader, b"g", &record("path", b"x")).end(), "", "for all entries"),
    ];
    for (archive, file, part) in rows {
        let (named, rule) = refusal(&archive);
        assert!(named == file && rule.contains(part), "{file}: {part}: {named:?}: {rule}");
    }
}

#[test]
fn sizes_that_lie() {
    let claims = |size| tar().file("ok", "1").entry_that_claims(EntryType::Regular, b"lie", b"x", size).end();
    let rows = [(4096, "cut off"), (APP_BYTES as u64, "at most 100 MiB"), (1 << 33, "at most 100 MiB")];
    for (size, part) in rows.into_iter().chain([(u64::MAX >> 1, "at most 100 MiB")]) {
        let (file, rule) = refusal(&claims(size));
        assert!(file == "lie" && rule.contains(part), "{size}: {file}: {rule}");
    }
    let left_out = tar().entry_that_claims(EntryType::Regular, b".env", b"x", u64::MAX >> 1).end();
    assert!(refusal(&left_out).1.contains("unpacks to more than 400 MiB"));
    let name = tar().entry_that_claims(EntryType::GNULongName, b"l", b"x", 1 << 30).end();
    assert!(refusal(&name).1.contains("more than 1024 KiB"));
}
