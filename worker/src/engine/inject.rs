//! The request as an app sees it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use fazt_protocol::call::Request;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::{
    body::Content,
    realm::{Realm, Thrown},
    turn::Turn,
    value::Value,
};

/// Makes the request object and the global `request`.
pub(super) fn request<'a>(
    realm: Realm<'a>,
    turn: &Turn<'_>,
    id: &str,
    request: &Request,
    content: Content<'a>,
) -> Result<Value<'a>, Thrown> {
    let (query, query_all) = query(realm, &request.query)?;
    let headers = realm.object()?;
    for (name, value) in &request.headers {
        headers.define_named(name, realm.string(value)?)?;
    }
    let cookies = cookies(realm, request)?;
    let Content { body, files } = content;
    let files = files.map_or_else(|| realm.object(), Ok)?;
    let [id, method, path] = [id, &request.method, &request.path].map(|text| realm.string(text));
    let [url, host, ip] = [&request.url, &request.host, &request.ip].map(|text| realm.string(text));
    let parts = [&id?, &method?, &path?, &url?, &host?, &ip?, &query, &query_all, &headers, &cookies, &body, &files];
    let made = realm.share(turn.prelude().make_request).call(&parts)?;
    // Defined, not assigned: an app sees it as it would any other global.
    realm.global().define_hidden(c"request", realm.share(made.raw()))?;
    Ok(made)
}

/// The first value of each name, and all of them.
fn query<'a>(realm: Realm<'a>, text: &str) -> Result<(Value<'a>, Value<'a>), Thrown> {
    let (first, all) = (realm.object()?, realm.object()?);
    let mut lists: BTreeMap<Cow<'_, str>, (Value<'a>, u32)> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = realm.string(&value)?;
        if let Some((list, length)) = lists.get_mut(&name) {
            list.define_at(*length, value)?;
            *length += 1;
            continue;
        }
        first.define_named(&name, realm.share(value.raw()))?;
        let list = realm.array()?;
        list.define_at(0, value)?;
        all.define_named(&name, realm.share(list.raw()))?;
        lists.insert(name, (list, 1));
    }
    Ok((first, all))
}

/// The `Cookie` header, by name; the first of a name counts.
fn cookies<'a>(realm: Realm<'a>, request: &Request) -> Result<Value<'a>, Thrown> {
    let cookies = realm.object()?;
    let Some((_, header)) = request.headers.iter().find(|(name, _)| name == "cookie") else { return Ok(cookies) };
    let mut seen = BTreeSet::new();
    for (name, value) in header.split(';').filter_map(|pair| pair.split_once('=')) {
        if !seen.insert(name.trim()) {
            continue;
        }
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        cookies.define_named(name.trim(), realm.string(&percent_decode_str(bare).decode_utf8_lossy())?)?;
    }
    Ok(cookies)
}
