//! Samples of what router and builder say to each other.

use fazt_protocol::{
    builder::{Built, Cors, Encoding, File, FromBuilder, Manifest, ToBuilder},
    call::Ready,
};

use super::{Samples, every::ENCODINGS, pair, part, variants};

variants! {
    ToBuilder: Begin Chunk;
    FromBuilder: Ready File Chunk Built Refused;
    Encoding: Identity Gzip Brotli Zstd;
}

/// A manifest in which everything is set.
pub(super) fn manifest() -> Manifest {
    let cors = Cors { origins: vec!["https://a.example".to_owned()], credentials: true, max_age: 600 };
    Manifest {
        name: Some("momentum".to_owned()),
        spa: true,
        timeout_ms: Some(500),
        memory_mb: Some(32),
        env: vec![pair("MODE", "test")],
        cors: Some(cors),
    }
}

pub(super) fn add(samples: &mut Samples) {
    let asked = vec![ToBuilder::Begin { protocol: 1, body: part() }, ToBuilder::Chunk(part())];
    samples.add("build.to_builder", asked, |message| message);
    let file = |encoding| FromBuilder::File(File { path: "api/main.js".to_owned(), encoding, body: part() });
    let built = |manifest| FromBuilder::Built(Box::new(Built { manifest, warnings: vec!["no favicon".to_owned()] }));
    let said = vec![
        FromBuilder::Ready(Ready { protocol: 1, layers: 7 }),
        file(Encoding::Identity),
        FromBuilder::Chunk(part()),
        built(manifest()),
        built(Manifest::default()),
        FromBuilder::Refused { file: "../x".to_owned(), rule: "a path may not leave the app".to_owned() },
    ];
    samples.add("build.from_builder", said, |message| message);
    samples.add("build.from_builder.File", ENCODINGS.to_vec(), file);
}
