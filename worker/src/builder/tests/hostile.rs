//! Bombs, bytes that mean nothing, and routers that break the conversation.

use fazt_protocol::{
    body::Part,
    limit::{APP_BYTES, ARCHIVE_BYTES},
};
use proptest::prelude::*;

use super::*;

/// Compressed as it is made, since what it unpacks to should not be in memory here either.
fn bomb(header: &[u8], zeros: u64) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(header).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), zeros), &mut writer).unwrap();
    writer.finish().unwrap()
}

#[test]
fn bombs_are_bounded() {
    let mebibytes = |count: u64| count << 20;
    let claims = |name: &[u8], size| Tar::default().entry_that_claims(EntryType::Regular, name, b"", size).0;
    let kept = bomb(&claims(b"bomb", mebibytes(101)), mebibytes(101));
    assert_eq!(refusal(&kept), ("bomb".to_owned(), "an app has at most 100 MiB".to_owned()));
    let left_out = claims(b".git/bomb", mebibytes(401));
    let after_end = Tar::default().file("a", "1").end();
    for archive in [bomb(&left_out, mebibytes(1)), bomb(&after_end, mebibytes(401))] {
        let (_, rule) = refusal(&archive);
        assert!(rule.contains("unpacks to more than 400 MiB"), "{rule}");
    }
    let many = (0..100_001).fold(Tar::default(), |tar, _| tar.folder("same/"));
    assert!(refusal(&gzip(&many.end())).1.contains("more than 100000 entries"));
}

#[test]
fn an_app_is_never_larger_than_it_may_be() {
    let half = vec![b'x'; APP_BYTES / 2];
    let tar = Tar::default().file("a.bin", &half).file("b.bin", &half);
    let heard = drive(&zstd(&tar.clone().end()));
    assert!(heard.contents["b.bin"][&Encoding::Identity] == half && heard.end.is_ok());
    let (file, rule) = refusal(&zstd(&tar.file("c", "1").end()));
    assert_eq!((file.as_str(), rule.as_str()), ("c", "an app has at most 100 MiB"));
}

#[test]
fn an_archive_is_never_larger_than_it_may_be() {
    let (_, rule) = refusal(&Tar::default().file(".left-out", vec![1; ARCHIVE_BYTES]).end());
    assert_eq!(rule, "the archive has more than 116 MiB");
}

#[test]
fn folders_are_counted_too() {
    let deep = |number: usize| format!("{number}/{}", "d/".repeat(40));
    let tar = (0..200).fold(Tar::default(), |tar, number| tar.file(&format!("{}x", deep(number)), "1"));
    assert_eq!(refusal(&tar.end()).1, "an app has at most 5000 folders");
}

/// What a builder makes of a router that says only this, and then leaves.
fn left_alone(said: Vec<ToBuilder>) -> BuildError {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut far = FarEnd::new(ours.into());
    for message in said {
        far.send(&message, None).unwrap();
    }
    let builder = thread::spawn(move || build(&mut Pipe::new(theirs.into()), 5));
    assert!(matches!(far.receive(None), Ok(FromBuilder::Ready(_))));
    // Its reads end, its writes do not: it may just be giving a file.
    rustix::net::shutdown(far.socket(), rustix::net::Shutdown::Write).unwrap();
    builder.join().unwrap().unwrap_err()
}

#[test]
fn a_broken_conversation_is_an_error_and_no_refusal() {
    let tar = Tar::default().file("a", "1").end();
    let begin = |protocol, last| ToBuilder::Begin { protocol, body: Part { bytes: tar.clone(), last } };
    let chunk = |bytes: &[u8], last| ToBuilder::Chunk(Part { bytes: bytes.to_vec(), last });
    let compressed = |bytes| ToBuilder::Begin { protocol: PROTOCOL, body: Part { bytes, last: false } };
    for cut_off in [vec![], vec![begin(PROTOCOL, false)], vec![compressed(gzip(&tar))], vec![compressed(zstd(&tar))]] {
        let error = left_alone(cut_off);
        assert!(matches!(error, BuildError::Pipe(PipeError::Closed(_))), "{error}");
    }
    let error = left_alone(vec![begin(PROTOCOL + 1, true)]);
    assert!(matches!(error, BuildError::Version(_)), "{error}");
    let second = [begin(PROTOCOL, true), chunk(b"", false)];
    for odd in second.into_iter().map(|odd| vec![begin(PROTOCOL, false), odd]).chain([vec![chunk(b"x", true)]]) {
        let error = left_alone(odd);
        assert!(matches!(error, BuildError::Breach(_)), "{error}");
    }
}

fn some_name() -> impl Strategy<Value = String> {
    "(\\./|/|\\.\\./)?[a-cA-C./]{1,8}(\\.js|\\.json|/)?"
}

fn some_kind() -> impl Strategy<Value = u8> {
    let others = proptest::sample::select(b"127xgLKS".to_vec());
    prop_oneof![8 => Just(b'0'), 2 => Just(b'5'), 1 => others, 1 => any::<u8>()]
}

fn some_tar() -> impl Strategy<Value = Tar> {
    let entry = (some_kind(), some_name(), proptest::collection::vec(any::<u8>(), 0..40));
    proptest::collection::vec(entry, 0..12).prop_map(|entries| {
        let add = |tar: Tar, (kind, name, content): (u8, String, Vec<u8>)| {
            tar.entry(EntryType::new(kind), name.as_bytes(), &content)
        };
        entries.into_iter().fold(Tar::default(), add)
    })
}

fn some_flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_end_in_files_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..3_000)) {
        drive(&bytes);
        drive(&gzip(&bytes));
        drive(&[b"\x1f\x8b\x08\0".as_slice(), &bytes].concat());
        drive(&[b"\x28\xb5\x2f\xfd".as_slice(), &bytes].concat());
    }

    #[test]
    fn any_tar_ends_in_its_files_or_a_refusal(tar in some_tar(), flips in some_flips()) {
        let heard = drive(&tar.clone().end());
        if heard.end.is_ok() {
            prop_assert!(!heard.contents.is_empty());
        }
        let mut damaged = tar.end();
        for (at, by) in flips {
            let at = at.index(damaged.len());
            damaged[at] ^= by;
        }
        drive(&damaged);
        let packed = zstd(&damaged);
        drive(&packed[..packed.len() / 2]);
    }
}
