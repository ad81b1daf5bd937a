//! Archives that hold: every file comes out as it went in, in whatever an archive is written or compressed with.

use std::io::Read;

use fazt_protocol::{body::Part, limit::APP_FILES};

use super::*;

fn text(bytes: usize) -> Vec<u8> {
    (0..).flat_map(|number: u32| format!("<p>line {number} of many</p>\n").into_bytes()).take(bytes).collect()
}

/// Bytes that nothing compresses.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        Some(state as u8)
    };
    std::iter::from_fn(next).take(bytes).collect()
}

fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        Encoding::Identity => out.extend_from_slice(bytes),
        Encoding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
        Encoding::Brotli => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap()),
        Encoding::Zstd => out = zstd::decode_all(bytes).unwrap(),
    }
    out
}

fn app() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("manifest.json", br#"{ "name": "momentum", "spa": true, "env": { "A": "b" } }"#.to_vec()),
        ("index.html", text(10_000)),
        ("css/small.css", text(255)),
        ("css/just.css", text(256)),
        ("big.JSON", text(3 * 1024 * 1024 + 7)),
        ("noise.txt", noise(5_000)),
        ("photo.png", text(5_000)),
        ("empty", Vec::new()),
        ("api/main.js", text(5_000)),
        ("private/seed.json", text(5_000)),
        ("a name with ü & spaces.txt", noise(600_000)),
    ]
}

fn check(app: &[(&str, Vec<u8>)], heard: &Heard) {
    let built = heard.end.as_ref().unwrap();
    assert_eq!(built.manifest.name.as_deref(), Some("momentum"));
    assert_eq!((built.manifest.spa, built.manifest.env.len()), (true, 1));
    assert_eq!(heard.contents.len(), app.len());
    for (path, content) in app {
        let encodings = &heard.contents[*path];
        for (&encoding, bytes) in encodings {
            assert!(decoded(encoding, bytes) == *content, "{path} as {encoding:?} is another content");
            assert!(encoding == Encoding::Identity || bytes.len() * 10 <= content.len() * 9, "{path} {encoding:?}");
        }
        let is_compressed = matches!(*path, "index.html" | "css/just.css" | "big.JSON");
        assert_eq!(encodings.len(), if is_compressed { 4 } else { 1 }, "{path}");
    }
}

#[test]
fn every_file_comes_out_as_it_went_in() {
    let app = app();
    let tar = app.iter().fold(Tar::default(), |tar, (path, content)| tar.file(path, content)).end();
    let heard = drive(&tar);
    check(&app, &heard);
    assert_eq!(heard.end.unwrap().warnings, [""; 0]);
    check(&app, &drive(&gzip(&tar)));
    check(&app, &drive(&zstd(&tar)));
    // Two members and two frames after one another are one stream, to gzip and to zstd.
    let (first, second) = tar.split_at(tar.len() / 2);
    check(&app, &drive(&[gzip(first), gzip(second)].concat()));
    check(&app, &drive(&[zstd(first), zstd(second)].concat()));
}

#[test]
fn the_crates_own_tars_are_read_with_folders_and_long_names() {
    let deep = format!("{}/file.txt", ["a-long-folder-name"; 26].join("/"));
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [("./index.html", b"1".as_slice()), (&deep, b"22")] {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content).unwrap();
    }
    let heard = drive(&builder.into_inner().unwrap());
    assert_eq!(heard.contents["index.html"][&Encoding::Identity], b"1");
    assert_eq!(heard.contents[&deep][&Encoding::Identity], b"22");
    heard.end.unwrap();
}

#[test]
fn pax_records_name_the_next_entry_only() {
    let long = format!("{}.txt", "n".repeat(300));
    let tar = Tar::default()
        .entry(EntryType::XGlobalHeader, b"pax_global_header", &record("comment", b"of git"))
        .pax("SCHILY.xattr.user.odd", b"a\n19 path=evil/../..\n")
        .folder("./")
        .entry(EntryType::XHeader, b"x", &[record("mtime", b"1.5"), record("path", long.as_bytes())].concat())
        .file("short", "1")
        .pax("size", b"2")
        .file("next", "22")
        .entry(EntryType::GNULongLink, b"././@LongLink", &[b'k'; 300])
        .folder("folder/")
        .entry(EntryType::Regular, b"old-folder/", b"")
        .entry(EntryType::Continuous, b"folder/c", b"333")
        .end();
    let heard = drive(&tar);
    heard.end.unwrap();
    let sizes: Vec<_> =
        heard.contents.iter().map(|(path, content)| (path.as_str(), content[&Encoding::Identity].len())).collect();
    assert_eq!(sizes, [("folder/c", 3), ("next", 2), (long.as_str(), 1)]);
}

#[test]
fn what_no_app_needs_is_left_out_with_a_warning() {
    let tar = Tar::default()
        .file(".env", "SECRET=1")
        .folder(".git/")
        .file(".git/config", "x")
        .file("index.html", "1")
        .file("a/.DS_Store", "x")
        .file("__MACOSX/._index.html", "x")
        .folder("node_modules")
        .entry(EntryType::Symlink, b"node_modules/.bin/tool", b"")
        .file("node_modules/x/index.js", "x")
        .file("api/data.json", "{ a: 1 }")
        .file("manifest.json", r#"{ "timeoutms": 5 }"#)
        .end();
    let heard = drive(&tar);
    assert_eq!(heard.contents.keys().collect::<Vec<_>>(), ["api/data.json", "index.html", "manifest.json"]);
    let warnings = heard.end.unwrap().warnings;
    assert!(warnings[0].starts_with("api/data.json does not parse as JSON"), "{warnings:?}");
    assert!(warnings[1].contains("did you mean \"timeoutMs\""), "{warnings:?}");
    assert!(warnings[2].starts_with("there is no api/main.js"), "{warnings:?}");
    let left_out = [".env", ".git (2 entries)", "a/.DS_Store", "__MACOSX", "node_modules (3 entries)"];
    assert_eq!(warnings[3..], left_out.map(|what| format!("left out: {what}")));
}

#[test]
fn who_deploys_many_mebibytes_of_sources_is_told_what_they_cost() {
    let source = " ".repeat(1024 * 1024);
    let tar = |sources: usize| {
        let main = Tar::default().file("api/main.js", "1");
        (1..=sources).fold(main, |tar, number| tar.file(&format!("api/{number}.js"), &source)).end()
    };
    assert_eq!(drive(&tar(3)).end.unwrap().warnings, [""; 0]);
    let warnings = drive(&tar(5)).end.unwrap().warnings;
    assert!(matches!(&warnings[..], [one] if one.starts_with("the sources under api/ have 5 MiB")), "{warnings:?}");
}

#[test]
fn an_app_may_have_as_many_files_as_the_limit_says() {
    let tar = (0..APP_FILES).fold(Tar::default(), |tar, number| tar.file(&format!("f/{number}"), "x"));
    assert_eq!(drive(&gzip(&tar.clone().end())).contents.len(), APP_FILES);
    let (file, rule) = refusal(&gzip(&tar.file("one-more", "x").end()));
    assert_eq!((file.as_str(), rule.as_str()), ("one-more", "an app has at most 5000 files"));
}

#[test]
fn parts_may_be_as_small_as_a_byte() {
    let tar = gzip(&Tar::default().file("index.html", "1").end());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut far = FarEnd::new(ours.into());
    thread::scope(|scope| {
        scope.spawn(move || build(&mut Pipe::new(theirs.into()), 5).unwrap());
        let part = |at: usize| Part { bytes: vec![tar[at]], last: false };
        far.send(&ToBuilder::Begin { protocol: PROTOCOL, body: part(0) }, None).unwrap();
        (1..tar.len()).for_each(|at| far.send(&ToBuilder::Chunk(part(at)), None).unwrap());
        far.send(&ToBuilder::Chunk(Part::empty()), None).unwrap();
        let heard = hear(&mut far);
        assert_eq!(heard.contents["index.html"][&Encoding::Identity], b"1");
    });
}
