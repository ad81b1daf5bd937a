//! A change of an app: in the store, then in the catalog, then in the farm, and whole even where whoever asked for it goes away.
//!
//! Changes are made one after another: two that overlapped could leave the catalog with the older of two versions.

use std::sync::Arc;

use fazt_protocol::registry::App;
use tokio::sync::Mutex;

use super::refused;
use crate::{
    fault::{Code, Fault},
    house::House,
    store::AskError,
};

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Makes a change, `in_store` first, and then whatever the app is after it the truth for everybody. Says what `in_store` said.
///
/// # Errors
/// What `in_store` said, or 503 where the store does not answer.
pub(super) async fn make<T, F>(
    house: &Arc<House>,
    name: &str,
    in_store: impl FnOnce(Arc<House>) -> F + Send + 'static,
) -> Result<T, Fault>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let (house, name) = (Arc::clone(house), name.to_owned());
    // A task of its own: the request may be dropped at any moment, the change must not.
    let change = tokio::spawn(async move {
        let _alone = ONE_AT_A_TIME.lock().await;
        let before = house.store.app(&name).await.map_err(refused)?;
        let said = in_store(Arc::clone(&house)).await;
        settle(&house, &name, before).await.map_err(refused)?;
        said
    });
    change.await.unwrap_or_else(|_panicked| Err(Fault::new(Code::Overloaded, "the change failed").with_status(500)))
}

/// Also after a refusal: an answer that was lost on its way may have been a yes.
async fn settle(house: &House, name: &str, before: Option<App>) -> Result<(), AskError> {
    let served = house.catalog.refresh(&house.store, name).await?;
    match (served, before) {
        (Some(served), _) => house.farm.forget(served.app.id, Some(served.app.version)),
        (None, Some(before)) => house.farm.forget(before.id, None),
        (None, None) => {}
    }
    Ok(())
}
