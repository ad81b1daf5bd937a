//! The request as an app sees it: the object is there already, and makes its parts when they are asked for. What remains is
//! its body, or to take it away where code runs that no request brought.

use super::{
    body::Content,
    realm::{Realm, Thrown},
    turn::Turn,
};

/// Gives the request its body.
pub(super) fn body<'a>(realm: Realm<'a>, turn: &Turn<'_>, content: Content<'a>) -> Result<(), Thrown> {
    let Content { body, files } = content;
    if !body.is_undefined() || files.is_some() {
        let files = files.unwrap_or_else(|| realm.undefined());
        realm.share(turn.prelude().carry).call(&[&body, &files])?;
    }
    Ok(())
}

/// There is no request.
pub(super) fn nothing(realm: Realm<'_>) -> Result<(), Thrown> {
    realm.global().delete(c"request")
}
