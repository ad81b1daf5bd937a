//! The leaves of the request object: each of its parts, made when it is asked for.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use fazt_protocol::call::Request;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::Call;
use crate::engine::{
    realm::{ErrorKind, Thrown},
    value::Value,
};

/// The request's body as a string; `undefined` where there is no body.
pub(super) fn body_text<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    match call.turn()?.body() {
        Some(body) => call.realm.string(&String::from_utf8_lossy(body)),
        None => Ok(call.realm.undefined()),
    }
}

/// A part that is a text, by its number in the prelude's list.
pub(super) fn text<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let request = request(call)?;
    let parts = [call.turn()?.id(), &request.method, &request.path, &request.url, &request.host, &request.ip];
    match parts.get(call.number(0) as usize) {
        Some(part) => call.realm.string(part),
        None => Err(call.realm.throw_error(ErrorKind::Type, "the request has no such part")),
    }
}

/// The first value of each name of the query.
pub(super) fn query<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let query = call.realm.object()?;
    let mut seen = BTreeSet::new();
    for (name, value) in form_urlencoded::parse(request(call)?.query.as_bytes()) {
        if !seen.contains(&name) {
            query.define_named(&name, call.realm.string(&value)?)?;
            seen.insert(name);
        }
    }
    Ok(query)
}

/// All values of each name of the query.
pub(super) fn query_all<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let all = call.realm.object()?;
    let mut lists: BTreeMap<Cow<'_, str>, (Value<'a>, u32)> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(request(call)?.query.as_bytes()) {
        let value = call.realm.string(&value)?;
        if let Some((list, length)) = lists.get_mut(&name) {
            list.define_at(*length, value)?;
            *length += 1;
            continue;
        }
        let list = call.realm.array()?;
        list.define_at(0, value)?;
        all.define_named(&name, call.realm.share(list.raw()))?;
        lists.insert(name, (list, 1));
    }
    Ok(all)
}

/// Names in lower case and values.
pub(super) fn headers<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let headers = call.realm.object()?;
    for (name, value) in &request(call)?.headers {
        headers.define_named(name, call.realm.string(value)?)?;
    }
    Ok(headers)
}

/// The `Cookie` header, by name; the first of a name counts.
pub(super) fn cookies<'a>(call: &Call<'a, '_>) -> Result<Value<'a>, Thrown> {
    let cookies = call.realm.object()?;
    let headers = &request(call)?.headers;
    let Some((_, header)) = headers.iter().find(|(name, _)| name == "cookie") else { return Ok(cookies) };
    let mut seen = BTreeSet::new();
    for (name, value) in header.split(';').filter_map(|pair| pair.split_once('=')) {
        if !seen.insert(name.trim()) {
            continue;
        }
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        cookies.define_named(name.trim(), call.realm.string(&percent_decode_str(bare).decode_utf8_lossy())?)?;
    }
    Ok(cookies)
}

fn request<'b>(call: &Call<'_, 'b>) -> Result<&'b Request, Thrown> {
    let no_request = || call.realm.throw_error(ErrorKind::Type, "there is no request here");
    call.turn()?.request().ok_or_else(no_request)
}
