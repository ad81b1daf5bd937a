//! The catalog: which apps are deployed, at which version, with which files. The router's own copy of the registry.
//!
//! The router is the only one that changes the registry, so the copy is refreshed where a change was made, and whole when
//! the store comes up. A request takes one `Arc<Served>` and sees all of that version and nothing of another.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use fazt_protocol::registry::{App, FileEntry};
use parking_lot::RwLock;

use crate::store::{AskError, Store};

/// One app at one version.
#[derive(Debug)]
pub struct Served {
    /// The app's name, shared by all that mention it.
    pub name: Arc<str>,
    /// What the registry says.
    pub app: App,
    /// Its public files by path.
    pub files: HashMap<String, FileEntry>,
}

/// All apps by name.
#[derive(Debug, Default)]
pub struct Catalog(RwLock<BTreeMap<Arc<str>, Arc<Served>>>);

impl Catalog {
    /// The app of that name, where it has an active version.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Served>> {
        self.0.read().get(name).map(Arc::clone)
    }

    /// The only app there is.
    #[must_use]
    pub fn only(&self) -> Option<Arc<Served>> {
        let apps = self.0.read();
        if apps.len() == 1 { apps.values().next().map(Arc::clone) } else { None }
    }

    /// All of them, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Served>> {
        self.0.read().values().map(Arc::clone).collect()
    }

    /// Reads everything anew: after the store came up.
    ///
    /// # Errors
    /// [`AskError`]; the catalog is as before.
    pub async fn load(&self, store: &Store) -> Result<(), AskError> {
        let mut apps = BTreeMap::new();
        let mut after = None;
        loop {
            let page = store.apps(after.take()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            for app in page {
                if let Some(served) = Self::read(store, &app.name).await? {
                    apps.insert(Arc::clone(&served.name), served);
                }
            }
        }
        *self.0.write() = apps;
        Ok(())
    }

    /// Reads one app anew: after a change of it.
    ///
    /// # Errors
    /// [`AskError`]; the catalog is as before.
    pub async fn refresh(&self, store: &Store, name: &str) -> Result<Option<Arc<Served>>, AskError> {
        let served = Self::read(store, name).await?;
        let mut apps = self.0.write();
        match &served {
            Some(served) => {
                apps.insert(Arc::clone(&served.name), Arc::clone(served));
            }
            None => {
                apps.remove(name);
            }
        }
        Ok(served)
    }

    async fn read(store: &Store, name: &str) -> Result<Option<Arc<Served>>, AskError> {
        let Some(app) = store.app(name).await?.filter(|app| app.version > 0) else { return Ok(None) };
        let mut files = HashMap::new();
        let mut after = None;
        loop {
            let page = store.index(app.id, app.version, after.take()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.path.clone());
            files.extend(page.into_iter().map(|file| (file.path.clone(), file)));
        }
        Ok(Some(Arc::new(Served { name: Arc::from(app.name.as_str()), app, files })))
    }
}
