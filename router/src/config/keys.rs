//! The names of all settings: flag `--name`, variable `FAZT_NAME`, key `name` in `fazt.toml`.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// As flag and in the file.
    pub(super) name: &'static str,
    /// Whether it may be given more than once.
    pub(super) many: bool,
}

/// All settings, in the order in which they are printed.
pub(super) const KEYS: [Key; 20] = [
    one("workers"),
    many("listen"),
    one("data-dir"),
    many("domain"),
    one("default-app"),
    one("timeout"),
    one("request-timeout"),
    one("storage-timeout"),
    one("memory"),
    one("max-requests-per-worker"),
    one("queue-depth"),
    one("queue-timeout"),
    one("app-max-workers"),
    one("fresh-state"),
    one("sandbox"),
    one("store"),
    one("durability"),
    one("log-format"),
    one("access-log"),
    many("trust-proxy"),
];

/// Variables of the farm that are not settings of the router.
pub(super) const OTHER_VARIABLES: [&str; 4] = ["FAZT_CONFIG", "FAZT_RUNTIME_DEBUG", "FAZT_SERVER", "FAZT_TOKEN"];

/// How unlike a name may be and still be taken for a slip.
const SLIP: usize = 3;

impl Key {
    /// The variable's name.
    pub(super) fn variable(&self) -> String {
        format!("FAZT_{}", self.name.replace('-', "_").to_uppercase())
    }
}

/// The setting of that name; `_` passes for `-`.
pub(super) fn named(name: &str) -> Option<Key> {
    let name = name.replace('_', "-");
    KEYS.into_iter().find(|key| key.name == name)
}

/// The valid name that is most like it, if any is.
pub(super) fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let rated = valid.into_iter().map(|valid| (strsim::damerau_levenshtein(name, valid), valid));
    rated.filter(|(distance, _)| *distance <= SLIP).min().map(|(_, valid)| valid.to_owned())
}

const fn one(name: &'static str) -> Key {
    Key { name, many: false }
}

const fn many(name: &'static str) -> Key {
    Key { name, many: true }
}
